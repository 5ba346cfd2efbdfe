import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonSyntaxError, parseJsonc } from './jsonc.ts';

function syntaxError(text: string): JsonSyntaxError {
  try {
    parseJsonc(text);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return error;
  }
  throw new Error('it parsed');
}

describe('parseJsonc', () => {
  it('reads every JSON text as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseJsonc(text).value).toEqual(JSON.parse(text));
      }),
    );
  });

  it('accepts comments, trailing commas and a byte order mark', () => {
    const text = '\ufeff// head\n{\n  "a": [1, 2, /* no three */],\n  "b": "// not a comment", // end\n}\n/* tail */';
    expect(parseJsonc(text).value).toEqual({ a: [1, 2], b: '// not a comment' });
  });

  it('reads escapes and makes __proto__ a plain member', () => {
    const { value } = parseJsonc('{"__proto__": {"x": 1}, "s": "\\u00e4\\n\\"\\\\"}');
    expect(Object.keys(value as object)).toEqual(['__proto__', 's']);
    expect((value as { x?: number }).x).toBeUndefined();
    expect((value as { s: string }).s).toBe('ä\n"\\');
  });

  it('knows where every value stands, and the nearest enclosing one of a path that is not there', () => {
    const document = parseJsonc('{\n  "a": {\n    "b": [1,\n      2]\n  }\n}');
    expect(document.placeOf(['a', 'b'])).toEqual({ line: 3, column: 5 });
    expect(document.placeOf(['a', 'b', 1])).toEqual({ line: 4, column: 7 });
    expect(document.placeOf(['a', 'c', 'd'])).toEqual({ line: 2, column: 3 });
    expect(document.placeOf([])).toEqual({ line: 1, column: 1 });
  });

  it.each([
    ['', 1, 1, 'the file is empty; the least it can hold is {}'],
    ['{"a": 1', 1, 8, 'the end of the file where , or } must be'],
    ['{"a" 1}', 1, 6, '"1" where : must follow the key "a"'],
    ['{\n  a: 1}', 2, 3, '"a" where a key in double quotes or } must be'],
    ["{'a': 1}", 1, 2, 'a single quote (\') instead of a double one (") where a key in double quotes or } must be'],
    ['[1 2]', 1, 4, '"2" where , or ] must be'],
    ['[,]', 1, 2, '"," where a value must be'],
    ['{"a": "b\n"}', 1, 7, 'a string that is not closed on its line'],
    ['["\\x"]', 1, 3, 'a \\ that starts no known escape; write \\\\ for one backslash'],
    ['["\\u12"]', 1, 3, '\\u must be followed by four hexadecimal digits'],
    [String.raw`["\\x\"\x"]`, 1, 8, 'a \\ that starts no known escape; write \\\\ for one backslash'],
    ['[1.]', 1, 2, '"1" where a value must be'],
    ['[tru]', 1, 2, '"t" where a value must be'],
    ['[\u00a01]', 1, 2, '"\u00a0" where a value must be'],
    ['[/ 1]', 1, 2, '"/" where a value must be'],
    ['{} {}', 1, 4, '"{" after the end of the document'],
    ['/* a', 1, 1, 'a comment that is not closed'],
    ['{"a": 1,\n "a": 2}', 2, 2, 'the key "a" a second time; the first is on line 1'],
    [`${'['.repeat(100)}`, 1, 66, 'nested deeper than 64 levels'],
  ])('reports where and why %j is no JSON', (text, line, column, message) => {
    const error = syntaxError(text);
    expect(error.message).toBe(message);
    expect(error.place).toEqual({ line, column });
  });
});
