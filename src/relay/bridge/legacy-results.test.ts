import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Era } from '../../wire/eras.ts';
import { outline } from '../../wire/json/outline.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { sliceOf } from '../../wire/pieces.ts';
import { RawResult } from '../../wire/raw-result.ts';
import type { CallResult } from '../types.ts';
import type { StructuredForm } from './legacy-results.ts';
import { toEra } from './results.ts';

const SERVER = 'io.modelcontextprotocol/serverInfo';
const text = (result: CallResult): string => ('raw' in result ? result.raw.toString() : JSON.stringify(result.value));

/** The result for a legacy client, from a message that came in two chunks. */
function legacy(result: string, from: Era, structured: StructuredForm, at = 0): string {
  const message = Buffer.from(`{"id":1,"result":${result}}`);
  const cut = at % message.length;
  const pieces = [message.subarray(0, cut), message.subarray(cut)];
  const { result: span, members } = outline(pieces);
  const reply = new RawResult(sliceOf(pieces, span?.start ?? 0, span?.end ?? 0), members);
  return text(toEra(reply, { from, to: 'legacy', shape: 'complete', serverInfo: undefined, structured }));
}

describe('a modern result for a legacy client', () => {
  it.each([
    [`{"content":[1.0],"resultType":"complete","_meta":{"${SERVER}":{"name":"s"}}}`, '{"content":[1.0]}'],
    [`{"_meta":{"${SERVER}":{}},"content":[]}`, '{"content":[]}'],
    [`{"_meta":{"${SERVER}":{}}}`, '{}'],
    [`{"resultType":"complete","_meta":{"${SERVER}":{}},"content":[]}`, '{"content":[]}'],
    [`{"_meta":{"${SERVER}":{}},"resultType":"complete"}`, '{}'],
    [`{"content":[],"_meta":{"${SERVER}":{},"mine":1.0}}`, '{"content":[],"_meta":{"mine":1.0}}'],
    ['{"content":[],"_meta":{"mine":1.0},"resultType":"complete"}', '{"content":[],"_meta":{"mine":1.0}}'],
    ['{"contents":[],"ttlMs":5,"cacheScope":"public"}', '{"contents":[]}'],
    [`{"content":[],"_meta":{"\\u0069o.modelcontextprotocol/serverInfo":{}}}`, '{"content":[]}'],
  ])('%s has nothing that only the modern revision defines', (result, expected) => {
    expect(legacy(result, 'modern', 'values')).toBe(expected);
  });

  it('has the same members, in whatever order and chunks they came, but those', () => {
    const member = fc.constantFrom('content', 'resultType', '_meta', 'ttlMs', 'cacheScope', 'structuredContent', 'x');
    const values = fc.oneof(fc.jsonValue(), fc.constant({ [SERVER]: {} }), fc.constant({ [SERVER]: {}, a: 1 }));
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(member, values), { selector: ([key]) => key }),
        fc.nat(),
        fc.nat(2),
        (members, at, indent) => {
          const result = JSON.stringify(Object.fromEntries(members), null, indent);
          const seen = JSON.parse(legacy(result, 'modern', undefined, at)) as JsonObject;
          const { resultType: _t, ttlMs: _l, cacheScope: _s, ...rest } = JSON.parse(result) as JsonObject;
          const meta = rest._meta;
          if (typeof meta === 'object' && meta !== null && SERVER in meta) {
            delete (meta as JsonObject)[SERVER];
            if (Object.keys(meta).length === 0) delete rest._meta;
          }
          expect(seen).toEqual(rest);
        },
      ),
    );
  });
});

describe('structured content for a legacy client', () => {
  const block = '{"type":"text","text":"x"}';

  it.each<[string, StructuredForm, string, string]>([
    ['an array is wrapped', 'values', '[1.0,2]', '{"result":[1.0,2]}'],
    ['a number is wrapped', 'values', '5', '{"result":5}'],
    ['null is wrapped', 'values', 'null', '{"result":null}'],
    ['an object stays', 'values', '{"a":1.0}', '{"a":1.0}'],
    ['an object is wrapped as its schema is', 'all', '{"a":1.0}', '{"result":{"a":1.0}}'],
  ])('%s', (_what, form, value, expected) => {
    const result = (structured: string): string => `{"content":[${block}],"structuredContent":${structured}}`;
    for (const era of ['modern', 'legacy'] as const) expect(legacy(result(value), era, form)).toBe(result(expected));
    const twice = `{"structuredContent":[0],"content":[${block}],"structuredContent":${value},"resultType":"complete"}`;
    expect(JSON.parse(legacy(twice, 'modern', form))).toEqual(JSON.parse(result(expected)));
  });

  it.each([
    ['{"content":[],"structuredContent":[1]}', '[{"type":"text","text":"[1]"}]'],
    ['{"structuredContent":[1]}', '[{"type":"text","text":"[1]"}]'],
    ['{"content":[{"type":"image"}],"structuredContent":[1]}', '[{"type":"image"},{"type":"text","text":"[1]"}]'],
  ])('%s is repeated as text where the content has none', (result, content) => {
    const seen = JSON.parse(legacy(result, 'modern', 'values')) as JsonObject;
    expect(seen).toEqual({ content: JSON.parse(content), structuredContent: { result: [1] } });
  });

  it('of an adapter without bytes is wrapped too', () => {
    const conversion = { from: 'legacy', to: 'legacy', shape: 'complete', serverInfo: undefined } as const;
    expect(toEra({ value: { structuredContent: 'x' } }, { ...conversion, structured: 'values' })).toEqual({
      value: { structuredContent: { result: 'x' } },
    });
  });
});
