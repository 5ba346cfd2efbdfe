import { describe, expect, it } from 'vitest';
import { recordingLog } from '../../../adapters/testing/context.ts';
import type { LimitUse } from '../types.ts';
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

describe('rehearsing calls', () => {
  it.each([false, true])('finds what the last of so many calls would (sliding: %s)', (sliding) => {
    expect(rehearse([use({ sliding })], 1, log)).toMatchObject({ refusal: undefined, counts: [{ used: 0 }] });
    expect(rehearse([use({ sliding })], 3, log)).toMatchObject({ refusal: undefined, counts: [{ used: 2 }] });
    expect(rehearse([use({ sliding })], 4, log)).toMatchObject({ refusal: { why: 'reached' }, counts: [{ used: 3 }] });
    expect(rehearse([use({ sliding })], 1_000_000, log).refusal).toMatchObject({ why: 'reached' });
    expect(rehearse([], 5, log)).toEqual({ refusal: undefined, counts: [] });
  });
});
