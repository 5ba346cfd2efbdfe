import { expect, test } from 'vitest';
import { canonicalDigest } from './digest.ts';

test('the order of members does not matter, at any depth', () => {
  expect(canonicalDigest({ a: [{ c: 1, b: 2 }], d: null })).toBe(canonicalDigest({ d: null, a: [{ b: 2, c: 1 }] }));
});

test('an object is not the list of its pairs, and a text is not a number', () => {
  expect(canonicalDigest({ a: 1 })).not.toBe(canonicalDigest([['a', 1]]));
  expect(canonicalDigest({ a: 1 })).not.toBe(canonicalDigest({ a: '1' }));
  expect(canonicalDigest({ a: 1 })).not.toBe(canonicalDigest({ a: 1, b: null }));
  expect(canonicalDigest(JSON.parse('{"__proto__":1}'))).not.toBe(canonicalDigest({}));
});

test('what is nested deeper than a stack is hashed like anything else', () => {
  const deep = (leaf: number): unknown => JSON.parse(`${'['.repeat(50_000)}${leaf}${']'.repeat(50_000)}`);
  expect(canonicalDigest(deep(1))).toBe(canonicalDigest(deep(1)));
  expect(canonicalDigest(deep(1))).not.toBe(canonicalDigest(deep(2)));
});
