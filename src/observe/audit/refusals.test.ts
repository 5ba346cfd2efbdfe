import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fakeCaller } from '../../relay/testing/fakes.ts';
import type { ConcludedEvent } from '../events.ts';
import type { AuditRecord } from './record.ts';
import { RefusalGroups } from './refusals.ts';

const LIMITS = { single: 3, groups: 4, windowMs: 1_000 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const refused = (principal: string, changes: Partial<ConcludedEvent> = {}): ConcludedEvent => ({
  ...{
    instance: 'one',
    call: 1,
    requestId: 1,
    caller: fakeCaller('modern', { principal }),
    principal,
    grant: principal,
  },
  ...{ server: 's', section: 'tools', name: 'pay', namespaced: 's__pay', method: 'tools/call', arguments: { a: 1 } },
  ...{ verdict: 'deny', outcome: 'denied', policy: 'grant:x', rule: '/tools/pay/action', errorCode: 'SWB_DENIED' },
  ...{ durationMs: 1, queueMs: 0, shadow: undefined, ...changes },
});

function groups() {
  const written: AuditRecord[] = [];
  const refusals = new RefusalGroups((record, event) => {
    expect(event.arguments).toBeUndefined();
    written.push(record);
  }, LIMITS);
  return { written, refusals };
}

describe('refusals for the audit', () => {
  it('have records of their own up to a number, and then one for all of a kind with how many they are', () => {
    const { written, refusals } = groups();
    const taken = Array.from({ length: 1_000 }, () => refusals.takes(refused('greedy')));
    expect(taken.filter((each) => !each)).toHaveLength(LIMITS.single);
    expect(refusals.takes(refused('other'))).toBe(false);
    vi.advanceTimersByTime(LIMITS.windowMs);
    expect(written).toHaveLength(1);
    expect(written[0]).toMatchObject({
      ...{ principal: 'greedy', server: 's', name: 'pay', rule: '/tools/pay/action', errorCode: 'SWB_DENIED' },
      ...{ repeated: 997, requestId: undefined, argHash: undefined, since: expect.any(String) },
    });
    expect(refusals.takes(refused('greedy'))).toBe(false);
  });

  it('are counted whole, however many kinds there are', () => {
    const { written, refusals } = groups();
    let single = 0;
    for (let i = 0; i < 100; i++) if (!refusals.takes(refused('greedy', { name: `tool${i}` }))) single++;
    refusals.flush();
    expect(written).toHaveLength(LIMITS.groups);
    expect(single + written.reduce((sum, { repeated = 0 }) => sum + repeated, 0)).toBe(100);
    expect(written.at(-1)).toMatchObject({ server: '*', name: '*', repeated: 94 });
  });

  it('are no calls that may have reached a server', () => {
    const { refusals } = groups();
    const passed: Partial<ConcludedEvent>[] = [
      { outcome: 'ok', verdict: 'allow', errorCode: undefined },
      { outcome: 'error', verdict: 'allow', errorCode: -32603 },
      { outcome: 'timeout', verdict: 'allow', errorCode: 'SWB_CALL_TIMEOUT' },
      { outcome: 'pending', verdict: 'allow', errorCode: undefined },
      { outcome: 'cancelled', verdict: 'allow', errorCode: 'SWB_CANCELLED' },
    ];
    for (let i = 0; i < 20; i++) for (const each of passed) expect(refusals.takes(refused('greedy', each))).toBe(false);
    const left: Partial<ConcludedEvent>[] = [
      { outcome: 'pending', verdict: 'approve', errorCode: 'SWB_APPROVAL_PENDING' },
      { outcome: 'error', verdict: 'allow', errorCode: 'SWB_QUEUE_FULL' },
    ];
    for (let i = 0; i < LIMITS.single; i++) refusals.takes(refused('greedy'));
    for (const each of left) expect(refusals.takes(refused('greedy', each))).toBe(true);
  });
});
