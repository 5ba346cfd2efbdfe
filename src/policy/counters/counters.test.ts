import { describe, expect, it } from 'vitest';
import type { Counters } from './counters.ts';
import { limitDenial } from './denial.ts';
import { openCounters } from './open.ts';
import { DAY, MINUTE, passing, recorder, refusal, taken, use } from './testing/uses.ts';

const T = Date.UTC(2026, 10, 20, 12, 0, 0);
const open = (maxCounts = 1000): Promise<Counters> => openCounters({ log: recorder(), limits: { maxCounts } });

describe('windows of the calendar', () => {
  it('end with the last millisecond of the minute', async () => {
    const counters = await open();
    expect(passing(counters, use(), T + 17_345)).toBe(3);
    expect(refusal(counters.reserve([use()], T + MINUTE - 1))).toMatchObject({
      why: 'reached',
      resetsAt: T + MINUTE,
      retryAfterMs: 1,
    });
    expect(passing(counters, use(), T + MINUTE)).toBe(3);
  });

  it('of a day begin at midnight UTC', async () => {
    const counters = await open();
    const day = use({ windowMs: DAY, windowName: 'day', key: 'd' });
    expect(passing(counters, day, Date.UTC(2026, 10, 20, 0, 0, 1))).toBe(3);
    const late = refusal(counters.reserve([day], Date.UTC(2026, 10, 20, 23, 59, 59, 999)));
    expect(late.resetsAt).toBe(Date.UTC(2026, 10, 21));
    expect(passing(counters, day, Date.UTC(2026, 10, 21))).toBe(3);
  });

  it.each([
    ['into the window before', T - 1, 2 * MINUTE],
    ['by five hours', T - 5 * 3_600_000 + 7, MINUTE],
    ['by a year', T - 365 * DAY, MINUTE],
  ])('keep their counts when the clock is set back %s, for a window more at most', async (_what, back, atMost) => {
    const counters = await open();
    expect(passing(counters, use(), T)).toBe(3);
    const { resetsAt = 0 } = refusal(counters.reserve([use()], back));
    expect(resetsAt - back).toBeGreaterThan(0);
    expect(resetsAt - back).toBeLessThanOrEqual(atMost);
    expect(counters.reserve([use()], resetsAt - 1).granted).toBe(false);
    expect(passing(counters, use(), resetsAt)).toBe(3);
  });

  it('do not open twice when the clock goes back and forth over the edge', async () => {
    const counters = await open();
    let passed = passing(counters, use(), T);
    for (const at of [T - 5, T + 1, T - 1, T, T + 10]) passed += passing(counters, use(), at);
    expect(passed).toBe(3);
  });

  it('of another length are another count', async () => {
    const counters = await open();
    expect(passing(counters, use(), T)).toBe(3);
    expect(passing(counters, use({ windowMs: DAY }), T)).toBe(3);
    expect(passing(counters, use(), T)).toBe(0);
  });
});

describe('sliding windows', () => {
  const sliding = use({ sliding: true });

  it('let the next call in when the oldest has left the window', async () => {
    const counters = await open();
    for (const at of [0, 20_000, 40_000]) taken(counters.reserve([sliding], T + at));
    expect(refusal(counters.reserve([sliding], T + 59_999)).resetsAt).toBe(T + MINUTE);
    expect(passing(counters, sliding, T + MINUTE)).toBe(1);
    expect(refusal(counters.reserve([sliding], T + MINUTE + 1)).resetsAt).toBe(T + 80_000);
  });

  it('say when a larger amount fits', async () => {
    const counters = await open();
    for (const at of [0, 20_000, 40_000]) taken(counters.reserve([sliding], T + at));
    expect(refusal(counters.reserve([{ ...sliding, amount: 2 }], T + 41_000)).resetsAt).toBe(T + 80_000);
  });

  it.each([
    ['a little', 30_000, 2 * MINUTE],
    ['by a day', DAY, MINUTE],
  ])('keep their counts when the clock is set back %s', async (_what, by, atMost) => {
    const counters = await open();
    expect(passing(counters, sliding, T)).toBe(3);
    const { resetsAt = 0 } = refusal(counters.reserve([sliding], T - by));
    expect(resetsAt - (T - by)).toBeLessThanOrEqual(atMost);
    expect(passing(counters, sliding, resetsAt)).toBe(3);
  });
});

describe('a reservation', () => {
  it('takes all of its uses or none', async () => {
    const counters = await open();
    const wide = use({ key: 'wide', max: 100 });
    const narrow = use({ key: 'narrow', max: 2 });
    expect(counters.reserve([wide, narrow], T).granted).toBe(true);
    expect(counters.reserve([narrow, wide], T).granted).toBe(true);
    for (let i = 0; i < 10; i++) expect(refusal(counters.reserve([wide, narrow], T)).use).toBe(narrow);
    expect(passing(counters, wide, T)).toBe(98);
  });

  it('adds up uses of one count, in whatever order', async () => {
    for (const uses of [
      [use({ max: 10, amount: 2 }), use({ max: 5, amount: 1 })],
      [use({ max: 5, amount: 1 }), use({ max: 10, amount: 2 })],
    ]) {
      const counters = await open();
      taken(counters.reserve(uses, T));
      expect(refusal(counters.reserve(uses, T)).use.max).toBe(5);
      expect(passing(counters, use({ max: 10 }), T)).toBe(7);
    }
  });

  it('is shared by tools whose limits name the same count', async () => {
    const counters = await open();
    const one = use({ rule: '/tools/one/limits/calls', max: 5 });
    const other = use({ rule: '/tools/other/limits/calls', max: 5 });
    taken(counters.reserve([one], T));
    taken(counters.reserve([other], T));
    expect(passing(counters, one, T)).toBe(3);
    expect(refusal(counters.reserve([other], T)).use.rule).toBe('/tools/other/limits/calls');
  });

  it('gives back when rolled back, once', async () => {
    const counters = await open();
    const first = taken(counters.reserve([use()], T));
    expect(passing(counters, use(), T)).toBe(2);
    first.rollback();
    first.rollback();
    first.commit();
    expect(passing(counters, use(), T)).toBe(1);
  });

  it('stays taken when a rollback follows the commit', async () => {
    const counters = await open();
    const first = taken(counters.reserve([use({ max: 1 })], T));
    first.commit();
    first.rollback();
    expect(counters.reserve([use({ max: 1 })], T).granted).toBe(false);
  });

  it.each([false, true])('gives nothing back to a later window (sliding: %s)', async (sliding) => {
    const counters = await open();
    const one = use({ sliding });
    const late = taken(counters.reserve([one], T));
    expect(passing(counters, one, T + 2 * MINUTE)).toBe(3);
    late.rollback();
    expect(counters.reserve([one], T + 2 * MINUTE).granted).toBe(false);
  });

  it('of no uses is always granted', async () => {
    taken((await open()).reserve([])).rollback();
  });

  it('of nothing passes a limit that is just used up', async () => {
    const counters = await open();
    expect(passing(counters, use(), T)).toBe(3);
    expect(counters.reserve([use({ amount: 0 })], T).granted).toBe(true);
    expect(counters.reserve([use({ amount: 0, max: 2 })], T).granted).toBe(false);
  });

  it.each([
    ['an amount above the limit', { amount: 4 }],
    ['a limit of none', { max: 0 }],
    ['a limit of none, for nothing', { max: 0, amount: 0 }],
    ['a negative amount', { amount: -1 }],
    ['no number', { amount: Number.NaN }],
    ['an endless amount', { amount: Number.POSITIVE_INFINITY }],
  ])('is refused for good: %s', async (_what, over) => {
    const counters = await open();
    const refused = refusal(counters.reserve([use(over)], T));
    expect(refused).toMatchObject({ why: 'too-much', resetsAt: undefined, retryAfterMs: undefined });
    expect(passing(counters, use(), T)).toBe(3);
  });

  it('is refused with the limit that holds longest', async () => {
    const counters = await open();
    const minute = use({ key: 'm', max: 1 });
    const day = use({ key: 'd', max: 1, windowMs: DAY });
    taken(counters.reserve([minute, day], T));
    expect(refusal(counters.reserve([minute, day], T)).use).toBe(day);
    expect(refusal(counters.reserve([day, minute], T)).use).toBe(day);
  });
});

describe('the number of counts', () => {
  it('is bounded: those that are over go first, then calls are denied', async () => {
    const log = recorder();
    const counters = await openCounters({ log, limits: { maxCounts: 10 } });
    const of = (i: number, over = {}): ReturnType<typeof use> => use({ key: `k${i}`, ...over });
    for (let i = 0; i < 9; i++) taken(counters.reserve([of(i)], T));
    taken(counters.reserve([of(9, { windowMs: DAY })], T));
    const full = refusal(counters.reserve([of(10)], T + 1_500));
    expect(full).toMatchObject({ why: 'full', resetsAt: T + MINUTE });
    expect(counters.reserve([of(11)], T + 1_600).granted).toBe(false);
    expect(counters.reserve([of(3)], T + 1_700).granted).toBe(true);
    expect(counters.reserve([of(11)], T + 1_800).granted).toBe(false);
    expect(log.warnings).toHaveLength(1);
    expect(refusal(counters.reserve([of(10), of(11), of(9, { windowMs: DAY, max: 1 })], T + MINUTE)).why).toBe(
      'reached',
    );
    for (let i = 10; i < 19; i++) expect(counters.reserve([of(i)], T + MINUTE).granted).toBe(true);
    expect(counters.reserve([of(20)], T + MINUTE).granted).toBe(false);
  });
});

describe('the denial', () => {
  it('says which limit it is and when it resets', async () => {
    const counters = await open();
    passing(counters, use(), T);
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
    const refused = refusal((await open()).reserve([use({ max: 0, onDeny: 'Not today.' })], T));
    expect(limitDenial(refused)).toMatchObject({ reason: 'Not today.', data: { counter: 'calls' } });
  });

  it.each([
    [{ amount: 50 }, /counts for 50, more than the 3 per minute.*Waiting does not help/],
    [{ max: 0 }, /No call is allowed by the limit of 0 per minute/],
  ])('does not promise what waiting does not bring', async (over, reason) => {
    const denial = limitDenial(refusal((await open()).reserve([use(over)], T)));
    expect(denial.reason).toMatch(reason);
    expect(denial).not.toHaveProperty('retryAfterMs');
    expect(denial.data).not.toHaveProperty('resetsAt');
  });
});
