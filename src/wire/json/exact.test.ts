import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../jsonrpc.ts';
import { canonicalJson } from './canonical.ts';
import { ExactNumber, withDoubles } from './exact.ts';
import { parseExact } from './parse.ts';
import { keepSource, withExactNumbers } from './source.ts';

const number = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.bigInt({ min: 0n, max: 10n ** 20n }).map(String),
    fc.constantFrom('', '.0', '.5', '.1000000000000000055511151231257827'),
    fc.constantFrom('', 'e5', 'E-7', 'e+300', 'e400', 'e-400'),
  )
  .map((parts) => parts.join(''));
/** JSON text with such numbers in it. */
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    number,
    fc.constantFrom('true', 'null', '"9007199254740993"', '"\\"1e400"', '""'),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => `[ ${items.join(' ,')}]`),
    fc
      .array(fc.tuple(fc.constantFrom('a', 'b\\u0031', '__proto__', '2'), tie('value')), { maxLength: 3 })
      .map((members) => `{${members.map(([key, member]) => `"${key}" :${member}`).join(',')} }`),
  ),
}));

describe('numbers that no double holds', () => {
  it('are kept as they are spelled, and everything else is as JSON.parse has it', () => {
    fc.assert(
      fc.property(value, (text) => {
        const exact = parseExact(text);
        expect(JSON.stringify(withDoubles(exact))).toBe(JSON.stringify(JSON.parse(text)));
        const check = (each: unknown): void => {
          if (each instanceof ExactNumber) {
            expect(text).toContain(each.text);
            const [whole] = each.text.split(/[.e]/i);
            if (/^-?\d+$/.test(each.text)) expect(BigInt(Number(whole))).not.toBe(BigInt(whole as string));
          } else if (typeof each === 'object' && each !== null) Object.values(each).forEach(check);
          else if (typeof each === 'number') expect(Number.isFinite(each)).toBe(true);
        };
        check(exact);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['9007199254740993', true],
    ['9007199254740992', false],
    ['12345678901234567890', true],
    ['12345678901234567000', false],
    ['0.1', false],
    ['0.1000000000000000055511151231257827', true],
    ['1.0', false],
    ['1.00000000000000000000000', false],
    ['1e400', true],
    ['1e308', false],
    ['5e-324', false],
    ['4e-324', true],
    ['1e-400', true],
    ['0e-400', false],
  ])('%s is one of them: %s', (text, isExact) => {
    expect(parseExact(text) instanceof ExactNumber).toBe(isExact);
  });

  it('differ in canonical JSON', () => {
    const of = (text: string) => canonicalJson(parseExact(text));
    expect(of('{"b":[1],"a":9007199254740993}')).toBe('{"a":9007199254740993,"b":[1]}');
    expect(of('9007199254740993')).not.toBe(of('9007199254740992'));
  });
});

describe('params with exact numbers', () => {
  const params = (text: string): JsonObject => {
    const message = JSON.parse(text);
    keepSource(message, text);
    return message.params;
  };

  it('have those of the text they came in', () => {
    const sent = params('{"params":{"name":"9007199254740993","arguments":{"id":[9007199254740993]},"x":1e400,"y":1}}');
    const exact = withExactNumbers(sent);
    expect(canonicalJson(exact)).toBe(
      '{"arguments":{"id":[9007199254740993]},"name":"9007199254740993","x":1e400,"y":1}',
    );
    expect(sent.arguments).toEqual({ id: [9007199254740992] });
  });

  it('are the params themselves where there is none, or no text', () => {
    for (const text of [
      '{"params":{"arguments":{"id":[9007199254740991, 1.0]}}}',
      '{"params":{"a":"9007199254740993"}}',
    ]) {
      const sent = params(text);
      expect(withExactNumbers(sent)).toBe(sent);
    }
    const unread = { arguments: { id: 9007199254740992 } };
    expect(withExactNumbers(unread)).toBe(unread);
  });

  it('have none for a member that was replaced, which is written anew', () => {
    const sent = params('{"params":{"arguments":{"id":9007199254740993},"other":9007199254740993}}');
    expect(canonicalJson(withExactNumbers({ ...sent, arguments: { id: 7 } }))).toBe(
      '{"arguments":{"id":7},"other":9007199254740993}',
    );
  });
});
