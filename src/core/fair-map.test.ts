import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FairMap } from './fair-map.ts';

it('takes no entry of a principal with no more than its share, whatever others set, and is full for one alone', () => {
  const sets = fc.array(fc.record({ principal: fc.constantFrom('a', 'b', 'c'), key: fc.nat(40) }), { maxLength: 200 });
  fc.assert(
    fc.property(sets, fc.integer({ min: 3, max: 20 }), (each, max) => {
      const map = new FairMap<string, number>(max);
      /** What each has set, oldest first. */
      const wanted = new Map<string, string[]>();
      each.forEach(({ principal, key }, i) => {
        const name = `${principal}${key}`;
        map.set(name, principal, i);
        wanted.set(principal, [...(wanted.get(principal) ?? []).filter((other) => other !== name), name]);
        expect(map.get(name)).toBe(i);
        expect(map.size).toBeLessThanOrEqual(max);
      });
      const share = wanted.size <= 1 ? max : Math.floor(max / 3);
      for (const names of wanted.values()) {
        for (const name of names.slice(-share)) expect(map.get(name)).toBeDefined();
      }
    }),
  );
});
