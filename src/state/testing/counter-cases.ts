/**
 * What counters do, in every implementation of the state.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Log } from '../../core/log.ts';
import type { Counters, CounterUse, Reservation } from '../state.ts';
import { DAY, MINUTE, passing, recorder, refusal, taken, use } from './uses.ts';

const T = Date.UTC(2026, 10, 20, 12, 0, 0);

export interface CounterCaseOptions {
  maxCounters?: number;
  log?: Log;
}

/** Counts as one would on paper: a list of everything that was taken and not given back. */
class Paper {
  readonly #lines: { key: string; window: number; amount: number }[][] = [];

  count(key: string, window: number): number {
    const lines = this.#lines.flat().filter((line) => line.key === key && line.window === window);
    return lines.reduce((sum, { amount }) => sum + amount, 0);
  }

  reserve(uses: readonly CounterUse[], now: number): boolean {
    const window = Math.floor(now / MINUTE);
    const lines = uses.map(({ key, amount }) => ({ key, window, amount }));
    const added = (key: string): number => lines.reduce((sum, line) => sum + (line.key === key ? line.amount : 0), 0);
    const fits = uses.every(({ key, max }) => this.count(key, window) + added(key) <= max);
    if (fits) this.#lines.push(lines);
    return fits;
  }

  rollback(index: number): void {
    this.#lines[index] = [];
  }
}

const KEYS = ['a', 'b', 'c'];
const MAX = 7;

const step = fc.oneof(
  fc.record({
    wait: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 25_000 })),
    uses: fc.array(fc.record({ key: fc.constantFrom(...KEYS), amount: fc.integer({ min: 0, max: 4 }) }), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
  fc.record({ settle: fc.nat(), how: fc.constantFrom('commit' as const, 'rollback' as const) }),
);

export function counterCases(open: (options?: CounterCaseOptions) => Promise<Counters>): void {
  describe('windows of the calendar', () => {
    it('end with the last millisecond of the minute', async () => {
      const counters = await open();
      expect(await passing(counters, use(), T + 17_345)).toBe(3);
      expect(refusal(await counters.reserve([use()], T + MINUTE - 1))).toMatchObject({
        why: 'reached',
        resetsAt: T + MINUTE,
        retryAfterMs: 1,
      });
      expect(await passing(counters, use(), T + MINUTE)).toBe(3);
    });

    it('of a day begin at midnight UTC', async () => {
      const counters = await open();
      const day = use({ windowMs: DAY, key: 'd' });
      expect(await passing(counters, day, Date.UTC(2026, 10, 20, 0, 0, 1))).toBe(3);
      const late = refusal(await counters.reserve([day], Date.UTC(2026, 10, 20, 23, 59, 59, 999)));
      expect(late.resetsAt).toBe(Date.UTC(2026, 10, 21));
      expect(await passing(counters, day, Date.UTC(2026, 10, 21))).toBe(3);
    });

    it.each([
      ['into the window before', T - 1, 2 * MINUTE],
      ['by five hours', T - 5 * 3_600_000 + 7, MINUTE],
      ['by a year', T - 365 * DAY, MINUTE],
    ])('keep their counts when the clock is set back %s, for a window more at most', async (_what, back, atMost) => {
      const counters = await open();
      expect(await passing(counters, use(), T)).toBe(3);
      const { resetsAt = 0 } = refusal(await counters.reserve([use()], back));
      expect(resetsAt - back).toBeGreaterThan(0);
      expect(resetsAt - back).toBeLessThanOrEqual(atMost);
      expect((await counters.reserve([use()], resetsAt - 1)).granted).toBe(false);
      expect(await passing(counters, use(), resetsAt)).toBe(3);
    });

    it('do not open twice when the clock goes back and forth over the edge', async () => {
      const counters = await open();
      let passed = await passing(counters, use(), T);
      for (const at of [T - 5, T + 1, T - 1, T, T + 10]) passed += await passing(counters, use(), at);
      expect(passed).toBe(3);
    });

    it('of another length are another count', async () => {
      const counters = await open();
      expect(await passing(counters, use(), T)).toBe(3);
      expect(await passing(counters, use({ windowMs: DAY }), T)).toBe(3);
      expect(await passing(counters, use(), T)).toBe(0);
    });
  });

  describe('sliding windows', () => {
    const sliding = use({ sliding: true });

    it('let the next call in when the oldest has left the window', async () => {
      const counters = await open();
      for (const at of [0, 20_000, 40_000]) taken(await counters.reserve([sliding], T + at));
      expect(refusal(await counters.reserve([sliding], T + 59_999)).resetsAt).toBe(T + MINUTE);
      expect(await passing(counters, sliding, T + MINUTE)).toBe(1);
      expect(refusal(await counters.reserve([sliding], T + MINUTE + 1)).resetsAt).toBe(T + 80_000);
    });

    it('say when a larger amount fits', async () => {
      const counters = await open();
      for (const at of [0, 20_000, 40_000]) taken(await counters.reserve([sliding], T + at));
      expect(refusal(await counters.reserve([{ ...sliding, amount: 2 }], T + 41_000)).resetsAt).toBe(T + 80_000);
    });

    it.each([
      ['a little', 30_000, 2 * MINUTE],
      ['by a day', DAY, MINUTE],
    ])('keep their counts when the clock is set back %s', async (_what, by, atMost) => {
      const counters = await open();
      expect(await passing(counters, sliding, T)).toBe(3);
      const { resetsAt = 0 } = refusal(await counters.reserve([sliding], T - by));
      expect(resetsAt - (T - by)).toBeLessThanOrEqual(atMost);
      expect(await passing(counters, sliding, resetsAt)).toBe(3);
    });
  });

  describe('a reservation', () => {
    it('takes all of its uses or none', async () => {
      const counters = await open();
      const wide = use({ key: 'wide', max: 100 });
      const narrow = use({ key: 'narrow', max: 2 });
      expect((await counters.reserve([wide, narrow], T)).granted).toBe(true);
      expect((await counters.reserve([narrow, wide], T)).granted).toBe(true);
      for (let i = 0; i < 10; i++) expect(refusal(await counters.reserve([wide, narrow], T)).use).toBe(narrow);
      expect(await passing(counters, wide, T)).toBe(98);
    });

    it('adds up uses of one count, in whatever order', async () => {
      for (const uses of [
        [use({ max: 10, amount: 2 }), use({ max: 5, amount: 1 })],
        [use({ max: 5, amount: 1 }), use({ max: 10, amount: 2 })],
      ]) {
        const counters = await open();
        taken(await counters.reserve(uses, T));
        expect(refusal(await counters.reserve(uses, T)).use.max).toBe(5);
        expect(await passing(counters, use({ max: 10 }), T)).toBe(7);
      }
    });

    it('is shared by uses that name the same counter', async () => {
      const counters = await open();
      const one = use({ max: 5 });
      const other = use({ max: 5 });
      taken(await counters.reserve([one], T));
      taken(await counters.reserve([other], T));
      expect(await passing(counters, one, T)).toBe(3);
      expect(refusal(await counters.reserve([other], T)).use).toBe(other);
    });

    it('gives back when rolled back, once', async () => {
      const counters = await open();
      const first = taken(await counters.reserve([use()], T));
      expect(await passing(counters, use(), T)).toBe(2);
      first.rollback();
      first.rollback();
      first.commit();
      expect(await passing(counters, use(), T)).toBe(1);
    });

    it('stays taken when a rollback follows the commit', async () => {
      const counters = await open();
      const first = taken(await counters.reserve([use({ max: 1 })], T));
      first.commit();
      first.rollback();
      expect((await counters.reserve([use({ max: 1 })], T)).granted).toBe(false);
    });

    it.each([false, true])('gives nothing back to a later window (sliding: %s)', async (sliding) => {
      const counters = await open();
      const one = use({ sliding });
      const late = taken(await counters.reserve([one], T));
      expect(await passing(counters, one, T + 2 * MINUTE)).toBe(3);
      late.rollback();
      expect((await counters.reserve([one], T + 2 * MINUTE)).granted).toBe(false);
    });

    it('of no uses is always granted', async () => {
      taken(await (await open()).reserve([])).rollback();
    });

    it('of nothing passes a limit that is just used up', async () => {
      const counters = await open();
      expect(await passing(counters, use(), T)).toBe(3);
      expect((await counters.reserve([use({ amount: 0 })], T)).granted).toBe(true);
      expect((await counters.reserve([use({ amount: 0, max: 2 })], T)).granted).toBe(false);
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
      const refused = refusal(await counters.reserve([use(over)], T));
      expect(refused).toMatchObject({ why: 'too-much', resetsAt: undefined, retryAfterMs: undefined });
      expect(await passing(counters, use(), T)).toBe(3);
    });

    it('is refused with the limit that holds longest', async () => {
      const counters = await open();
      const minute = use({ key: 'm', max: 1 });
      const day = use({ key: 'd', max: 1, windowMs: DAY });
      taken(await counters.reserve([minute, day], T));
      expect(refusal(await counters.reserve([minute, day], T)).use).toBe(day);
      expect(refusal(await counters.reserve([day, minute], T)).use).toBe(day);
    });
  });

  describe('the number of counts', () => {
    it('is bounded: those that are over go first, then calls are denied', async () => {
      const log = recorder();
      const counters = await open({ log, maxCounters: 10 });
      const of = (i: number, over = {}): ReturnType<typeof use> => use({ key: `k${i}`, ...over });
      for (let i = 0; i < 9; i++) taken(await counters.reserve([of(i)], T));
      taken(await counters.reserve([of(9, { windowMs: DAY })], T));
      const full = refusal(await counters.reserve([of(10)], T + 1_500));
      expect(full).toMatchObject({ why: 'full', resetsAt: T + MINUTE });
      expect((await counters.reserve([of(11)], T + 1_600)).granted).toBe(false);
      expect((await counters.reserve([of(3)], T + 1_700)).granted).toBe(true);
      expect((await counters.reserve([of(11)], T + 1_800)).granted).toBe(false);
      expect(log.warnings).toHaveLength(1);
      expect(refusal(await counters.reserve([of(10), of(11), of(9, { windowMs: DAY, max: 1 })], T + MINUTE)).why).toBe(
        'reached',
      );
      for (let i = 10; i < 19; i++) expect((await counters.reserve([of(i)], T + MINUTE)).granted).toBe(true);
      expect((await counters.reserve([of(20)], T + MINUTE)).granted).toBe(false);
    });
  });

  describe('reading counters', () => {
    it('says what a reservation would find, and takes nothing', async () => {
      const counters = await open();
      const one = use();
      expect(await counters.read([one], T + 30_000)).toEqual({
        refusal: undefined,
        counts: [{ use: one, used: 0, endsAt: undefined }],
      });
      for (let calls = 1; calls <= 3; calls++) {
        for (let reads = 0; reads < 5; reads++)
          expect((await counters.read([one], T + 30_000)).refusal).toBeUndefined();
        expect((await counters.reserve([one], T + 30_000)).granted).toBe(true);
        const { counts } = await counters.read([one], T + 30_000);
        expect(counts).toEqual([{ use: one, used: calls, endsAt: T + MINUTE }]);
      }
      const refused = await counters.reserve([one], T + 30_000);
      expect((await counters.read([one], T + 30_000)).refusal).toEqual(refused);
      expect(await counters.read([one], T + MINUTE)).toMatchObject({ refusal: undefined, counts: [{ used: 0 }] });
    });

    it('tells of a call that alone is too much', async () => {
      const counters = await open();
      expect((await counters.read([use({ amount: 4 })], T)).refusal).toMatchObject({ why: 'too-much' });
    });
  });

  it('a principal that opens sessions without end runs out of counters before any other does', async () => {
    const counters = await open({ maxCounters: 20 });
    const now = 10 * MINUTE;
    const take = async (key: string, more: Partial<CounterUse> = {}, at = now) =>
      (await counters.reserve([use({ key, ...more })], at)).granted;
    const session = (i: number, sessionOf = 'loud') => take(`${sessionOf}-${i}`, { sessionOf });
    for (let i = 0; i < 10; i++) expect(await session(i)).toBe(true);
    expect(await session(10)).toBe(false);
    // One that has its counter goes on; others have theirs, of sessions and of anything else.
    expect(await session(0)).toBe(true);
    for (let i = 0; i < 5; i++) expect(await session(i, 'quiet')).toBe(true);
    for (let i = 0; i < 5; i++) expect(await take(`grant-${i}`)).toBe(true);
    // All places are taken: others get as many more as the loud one holds.
    for (let i = 5; i < 9; i++) expect(await session(i, 'quiet')).toBe(true);
    expect(await session(9, 'quiet')).toBe(false);
    for (let i = 5; i < 11; i++) expect(await take(`grant-${i}`)).toBe(true);
    expect(await take('grant-11')).toBe(false);
    // When its windows are over there is room again, as often as that happens.
    for (const later of [now + MINUTE, now + 2 * MINUTE]) {
      for (let i = 0; i < 10; i++) expect(await take(`loud-new-${i}`, { sessionOf: 'loud' }, later)).toBe(true);
      expect(await take('loud-more', { sessionOf: 'loud' }, later)).toBe(false);
    }
  });

  describe('whatever is reserved', () => {
    it('agrees with paper, also when it is committed and rolled back', async () => {
      const counters = await open();
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
          run++;
          const paper = new Paper();
          const reserved: { reservation: Reservation; settled: boolean }[] = [];
          let now = 1_700_000_000_000;
          for (const each of steps) {
            if ('wait' in each) {
              now += each.wait;
              const uses = each.uses.map(({ key, amount }) => use({ key: `${run} ${key}`, amount, max: MAX }));
              const result = await counters.reserve(uses, now);
              expect(result.granted).toBe(paper.reserve(uses, now));
              if (result.granted) reserved.push({ reservation: result, settled: false });
            } else if (reserved.length > 0) {
              const index = each.settle % reserved.length;
              const one = reserved[index];
              if (one === undefined) continue;
              one.reservation[each.how]();
              if (each.how === 'rollback' && !one.settled) paper.rollback(index);
              one.settled = true;
            }
          }
        }),
        { numRuns: 200 },
      );
    });

    it('never exceeds max under 10,000 reservations at the same time', async () => {
      const counters = await open();
      const now = 1_700_000_000_000;
      const one = use({ max: 250 });
      const other = use({ key: 'other', max: 400, sliding: true });
      const inUse = { one: 0, other: 0 };
      const seen = { most: 0, granted: 0, refused: 0, committed: 0 };
      let seed = 42;
      const random = (): number => {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
        return seed / 2 ** 32;
      };
      await Promise.all(
        Array.from({ length: 10_000 }, async () => {
          for (let i = random() * 20; i > 0; i--) await undefined;
          const both = random() < 0.5;
          const result = await counters.reserve(both ? [one, other] : [one], now);
          if (!result.granted) {
            seen.refused++;
            return;
          }
          seen.granted++;
          inUse.one++;
          if (both) inUse.other++;
          seen.most = Math.max(seen.most, inUse.one);
          for (let i = random() * 20; i > 0; i--) await undefined;
          if (random() < 0.02) {
            result.commit();
            seen.committed++;
            return;
          }
          result.rollback();
          inUse.one--;
          if (both) inUse.other--;
        }),
      );
      expect(seen.most).toBe(250);
      expect(seen.granted + seen.refused).toBe(10_000);
      expect(seen.refused).toBeGreaterThan(0);
      expect(inUse.one).toBe(seen.committed);
      for (let left = 250 - inUse.one; left > 0; left--) taken(await counters.reserve([one], now));
      expect((await counters.reserve([one], now)).granted).toBe(false);
    });

    it('of a sliding window is never more than max in any window, and is refused a sixtieth too long at most', async () => {
      const times = fc.array(fc.oneof(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 0, max: 40_000 })), {
        minLength: 1,
        maxLength: 300,
      });
      const counters = await open();
      let run = 0;
      await fc.assert(
        fc.asyncProperty(times, fc.integer({ min: 1, max: 12 }), async (waits, max) => {
          const key = `run ${run++}`;
          const admitted: number[] = [];
          let now = 1_700_000_000_000;
          for (const wait of waits) {
            now += wait;
            const within = (windowMs: number): number => admitted.filter((at) => at > now - windowMs).length;
            const { granted } = await counters.reserve([use({ key, max, sliding: true })], now);
            if (granted) expect(within(MINUTE)).toBeLessThan(max);
            else expect(within(MINUTE + MINUTE / 60)).toBeGreaterThanOrEqual(max);
            if (granted) admitted.push(now);
          }
        }),
        { numRuns: 150 },
      );
    });
  });
}
