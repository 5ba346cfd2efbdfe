import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outline } from '../../wire/json/outline.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { sliceOf } from '../../wire/pieces.ts';
import { RawResult } from '../../wire/raw-result.ts';
import type { CallResult } from '../types.ts';
import { type EraConversion, type FinalReply, toEra } from './results.ts';
import { exposeContents, exposeLinks } from './uris.ts';

const text = (answer: CallResult): string =>
  'raw' in answer ? (answer.prefix ?? '') + answer.raw.toString() : JSON.stringify(answer.value);
const parse = (answer: CallResult): JsonObject => JSON.parse(text(answer)) as JsonObject;
const cross = (reply: FinalReply, to: EraConversion['to'], shape: EraConversion['shape'], serverInfo?: JsonObject) =>
  toEra(reply, { from: to === 'modern' ? 'legacy' : 'modern', to, shape, serverInfo });
const info = { name: 'up', version: '1' };
/** Any JSON object, spelled with any white space, with keys that look like the ones the bridge looks for. */
const key = fc.oneof(
  fc.string(),
  fc.constantFrom('content', 'resultType ', 'x"resultType"', '_meta ', 'ttl', '1', '0'),
);
const object = fc.dictionary(key, fc.jsonValue(), { noNullPrototype: true });
const spaced = (value: JsonObject, indent: number): Buffer => Buffer.from(JSON.stringify(value, null, indent));

describe('a result converted between eras', () => {
  it('keeps every member of any legacy result for a modern client, and says it is complete', () => {
    fc.assert(
      fc.property(object, fc.nat(3), fc.constantFrom('complete', 'cacheable'), (value, indent, shape) => {
        const result = parse(cross({ raw: spaced(value, indent) }, 'modern', shape as 'complete', undefined));
        const { resultType, ttlMs, cacheScope, ...rest } = result;
        expect(resultType).toBe('complete');
        if (shape === 'cacheable') expect([ttlMs, cacheScope]).toEqual([0, 'private']);
        expect(rest).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('is not copied together for a modern client (every large result of a legacy server was, for want of care)', () => {
    const body = Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a long text"}]}}');
    const chunks = [body.subarray(0, 50), body.subarray(50)];
    const { members, result } = outline(chunks);
    if (!members || !result) throw new Error('the reply has a result');
    class Watched extends RawResult {
      override get raw(): Buffer {
        throw new Error('the pieces were copied together');
      }
    }
    const reply = new Watched(sliceOf(chunks, result.start, result.end), members);
    expect(parse(cross(reply, 'modern', 'complete', info))).toMatchObject({ resultType: 'complete', _meta: {} });
  });

  it('is the same whether it was scanned with its message, in whatever chunks, or by itself', () => {
    const member = fc.constantFrom('content', 'a', '1', 'meta', 'resultType', '_meta', 'ttlMs', 'cacheScope');
    const members = fc.dictionary(member, fc.jsonValue(), { noNullPrototype: true });
    const shapes = fc.constantFrom<EraConversion['shape']>('complete', 'cacheable');
    const eras = fc.constantFrom<EraConversion['to']>('modern', 'legacy');
    fc.assert(
      fc.property(members, fc.nat(2), fc.nat(), shapes, eras, eras, (value, indent, at, shape, from, to) => {
        const message = Buffer.from(`{"id":1,"result":${JSON.stringify(value, null, indent)}}`);
        const cut = at % message.length;
        const pieces = [message.subarray(0, cut), message.subarray(cut)];
        const { result, members } = outline(pieces);
        const reply = new RawResult(sliceOf(pieces, result?.start ?? 0, result?.end ?? 0), members);
        const before = reply.raw.toString();
        const conversion: EraConversion = { from, to, shape, serverInfo: info };
        expect(text(toEra(reply, conversion))).toBe(text(toEra({ raw: Buffer.from(before) }, conversion)));
        expect(message.toString()).toBe(`{"id":1,"result":${before}}`);
      }),
    );
  });

  it('copies and changes no byte where the type is cut out of the middle', () => {
    const message = Buffer.from('{"id":1,"result":{"content":[1.0],"resultType":"complete","_meta":{"a":1e2}}}');
    const before = message.toString();
    const { result, members } = outline(message);
    const reply = new RawResult([message.subarray(result?.start, result?.end)], members);
    const answer = cross(reply, 'legacy', 'complete', info) as RawResult;
    expect(answer.pieces.map((piece) => [piece.toString(), piece.buffer === message.buffer])).toEqual([
      ['{"content":[1.0]', true],
      [',"_meta":{"a":1e2}}', true],
    ]);
    expect(message.toString()).toBe(before);
  });

  it('keeps every member of any modern result for a legacy client, but the type', () => {
    fc.assert(
      fc.property(object, fc.nat(3), fc.boolean(), (value, indent, first) => {
        const type = { resultType: 'complete' };
        const raw = spaced(first ? { ...type, ...value } : { ...value, ...type }, indent);
        expect(parse(cross({ raw }, 'legacy', 'complete', info))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('returns the very same buffer when the era is the same and nothing is missing', () => {
    const modern = Buffer.from('{"content":[],"resultType":"complete"}');
    const legacy = Buffer.from('{"content":[{"type":"text","text":"hello"}]}');
    const same = (raw: Buffer, era: EraConversion['to']) =>
      toEra({ raw }, { from: era, to: era, shape: 'complete', serverInfo: info }) as { raw: Buffer };
    expect(same(modern, 'modern').raw).toBe(modern);
    expect(same(legacy, 'legacy').raw).toBe(legacy);
  });

  it('does not take content that mentions the type for the type', () => {
    const raw = Buffer.from(
      '{"content":[{"type":"text","text":"\\"resultType\\""}],"structuredContent":{"resultType":"x"}}',
    );
    expect(parse(cross({ raw }, 'modern', 'complete', undefined)).resultType).toBe('complete');
    expect(parse(cross({ raw }, 'legacy', 'complete', undefined))).toEqual(JSON.parse(raw.toString()));
  });

  it('keeps the freshness and identity that the upstream states', () => {
    const raw = Buffer.from('{"contents":[],"ttlMs":5,"cacheScope":"public","_meta":{"a":1}}');
    expect(parse(cross({ raw }, 'modern', 'cacheable', info))).toEqual({
      contents: [],
      ttlMs: 5,
      cacheScope: 'public',
      _meta: { a: 1 },
      resultType: 'complete',
    });
  });

  it('names the server in a result that names none', () => {
    const stamped = { 'io.modelcontextprotocol/serverInfo': info };
    expect(parse(cross({ raw: Buffer.from('{}') }, 'modern', 'complete', info))._meta).toEqual(stamped);
    expect(parse(cross({ value: { a: 1 } }, 'modern', 'complete', info))).toEqual({
      a: 1,
      resultType: 'complete',
      _meta: stamped,
    });
  });
});

describe('resource URIs in results', () => {
  const expose = (uri: string): string => `one+${uri}`;

  it('are respelled in links and embedded resources, and every other byte stays', () => {
    const before =
      '{"content":[ {"type":"text","text":"\\"resource_link\\" file:///a"},{"uri":"file:///a","type":"resource_link","n":1.0},{"type":"resource","resource":{"text":"x","uri":"file:///b"}}], "z":1e3}';
    const after = before
      .replace('"uri":"file:///a"', '"uri":"one+file:///a"')
      .replace('"uri":"file:///b"', '"uri":"one+file:///b"');
    expect(exposeLinks(Buffer.from(before), expose).toString()).toBe(after);
  });

  it('are respelled in prompt messages', () => {
    const raw = Buffer.from(
      '{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"u:1","text":""}}},{"role":"user","content":[{"type":"resource_link","uri":"u:2"}]}]}',
    );
    const result = JSON.parse(exposeLinks(raw, expose).toString());
    expect(result.messages[0].content.resource.uri).toBe('one+u:1');
    expect(result.messages[1].content[0].uri).toBe('one+u:2');
  });

  it('are respelled in what a read returns', () => {
    const raw = Buffer.from('{"contents":[{"uri":"a:1","text":"t"},{"text":"no uri"},{"uri":"a:2"}]}');
    expect(JSON.parse(exposeContents(raw, expose).toString()).contents).toEqual([
      { uri: 'one+a:1', text: 't' },
      { text: 'no uri' },
      { uri: 'one+a:2' },
    ]);
  });
});
