import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpuClock } from '../../core/testing/cpu.ts';
import { canonicalJson, canonicalStart } from './canonical.ts';

describe('canonicalJson', () => {
  it('sorts members at every depth by UTF-16 code units and keeps the order of lists', () => {
    const value = { b: [{ z: 1, a: null }, 'x'], a: { '10': true, '9': false }, '€': 1, '\r': 2, '😀': 3, ﬀ: 4 };
    expect(canonicalJson(value)).toBe(
      '{"\\r":2,"a":{"10":true,"9":false},"b":[{"a":null,"z":1},"x"],"€":1,"😀":3,"ﬀ":4}',
    );
  });

  it('gives one text for one value, in whatever order its members come', () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, inner]) => [key, shuffled(inner)]),
      );
    };
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(shuffled(value))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('leaves out what JSON.stringify leaves out', () => {
    const value = { a: undefined, b: Number.NaN, c: [undefined, () => 1], d: -0, e: () => 1, f: 1e21 };
    expect(canonicalJson(value)).toBe(JSON.stringify(value));
    expect(canonicalJson(undefined)).toBe('null');
    expect(canonicalJson(JSON.parse('{"__proto__":1}'))).toBe('{"__proto__":1}');
  });

  it('does not mind nesting that no recursion survives', () => {
    const text = `${'{"a":['.repeat(100_000)}1${']}'.repeat(100_000)}`;
    expect(canonicalJson(JSON.parse(text))).toBe(text);
  });
});

describe('canonicalStart', () => {
  it('is the whole text where it fits, and its beginning where it does not', () => {
    const value = { b: 'xyz', a: [1, 2] };
    const text = canonicalJson(value);
    expect(canonicalStart(value, text.length)).toEqual({ text, whole: true });
    for (let length = 0; length < text.length; length++) {
      const { text: start, whole } = canonicalStart(value, length);
      expect(whole).toBe(false);
      expect(start).toHaveLength(length);
    }
    expect(canonicalStart(value, 12).text).toBe(text.slice(0, 12));
  });

  it('is bounded in work for long texts and very many members', () => {
    const members = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i]));
    const cpu = cpuClock();
    expect(canonicalStart({ text: 'x'.repeat(10_000_000) }, 1000).text).toHaveLength(1000);
    expect(canonicalStart(members, 1000).whole).toBe(false);
    expect(cpu()).toBeLessThan(1000);
  });
});
