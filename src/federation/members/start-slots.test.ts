import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultStarts, StartSlots } from './start-slots.ts';

describe('StartSlots', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const { signal } = new AbortController();
  /** Takes a slot; `got` is what gives it back, once there is one. */
  const taker = (slots: StartSlots, by: AbortSignal = signal, principal?: string) => {
    const result: { release?: () => void; failed?: unknown } = {};
    slots.take(by, principal).then(
      (release) => {
        result.release = release;
      },
      (error: unknown) => {
        result.failed = error;
      },
    );
    return result;
  };
  const tick = () => vi.advanceTimersByTimeAsync(0);

  it('gives one principal’s start a turn after one of each other, however many another one waits with', async () => {
    const slots = new StartSlots(1);
    const first = taker(slots, signal, 'greedy');
    const greedy = Array.from({ length: 50 }, () => taker(slots, signal, 'greedy'));
    const modest = taker(slots, signal, 'modest');
    await tick();
    first.release?.();
    await tick();
    greedy[0]?.release?.();
    await tick();
    expect(modest.release).toBeDefined();
    expect(greedy.filter(({ release }) => release !== undefined)).toHaveLength(1);
  });

  it('gives as many slots as there are, and the next one in turn when one is given back', async () => {
    const slots = new StartSlots(2);
    const takers = [1, 2, 3, 4].map(() => taker(slots));
    await tick();
    const having = () => takers.map(({ release }) => release !== undefined);
    expect(having()).toEqual([true, true, false, false]);
    takers[1]?.release?.();
    await tick();
    expect(having()).toEqual([true, true, true, false]);
    // Giving back twice gives back once.
    takers[1]?.release?.();
    await tick();
    expect(having()).toEqual([true, true, true, false]);
    for (const { release } of takers) release?.();
    await tick();
    takers[3]?.release?.();
    expect(having()).toEqual([true, true, true, true]);
    const later = taker(slots);
    await tick();
    expect(later.release).toBeDefined();
  });

  it('takes a slot back from a start that lasts too long', async () => {
    const slots = new StartSlots(1, 8_000);
    const slow = taker(slots);
    const other = taker(slots);
    await vi.advanceTimersByTimeAsync(7_999);
    expect(other.release).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(other.release).toBeDefined();
    // Its end frees nothing that is not its own any more.
    slow.release?.();
    const third = taker(slots);
    await tick();
    expect(third.release).toBeUndefined();
  });

  it('forgets a start that is no longer wanted', async () => {
    const slots = new StartSlots(1);
    const first = taker(slots);
    const controller = new AbortController();
    const second = taker(slots, controller.signal);
    const third = taker(slots);
    controller.abort(new Error('removed'));
    await tick();
    expect(second.failed).toEqual(new Error('removed'));
    first.release?.();
    await tick();
    expect(third.release).toBeDefined();
  });

  it('has two slots at least', () => {
    expect(defaultStarts()).toBeGreaterThanOrEqual(2);
  });
});
