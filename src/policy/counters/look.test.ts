import { describe, expect, it } from 'vitest';
import { recordingLog } from '../../../adapters/testing/context.ts';
import type { LimitUse } from '../types.ts';
import { openCounters } from './open.ts';
import { rehearse } from './rehearse.ts';

const use = (part: Partial<LimitUse> = {}): LimitUse => ({
  key: '["p","grant","team","c",60000]',
  counter: 'c',
  windowMs: 60_000,
  windowName: 'minute',
  sliding: false,
  max: 3,
  amount: 1,
  policy: 'p',
  rule: '/all_tools/limits/c',
  onDeny: undefined,
  ...part,
});

const log = recordingLog();

describe('looking at counts', () => {
  it('says what a reservation would find, and takes nothing', async () => {
    const counters = await openCounters({ log, clock: () => 90_000 });
    expect(counters.look([use()])).toEqual({
      refusal: undefined,
      counts: [{ use: use(), used: 0, endsAt: undefined }],
    });
    for (let calls = 1; calls <= 3; calls++) {
      for (let looks = 0; looks < 5; looks++) expect(counters.look([use()]).refusal).toBeUndefined();
      expect(counters.reserve([use()]).granted).toBe(true);
      expect(counters.look([use()]).counts).toEqual([{ use: use(), used: calls, endsAt: 120_000 }]);
    }
    const refused = counters.reserve([use()]);
    expect(counters.look([use()]).refusal).toEqual(refused);
    expect(counters.look([use()], 120_000)).toMatchObject({ refusal: undefined, counts: [{ used: 0 }] });
  });

  it('tells of a call that alone is too much', async () => {
    const counters = await openCounters({ log });
    expect(counters.look([use({ amount: 4 })]).refusal).toMatchObject({ why: 'too-much' });
  });
});

describe('rehearsing calls', () => {
  it.each([false, true])('finds what the last of so many calls would (sliding: %s)', (sliding) => {
    expect(rehearse([use({ sliding })], 1, log)).toMatchObject({ refusal: undefined, counts: [{ used: 0 }] });
    expect(rehearse([use({ sliding })], 3, log)).toMatchObject({ refusal: undefined, counts: [{ used: 2 }] });
    expect(rehearse([use({ sliding })], 4, log)).toMatchObject({ refusal: { why: 'reached' }, counts: [{ used: 3 }] });
    expect(rehearse([use({ sliding })], 1_000_000, log).refusal).toMatchObject({ why: 'reached' });
    expect(rehearse([], 5, log)).toEqual({ refusal: undefined, counts: [] });
  });
});
