import { afterEach, expect, it } from 'vitest';
import { type Deadline, unwatch, watch } from './deadlines.ts';

/** A deadline in so many milliseconds, and when it expired. */
const deadlineIn = (ms: number) => deadlineAt(performance.now() + ms);

function deadlineAt(dueAt: number, expired: () => void = () => {}) {
  const deadline: Deadline & { expiredAt: number[] } = {
    previous: undefined,
    next: undefined,
    dueAt,
    expiredAt: [],
    expire() {
      this.expiredAt.push(performance.now());
      expired();
    },
  };
  made.push(deadline);
  watch(deadline);
  return deadline;
}

const made: Deadline[] = [];
afterEach(() => {
  for (const deadline of made.splice(0)) unwatch(deadline);
});

it('a deadline expires once, and never early', async () => {
  const dueAt = [5, 12, 31].map((ms) => ({ at: performance.now() + ms, deadline: deadlineIn(ms) }));
  await expect.poll(() => dueAt.every(({ deadline }) => deadline.expiredAt.length > 0)).toBe(true);
  const later = deadlineIn(30);
  await expect.poll(() => later.expiredAt.length).toBe(1);
  for (const { at, deadline } of dueAt) {
    expect(deadline.expiredAt).toHaveLength(1);
    expect(deadline.expiredAt[0]).toBeGreaterThanOrEqual(at);
    expect(deadline.dueAt).toBeUndefined();
  }
});

it('a deadline that is moved, cleared or not watched any more does not expire at its old time', async () => {
  const [moved, cleared, unwatched] = [deadlineIn(5), deadlineIn(5), deadlineIn(5)];
  moved.dueAt = performance.now() + 60_000;
  cleared.dueAt = undefined;
  unwatch(unwatched);
  const last = deadlineIn(5);
  await expect.poll(() => last.expiredAt.length).toBe(1);
  expect([moved, cleared, unwatched].flatMap(({ expiredAt }) => expiredAt)).toEqual([]);
});

it('a deadline that expires may end others that are due at the same time', async () => {
  // Two moments of the clock would be two sweeps where the machine pauses in between.
  const dueAt = performance.now() + 5;
  const other = deadlineAt(dueAt);
  const first = deadlineAt(dueAt, () => {
    other.dueAt = undefined;
    unwatch(other);
  });
  // In the order of the list the first one comes last.
  unwatch(other);
  watch(other);
  await expect.poll(() => first.expiredAt.length).toBe(1);
  const last = deadlineIn(5);
  await expect.poll(() => last.expiredAt.length).toBe(1);
  expect(other.expiredAt).toEqual([]);
});
