import { describe, expect, it } from 'vitest';
import { MemoryCounters } from '../../state/memory/counters.ts';
import { MINUTE, passing, recorder, refusal } from '../../state/testing/uses.ts';
import type { LimitUse } from '../types.ts';
import { limitDenial } from './denial.ts';

const T = Date.UTC(2026, 10, 20, 12, 0, 0);
const open = (): MemoryCounters => new MemoryCounters({ log: recorder() });

const use = (over: Partial<LimitUse> = {}): LimitUse => ({
  key: 'grant:a calls',
  counter: 'calls',
  windowMs: MINUTE,
  windowName: 'minute',
  sliding: false,
  max: 3,
  amount: 1,
  policy: 'server:a',
  rule: '/tools/t/limits/calls',
  onDeny: undefined,
  ...over,
});

describe('the denial of a limit', () => {
  it('says which limit it is and when it resets', async () => {
    const counters = open();
    await passing(counters, use(), T);
    expect(limitDenial(refusal(counters.reserve([use()], T + 1_000)))).toEqual({
      code: 'SWB_RATE_LIMITED',
      policy: 'server:a',
      rule: '/tools/t/limits/calls',
      reason: 'Rate limit of 3 per minute reached (counter "calls"). It resets at 2026-11-20T12:01:00.000Z.',
      hidden: false,
      retryAfterMs: 59_000,
      data: { counter: 'calls', window: 'minute', max: 3, resetsAt: T + MINUTE },
    });
  });

  it("uses the document's own words", async () => {
    const refused = refusal(open().reserve([use({ max: 0, onDeny: 'Not today.' })], T));
    expect(limitDenial(refused)).toMatchObject({ reason: 'Not today.', data: { counter: 'calls' } });
  });

  it.each([
    [{ amount: 50 }, /counts for 50, more than the 3 per minute.*Waiting does not help/],
    [{ max: 0 }, /No call is allowed by the limit of 0 per minute/],
  ])('does not promise what waiting does not bring', async (over, reason) => {
    const denial = limitDenial(refusal(open().reserve([use(over)], T)));
    expect(denial.reason).toMatch(reason);
    expect(denial).not.toHaveProperty('retryAfterMs');
    expect(denial.data).not.toHaveProperty('resetsAt');
  });
});
