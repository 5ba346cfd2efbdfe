import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Federation, Member, ServerStatus } from '../../federation/types.ts';
import { serverOf } from './run-server.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A federation of one server that is away. `listeners`: those that wait for a change. */
function away() {
  const member = { name: 'graph', upstream: undefined } as { -readonly [K in keyof Member]?: Member[K] };
  const listeners = new Set<(status: ServerStatus) => void>();
  const federation = {
    whenSettled: () => undefined,
    member: (name: string) => (name === 'graph' ? member : undefined),
    onStateChange: (listener: (status: ServerStatus) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  } as unknown as Federation;
  const changes = (name = 'graph'): void => {
    for (const each of [...listeners]) each({ name } as ServerStatus);
  };
  return { federation, member, listeners, changes };
}

const GOES_ON = new AbortController().signal;

describe('the server of a run that is taken over', () => {
  it('is waited for while it is away', async () => {
    const { federation, member, listeners, changes } = away();
    let found: Member | undefined;
    const finding = serverOf(federation, 'graph', GOES_ON).then((now) => {
      found = now;
    });
    await vi.advanceTimersByTimeAsync(30_000);
    changes();
    changes('another');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(found).toBeUndefined();
    member.upstream = {} as never;
    changes();
    await finding;
    expect([found, listeners.size]).toEqual([member, 0]);
  });

  it('is waited for a minute at most, and no longer than the run lasts', async () => {
    const { federation, member, listeners } = away();
    const found = serverOf(federation, 'graph', GOES_ON);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await found).toBe(member);
    const ended = new AbortController();
    const again = serverOf(federation, 'graph', ended.signal);
    await vi.advanceTimersByTimeAsync(1_000);
    ended.abort();
    expect(await again).toBe(member);
    expect(await serverOf(federation, 'graph', ended.signal)).toBe(member);
    expect([listeners.size, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it('is unknown at once where there is none of its name', async () => {
    const { federation } = away();
    await expect(serverOf(federation, 'gone', GOES_ON)).rejects.toMatchObject({ code: 'SWB_UNKNOWN_SERVER' });
  });
});
