import { expect, it } from 'vitest';
import { recordingLog } from '../../../adapters/testing/context.ts';
import type { LimitUse } from '../types.ts';
import { openCounters } from './open.ts';

const MINUTE = 60_000;

const use = (whose: string, more: Partial<LimitUse> = {}): LimitUse => ({
  key: whose,
  counter: 'c',
  windowMs: MINUTE,
  windowName: 'minute',
  sliding: false,
  max: 5,
  amount: 1,
  policy: 'p',
  rule: '/r',
  onDeny: undefined,
  ...more,
});

it('who opens sessions without end is out of counts before everybody else is', async () => {
  const counters = await openCounters({ log: recordingLog(), state: undefined, limits: { maxCounts: 20 } });
  const now = 10 * MINUTE;
  const session = (i: number, sessionOf = 'loud') =>
    counters.reserve([use(`${sessionOf}-${i}`, { sessionOf })], now).granted;
  for (let i = 0; i < 10; i++) expect(session(i)).toBe(true);
  expect(session(10)).toBe(false);
  // One that has its count goes on; others have theirs, of sessions and of anything else.
  expect(session(0)).toBe(true);
  for (let i = 0; i < 5; i++) expect(session(i, 'quiet')).toBe(true);
  for (let i = 0; i < 5; i++) expect(counters.reserve([use(`grant-${i}`)], now).granted).toBe(true);
  // When its windows are over there is room again, as often as that happens.
  for (const later of [now + MINUTE, now + 2 * MINUTE]) {
    for (let i = 0; i < 10; i++) {
      expect(counters.reserve([use(`loud-new-${i}`, { sessionOf: 'loud' })], later).granted).toBe(true);
    }
    expect(counters.reserve([use('loud-more', { sessionOf: 'loud' })], later).granted).toBe(false);
  }
  await counters.close();
});
