import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Shares } from './shares.ts';

describe('shares of places', () => {
  it('are refused beyond what one principal may hold, and free again when given back', () => {
    const shares = new Shares(10, 5);
    for (let i = 0; i < 5; i++) expect(shares.tryTake('greedy')).toBe(true);
    expect(shares.tryTake('greedy')).toBe(false);
    shares.give('greedy');
    expect(shares.tryTake('greedy')).toBe(true);
    expect(shares.heldBy('greedy')).toBe(5);
  });

  it('are had by nine others as if a greedy principal held none', () => {
    const shares = new Shares(100, 50);
    for (let i = 0; i < 1_000; i++) shares.tryTake('greedy');
    for (let round = 0; round < 10; round++) {
      for (let other = 0; other < 9; other++) expect(shares.tryTake(`other ${other}`)).toBe(true);
    }
    expect(shares.taken).toBe(140);
  });

  it('of a single principal end at the number of places', () => {
    const shares = new Shares(3, 3);
    expect([1, 2, 3, 4].map(() => shares.tryTake('one'))).toEqual([true, true, true, false]);
    expect(shares.isFull).toBe(true);
  });

  it('of two greedy principals leave a third one places', () => {
    const shares = new Shares(10, 5);
    for (let i = 0; i < 5; i++) for (const principal of ['a', 'b']) shares.tryTake(principal);
    expect([1, 2, 3, 4, 5].map(() => shares.tryTake('third'))).toEqual([true, true, true, true, false]);
  });

  it('stay within their bounds, and refuse nobody below a tenth of the places for what one other holds', () => {
    const step = fc.record({
      principal: fc.constantFrom('a', 'b', 'c', 'd'),
      places: fc.integer({ min: 1, max: 4 }),
      gives: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const shares = new Shares(20, 10);
        const held = new Map<string, number>();
        for (const { principal, places, gives } of steps) {
          const own = held.get(principal) ?? 0;
          if (gives) {
            const given = Math.min(own, places);
            shares.give(principal, given);
            held.set(principal, own - given);
            continue;
          }
          const others = [...held].filter(([name]) => name !== principal).map(([, each]) => each);
          const admitted = shares.tryTake(principal, places);
          if (admitted) held.set(principal, own + places);
          // Without the one with most there would have been room.
          const most = Math.max(0, ...others);
          const sum = own + others.reduce((all, each) => all + each, 0);
          if (sum - most + places <= 20 && own + places < most) expect(admitted).toBe(true);
          expect(held.get(principal) ?? 0).toBeLessThanOrEqual(10);
          expect(shares.taken).toBeLessThanOrEqual(30);
          expect(shares.taken).toBe([...held.values()].reduce((all, each) => all + each, 0));
        }
      }),
    );
  });
});
