/**
 * Inputs that are bytes: their text stands for them in Latin-1, so that any byte can be written in a corpus file.
 * @module
 */
import fc from 'fast-check';
import type { Pieces } from '../../../src/wire/pieces.ts';
import type { Input } from '../fuzzer.ts';

export const bytesOf = ({ text }: Input): Buffer => Buffer.from(text, 'latin1');

/** The text whose UTF-8 bytes the input is made of. */
export const inUtf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** The same bytes in chunks. Every chunk is a copy: nothing reads beyond its end unseen. */
export function chunksOf(bytes: Buffer, cuts: readonly number[]): Pieces {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, i) => Buffer.from(bytes.subarray(start, at[i] ?? bytes.length)));
}

export const picks = fc.array(fc.nat({ max: 4_096 }), { maxLength: 6 });

/** JSON as parsers meet it: any value, white space, escapes, numbers of any length, and what is almost JSON. */
const space = fc.constantFrom('', '', '', ' ', '\n', '\r\n\t');
const NUMBERS = [
  '0',
  '-0',
  '1.0',
  '1e5',
  '1E+2',
  '9007199254740993',
  '1e400',
  '-1e-400',
  '0.10',
  '01',
  '1.',
  '-',
  '+1',
];
const STRINGS = [
  '""',
  '"a"',
  '"\\u0061"',
  '"\\\\"',
  '"\\""',
  '"\\ud800"',
  '"é"',
  '"\\x"',
  '"\n"',
  `"${'x'.repeat(60)}"`,
];
const KEYS = [
  'id',
  'method',
  'params',
  'result',
  'error',
  'name',
  'arguments',
  '_meta',
  'uri',
  'resultType',
  'isError',
];
const MORE_KEYS = ['structuredContent', 'ttlMs', '\\u0069d', '__proto__', 'pat\\u0068', '1', '', 'inputResponses'];

export const JSON_WORDS: readonly string[] = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '\\"',
    '\\\\',
    '{}',
    '[]',
    'true',
    'null',
    'tru',
    ' ',
    '\n',
    '\0',
    '\x7f',
  ],
  ...NUMBERS,
  ...STRINGS.map(inUtf8),
  ...[...KEYS, ...MORE_KEYS].map((key) => `"${key}":`),
  ...['\xc3', '\xa9', '\xff', '\xef\xbb\xbf', '{"id":1,"result":{', '}}'],
];

const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('true', 'false', 'null', ...NUMBERS.slice(0, 9), ...STRINGS.slice(0, 7).map(inUtf8)),
    fc.jsonValue().map((value) => inUtf8(JSON.stringify(value))),
    fc
      .tuple(fc.array(tie('json'), { maxLength: 4 }), space)
      .map(([items, gap]) => `[${gap}${items.join(`${gap},`)}${gap}]`),
    fc
      .tuple(fc.array(fc.tuple(fc.constantFrom(...KEYS, ...MORE_KEYS), tie('json')), { maxLength: 5 }), space)
      .map(([members, gap]) => `{${members.map(([key, value]) => `"${key}"${gap}:${value}${gap}`).join(`,${gap}`)}}`),
  ),
}));

/** A message whose members are any JSON. */
const message = fc
  .array(fc.tuple(fc.constantFrom(...KEYS, ...MORE_KEYS), json), { maxLength: 6 })
  .map((members) => `{${members.map(([key, value]) => `"${key}":${value}`).join(',')}}`);

export const jsonInput: fc.Arbitrary<Input> = fc.record({
  text: fc.oneof(
    json,
    message,
    fc.array(fc.constantFrom(...JSON_WORDS), { maxLength: 12 }).map((words) => words.join('')),
  ),
  picks,
});

/** The outcome of something that may throw: its value, or the error's class and message without places. */
export function outcomeOf<T>(run: () => T): { value: T } | { refused: string } {
  try {
    return { value: run() };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // `JSON.parse` quotes the text.
    const message = error instanceof SyntaxError ? '' : error.message.replace(/\d+/g, '#');
    return { refused: `${error.name}: ${message}` };
  }
}
