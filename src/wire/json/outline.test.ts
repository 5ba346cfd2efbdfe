import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joined, type Pieces, sliceOf, textOf } from '../pieces.ts';
import { outline } from './outline.ts';
import { JsonScanError, MAX_DEPTH } from './scan.ts';

/** The same bytes in several chunks. */
function chunksOf(bytes: Buffer, cuts: readonly number[]): Pieces {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, i) => bytes.subarray(start, at[i] ?? bytes.length));
}

const key = fc.oneof(
  fc.string(),
  fc.constantFrom('uri', '_meta', 'resultType', 'isError', 'ttlMs', 'cacheScope', 'content', '1', '__proto__', 'a"b\\'),
);
const value = fc.oneof(fc.jsonValue(), fc.string({ maxLength: 700 }), fc.constantFrom('complete', true, 1e300, '\\"'));
const result = fc.dictionary(key, value, { noNullPrototype: true });
const cuts = fc.array(fc.nat(), { maxLength: 8 });

describe('the outline of a message', () => {
  it.each([MAX_DEPTH - 2, MAX_DEPTH, 100_000])('is found around a result of %d levels', (levels) => {
    const text = `{"id":7,"result":{"a":${'[{"b":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}}}`;
    const whole = Buffer.from(text);
    const third = Math.floor(text.length / 3);
    for (const pieces of [[whole], [whole.subarray(0, third), whole.subarray(third)]]) {
      const found = outline(pieces);
      expect(found).toMatchObject({
        id: 7,
        result: { start: 17, end: text.length - 1 },
        deep: levels >= MAX_DEPTH - 1,
      });
    }
    expect(() => outline(Buffer.from(text.replace('1}', '1]')))).toThrow(JsonScanError);
    expect(outline(Buffer.from('{"id":1,"result":{}}')).deep).toBe(false);
  });

  it('agrees with JSON.parse on id, method, result and error, duplicates and escaped keys included', () => {
    const texts = [
      '{"jsonrpc":"2.0","id":1,"result":{"a":[1,2]}}',
      '{"result":{},"id":"x","jsonrpc":"2.0"}',
      '{"id":1,"result":1,"id":2}',
      '{"\\u0069d":7,"id2":8,"resul\\u0074":{"b":1}}',
      ' {"method":"a\\/b","params":{"id":3}} \n',
      '{"id":null,"error":{"code":-1,"message":"}"}}',
    ];
    for (const text of texts) {
      const bytes = Buffer.from(text);
      for (const pieces of [[bytes], [...bytes].map((byte) => Buffer.from([byte]))]) {
        const parsed = JSON.parse(text);
        const found = outline(pieces);
        expect(found.id).toEqual(parsed.id);
        expect(found.method).toEqual(parsed.method);
        const valueAt = (span?: { start: number; end: number }) =>
          span && JSON.parse(textOf(pieces, span.start, span.end));
        expect(valueAt(found.result)).toEqual(parsed.result);
        expect(valueAt(found.error)).toEqual(parsed.error);
      }
    }
  });

  it.each([
    '',
    '[]',
    '"x"',
    '<html>',
    '{"id":1,"result":{"a":1}',
    '{"id":1}{"id":2}',
    '{"id":1} x',
    '{"id":tru',
    '{"id":1',
  ])('refuses %j', (text) => {
    expect(() => outline(Buffer.from(text))).toThrow(JsonScanError);
    expect(() => outline([...Buffer.from(text)].map((byte) => Buffer.from([byte])))).toThrow(JsonScanError);
  });

  it('finds a result’s type, and no type in what only mentions it', () => {
    const type = (text: string) => outline(Buffer.from(`{"id":1,"result":${text}}`)).members?.type;
    expect(type('{"resultType":"input_required","x":1}')).toBe('input_required');
    expect(type('{"x":1,"result\\u0054ype":"task"}')).toBe('task');
    expect(type('{"text":"\\"resultType\\":\\"x\\"","n":{"resultType":"y"}}')).toBeUndefined();
  });

  it('notes what any result holds, in whatever chunks it comes', () => {
    fc.assert(
      fc.property(result, fc.nat(2), cuts, (members, indent, at) => {
        const bytes = Buffer.from(JSON.stringify({ id: 7, result: members, jsonrpc: '2.0' }, null, indent));
        const pieces = chunksOf(bytes, at);
        const found = outline(pieces);
        expect(found.id).toBe(7);
        const span = found.result as { start: number; end: number };
        const raw = joined(sliceOf(pieces, span.start, span.end)).toString();
        const parsed = JSON.parse(raw);
        expect(parsed).toEqual(JSON.parse(JSON.stringify(members)));
        const about = found.members as NonNullable<typeof found.members>;
        const has = (name: string): boolean => Object.hasOwn(parsed, name);
        expect(about.hasMeta).toBe(has('_meta'));
        expect(about.hasTtlMs).toBe(has('ttlMs'));
        expect(about.hasCacheScope).toBe(has('cacheScope'));
        expect(about.isError).toBe(has('isError') && parsed.isError === true);
        expect(about.isEmpty).toBe(Object.keys(parsed).length === 0);
        expect(about.type).toBe(typeof parsed.resultType === 'string' ? parsed.resultType : undefined);
        if (/"uri"\s*:/.test(raw)) expect(about.hasUri).toBe(true);
        const { resultType: _, ...rest } = parsed;
        const without = about.hasType ? raw.length : 0;
        const all = Buffer.from(raw);
        const cut = Buffer.concat([all.subarray(0, about.cutStart), all.subarray(about.cutEnd)]).toString();
        if (without > 0) expect(JSON.parse(cut)).toEqual(rest);
        const tail = all.subarray(about.first).toString();
        expect(JSON.parse(`{${tail}`)).toEqual(parsed);
      }),
    );
  });

  // A chunk used to begin the check of short strings anew: a control character far into a long string was refused there.
  it('takes or refuses control characters in strings wherever the chunks end', () => {
    for (const length of [0, 1, 40, 47, 48, 49, 90]) {
      for (const before of ['', '\\\\', '\\"']) {
        const bytes = Buffer.from(`{"id":1,"x":["${before}${'y'.repeat(length)}\u0000${'z'.repeat(60)}"]}`);
        const isTaken = (pieces: Pieces): boolean => {
          try {
            return outline(pieces).id === 1;
          } catch {
            return false;
          }
        };
        const whole = isTaken([bytes]);
        for (let at = 1; at < bytes.length; at++) expect(isTaken(chunksOf(bytes, [at])), `${length} ${at}`).toBe(whole);
        expect(isTaken([...bytes].map((byte) => Buffer.from([byte])))).toBe(whole);
      }
    }
  });

  it('refuses in chunks what it refuses in one piece', () => {
    const put = fc.constantFrom('', ',', ':', ']', '}', '{', '[', '0', '-', 'x', '.', '"', '\\', 'e', ' ');
    fc.assert(
      fc.property(result, fc.nat(), put, cuts, (members, at, inserted, chunks) => {
        const text = JSON.stringify({ id: 1, result: members });
        const i = at % (text.length + 1);
        const bytes = Buffer.from(text.slice(0, i) + inserted + text.slice(i + 1));
        const outcome = (pieces: Pieces): unknown => {
          try {
            return outline(pieces);
          } catch (error) {
            // Ids that only a parser finds malformed.
            expect(error instanceof JsonScanError || error instanceof SyntaxError).toBe(true);
            return 'refused';
          }
        };
        expect(outcome(chunksOf(bytes, chunks))).toEqual(outcome([bytes]));
      }),
    );
  });
});
