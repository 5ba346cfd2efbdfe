import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Caller } from '../../../src/core/caller.ts';
import { fakeCaller, modernCaller } from '../../testing/call.ts';
import { CallerSessions } from './caller-sessions.ts';
import type { UpstreamSession } from './session.ts';

/** As much of a session as its bookkeeping looks at. */
function stub(owner: string | undefined) {
  const session = { owner, busy: 0, closed: 0, link: { close: vi.fn() }, fail: vi.fn(), close: vi.fn() };
  session.close.mockImplementation(async () => void session.closed++);
  return session;
}

function sessions(idleMs: number, limit = 10) {
  const opened: ReturnType<typeof stub>[] = [];
  const all = new CallerSessions(
    {
      name: 'fixture',
      limit,
      idleMs,
      open: async (caller) => {
        const session = stub(caller?.key);
        opened.push(session);
        return session as unknown as UpstreamSession;
      },
      renewed() {},
      down() {},
    },
    stub(undefined) as unknown as UpstreamSession,
    true,
  );
  return { all, opened };
}

afterEach(() => void vi.useRealTimers());

test('what a modern caller leaves idle is ended, unless it is busy; a legacy caller’s own ends with its client', async () => {
  vi.useFakeTimers();
  const { all, opened } = sessions(60_000);
  for (const caller of [modernCaller({ key: 'idle' }), modernCaller({ key: 'busy' }), fakeCaller({ key: 'legacy' })]) {
    await all.of(caller);
  }
  const [idle, busy, legacy] = opened;
  const closed = () => [idle, busy, legacy].map((session) => session?.closed);
  if (busy) busy.busy = 1;
  await vi.advanceTimersByTimeAsync(80_000);
  expect(closed()).toEqual([1, 0, 0]);
  if (busy) busy.busy = 0;
  await vi.advanceTimersByTimeAsync(80_000);
  expect(closed()).toEqual([1, 1, 0]);
  await all.of(modernCaller({ key: 'idle' }));
  expect(opened.length).toBe(4);
  await all.close(new Error('over'));
});

test('capabilities tell sessions of a modern caller apart, however long they are', async () => {
  const { all, opened } = sessions(60_000);
  const declaring = (text: string): Caller => modernCaller({ key: 'one', capabilities: { experimental: { text } } });
  for (const text of ['a', 'b', 'a', 'x'.repeat(5_000), 'y'.repeat(5_000), 'x'.repeat(5_000)])
    await all.of(declaring(text));
  expect(opened.length).toBe(4);
  await all.close(new Error('over'));
});

describe('the sessions of an upstream among principals', () => {
  const open = async (all: CallerSessions, principal: string, name: number) =>
    (await all.of(modernCaller({ key: `${principal} ${name}`, principal }))) as unknown as ReturnType<typeof stub>;

  test('one with more named sessions than there is room for ends its own oldest idle one, never another’s', async () => {
    const { all } = sessions(60_000);
    const others = await Promise.all(Array.from({ length: 9 }, (_, i) => open(all, `other ${i}`, 0)));
    const own = [];
    for (let i = 0; i < 30; i++) own.push(await open(all, 'greedy', i));
    expect(others.map(({ closed }) => closed)).toEqual(others.map(() => 0));
    expect(own.map(({ closed }) => closed)).toEqual([...Array(29).fill(1), 0]);
    await all.close(new Error('over'));
  });

  test('one alone has all of them', async () => {
    const { all } = sessions(60_000);
    const own = await Promise.all(Array.from({ length: 10 }, (_, i) => open(all, 'alone', i)));
    expect(own.map(({ closed }) => closed)).toEqual(own.map(() => 0));
    await all.close(new Error('over'));
  });

  test('one without any gets the oldest idle one of the principal with most', async () => {
    const { all } = sessions(60_000, 5);
    const modest = await open(all, 'modest', 0);
    const greedy = [];
    for (let i = 0; i < 4; i++) greedy.push(await open(all, 'greedy', i));
    await open(all, 'new', 0);
    expect(modest.closed).toBe(0);
    expect(greedy.map(({ closed }) => closed)).toEqual([1, 0, 0, 0]);
    await all.close(new Error('over'));
  });

  test('one that keeps all of them busy is refused more, and every other one still gets its first', async () => {
    const { all } = sessions(60_000, 5);
    const greedy = await Promise.all([0, 1, 2, 3, 4].map((i) => open(all, 'greedy', i)));
    for (const session of greedy) session.busy = 1;
    await expect(async () => open(all, 'greedy', 5)).rejects.toMatchObject({ code: 'SWB_TOO_MANY_SESSIONS' });
    const others = [];
    for (let i = 0; i < 4; i++) others.push(await open(all, `other ${i}`, 0));
    // Beyond the limit there are never as many as the greedy one has: from there on idle ones change hands.
    others.push(await open(all, 'other 4', 0));
    expect(others.map(({ closed }) => closed)).toEqual([1, 0, 0, 0, 0]);
    for (const session of others) session.busy = 1;
    await expect(async () => open(all, 'other 1', 1)).rejects.toMatchObject({ code: 'SWB_TOO_MANY_SESSIONS' });
    for (const session of greedy) session.busy = 0;
    await open(all, 'another', 0);
    // What was beyond the limit is freed first.
    expect(greedy.map(({ closed }) => closed)).toEqual([1, 1, 1, 1, 0]);
    await all.close(new Error('over'));
  });
});
