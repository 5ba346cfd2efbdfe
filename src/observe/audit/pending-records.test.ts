import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fakeCaller } from '../../relay/testing/fakes.ts';
import type { ConcludedEvent } from '../events.ts';
import { AuditHasher } from './hash.ts';
import { PendingRecords } from './pending-records.ts';
import { recordOf } from './record-of.ts';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const over = (requestId: number): ConcludedEvent => ({
  ...{
    instance: 'one',
    call: undefined,
    requestId,
    caller: fakeCaller('modern'),
    principal: 'local',
    grant: undefined,
  },
  ...{ server: 's', section: 'tools', name: 'pay', namespaced: 's__pay', method: 'tools/call', arguments: { a: 1 } },
  ...{ verdict: 'allow', outcome: 'ok', policy: undefined, rule: undefined, errorCode: undefined },
  ...{ durationMs: 1, queueMs: 0, shadow: undefined },
});

function pending() {
  const made: [requestId: unknown, at: number][] = [];
  return { made, pending: new PendingRecords(({ requestId }, at) => void made.push([requestId, at])) };
}

describe('records of requests that are over', () => {
  it('are made within 10 ms, in order, each with the time at which its request was over', () => {
    const { made, pending: records } = pending();
    records.add(over(1));
    vi.advanceTimersByTime(9);
    records.add(over(2));
    expect(made).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(made).toEqual([
      [1, 1_000_000],
      [2, 1_000_009],
    ]);
    records.add(over(3));
    vi.advanceTimersByTime(10);
    expect(made.at(-1)).toEqual([3, 1_000_010]);
  });

  it('are made at once when many wait, so that what is kept of them is bounded', () => {
    const { made, pending: records } = pending();
    for (let id = 1; id <= 100; id++) records.add(over(id));
    expect(made.map(([id]) => id)).toEqual(Array.from({ length: 96 }, (_, i) => i + 1));
    records.flush();
    expect(made).toHaveLength(100);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('are dated to the millisecond, in whatever order', () => {
    const hasher = new AuditHasher(randomBytes(32));
    for (const at of [0, 999, 1_000, 1_764_453_599_999, 1_764_453_600_000, 1_764_453_600_007, 1_764_453_599_010]) {
      expect(recordOf(over(1), hasher, at).time).toBe(new Date(at).toISOString());
    }
  });
});
