import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LimitUse } from '../types.ts';
import type { Reservation } from './counters.ts';
import { openCounters } from './open.ts';
import { MINUTE, recorder, taken, use } from './testing/uses.ts';

/** Counts as one would on paper: a list of everything that was taken and not given back. */
class Paper {
  readonly #lines: { key: string; window: number; amount: number }[][] = [];

  count(key: string, window: number): number {
    const lines = this.#lines.flat().filter((line) => line.key === key && line.window === window);
    return lines.reduce((sum, { amount }) => sum + amount, 0);
  }

  reserve(uses: readonly LimitUse[], now: number): boolean {
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

describe('counters', () => {
  it('agree with paper, whatever is reserved, committed and rolled back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const counters = await openCounters({ log: recorder() });
        const paper = new Paper();
        const open: { reservation: Reservation; settled: boolean }[] = [];
        let now = 1_700_000_000_000;
        for (const each of steps) {
          if ('wait' in each) {
            now += each.wait;
            const uses = each.uses.map((part) => use({ ...part, max: MAX }));
            const result = counters.reserve(uses, now);
            expect(result.granted).toBe(paper.reserve(uses, now));
            if (result.granted) open.push({ reservation: result, settled: false });
          } else if (open.length > 0) {
            const index = each.settle % open.length;
            const one = open[index];
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

  it('never exceed max under 10,000 reservations at the same time', async () => {
    const counters = await openCounters({ log: recorder() });
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
        const result = counters.reserve(both ? [one, other] : [one], now);
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
    for (let left = 250 - inUse.one; left > 0; left--) taken(counters.reserve([one], now));
    expect(counters.reserve([one], now).granted).toBe(false);
  });

  it('of sliding windows admit never more than max in any window, and refuse a sixtieth too long at most', async () => {
    const times = fc.array(fc.oneof(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 0, max: 40_000 })), {
      minLength: 1,
      maxLength: 300,
    });
    await fc.assert(
      fc.asyncProperty(times, fc.integer({ min: 1, max: 12 }), async (waits, max) => {
        const counters = await openCounters({ log: recorder() });
        const admitted: number[] = [];
        let now = 1_700_000_000_000;
        for (const wait of waits) {
          now += wait;
          const within = (windowMs: number): number => admitted.filter((at) => at > now - windowMs).length;
          const { granted } = counters.reserve([use({ max, sliding: true })], now);
          if (granted) expect(within(MINUTE)).toBeLessThan(max);
          else expect(within(MINUTE + MINUTE / 60)).toBeGreaterThanOrEqual(max);
          if (granted) admitted.push(now);
        }
      }),
      { numRuns: 150 },
    );
  });
});
