import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseText } from './parse.ts';
import { MAX_DEPTH } from './scan.ts';
import { keepSource, requireUniqueKeys } from './source.ts';

/** The key with each unit written as an escape where `escaped` says so. */
const spelled = (key: string, escaped: (at: number) => boolean): string =>
  `"${Array.from({ length: key.length }, (_, at) =>
    escaped(at) || /["\\\u0000-\u001f]/.test(key[at] as string)
      ? `\\u${key.charCodeAt(at).toString(16).padStart(4, '0')}`
      : key[at],
  ).join('')}"`;

describe('the name of a member whose key has escapes', () => {
  // JSON.parse of V8 13.6 makes `pat\` of "pat\u0068" once it has seen objects with that member.
  it('is what the key decodes to, whatever names were parsed before', () => {
    for (const name of ['pat\\', 'pat\\\\', 'pa\\', 'pa\\u', '\\']) {
      const same = JSON.stringify({ x: 1, [name]: 1 });
      for (let i = 0; i < 3; i++) parseText(same);
      for (const key of ['"pat\\u0068"', '"pa\\u0074h"', '"\\u0070\\u0061th"', '"\\u0070"', '"pat\\""', '"pat\\n"']) {
        const decoded = JSON.parse(key) as string;
        expect(parseText(`{"x":1,${key}:"/etc"}`)).toEqual({ x: 1, [decoded]: '/etc' });
        expect(parseText(`{"a":{"x":1, ${key} : "/etc"}}`)).toEqual({ a: { x: 1, [decoded]: '/etc' } });
        const after = `{"say":"\\"a\\": \\\\","x":1,${key}:"/etc"}`;
        expect(parseText(after)).toEqual({ say: '"a": \\', x: 1, [decoded]: '/etc' });
      }
    }
  });

  it('repeats another one that is spelled without them', () => {
    parseText(JSON.stringify({ params: { arguments: { path: 1, 'pat\\': 1 } } }));
    const text = '{"params":{"arguments":{"path":"/tmp","pat\\u0068":"/etc"}}}';
    const parsed = parseText(text) as { params: Record<string, unknown> };
    keepSource(parsed, text);
    expect(() => requireUniqueKeys(parsed.params, () => true)).toThrow('names the member "path" twice');
  });
});

it('text with escaped keys is read as JSON.parse reads the same value without them', () => {
  const value = fc.jsonValue({ noUnicodeString: false });
  fc.assert(
    fc.property(value, fc.array(fc.boolean(), { minLength: 1 }), (sent, escapes) => {
      let at = 0;
      const text = JSON.stringify(sent).replaceAll(/"(?:[^"\\]|\\.)*"(?=:)/g, (key) =>
        spelled(JSON.parse(key) as string, () => escapes[at++ % escapes.length] as boolean),
      );
      expect(JSON.stringify(parseText(text))).toBe(JSON.stringify(parseText(JSON.stringify(sent))));
    }),
    { numRuns: 500 },
  );
});

it('a member called __proto__ is one like any other, escaped or not', () => {
  for (const key of ['"__proto__"', '"__prot\\u006f__"']) {
    const parsed = parseText(`{${key}:{"a":1},"\\u0062":[ ] ,"c":{ }}`) as object;
    expect(Object.keys(parsed)).toEqual(['__proto__', 'b', 'c']);
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
  }
});

it('text with escaped keys that is malformed, or nests too deep, is refused', () => {
  for (const text of ['{"\\u0061":1', '{"\\u0061":1}}', '{"\\u0061":01}', '{"\\ud8":1}'])
    expect(() => parseText(text)).toThrow(SyntaxError);
  const deep = `{"\\u0061":${'['.repeat(MAX_DEPTH)}${']'.repeat(MAX_DEPTH)}}`;
  expect(() => parseText(deep)).toThrow('nesting deeper');
});
