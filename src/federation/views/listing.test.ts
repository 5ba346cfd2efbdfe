import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SwitchboardError } from '../../core/errors.ts';
import type { Entry } from '../../core/upstream.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { entryBytes } from '../names/entry-bytes.ts';
import { tool } from '../testing/fakes.ts';
import type { Member } from '../types.ts';
import { type ListedRoute, Listing } from './listing.ts';

const member = {} as Member;

function listing(names: readonly string[], pageSize = 2): Listing {
  const routes = names.map((name): ListedRoute => {
    const entry = tool(name);
    return { member, exposed: name, original: name, entry, bytes: entryBytes('tools', entry, name) };
  });
  return new Listing('tools', routes, {
    pageSize,
    freshness: { ttlMs: 1_500, cacheScope: 'public' },
    serverInfo: { name: 'who', version: '1' },
  });
}

const parsed = (bytes: Buffer): JsonObject => JSON.parse(bytes.toString('utf8'));
const namesIn = (page: JsonObject): unknown[] => (page.tools as JsonObject[]).map(({ name }) => name);

function staleness(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return error instanceof SwitchboardError ? error.code : 'another error';
  }
}

describe('Listing', () => {
  it('serves each era its own shape', () => {
    expect(parsed(listing(['a']).page('legacy', undefined).result)).toEqual({ tools: [tool('a').value] });
    expect(parsed(listing(['a']).page('modern', undefined).result)).toEqual({
      resultType: 'complete',
      tools: [tool('a').value],
      ttlMs: 1_500,
      cacheScope: 'public',
      _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'who', version: '1' } },
    });
    expect(parsed(listing([]).page('legacy', undefined).result)).toEqual({ tools: [] });
  });

  it('walks to the end by cursors, every entry once', () => {
    for (const era of ['legacy', 'modern'] as const) {
      const list = listing(['a', 'b', 'c', 'd', 'e']);
      const seen: unknown[] = [];
      let cursor: string | undefined;
      do {
        const page = parsed(list.page(era, cursor).result);
        seen.push(...namesIn(page));
        cursor = page.nextCursor as string | undefined;
      } while (cursor !== undefined);
      expect(seen).toEqual(['a', 'b', 'c', 'd', 'e']);
    }
  });

  it('makes the bytes of a page once', () => {
    const list = listing(['a', 'b', 'c']);
    expect(list.page('modern', undefined)).toBe(list.page('modern', undefined));
    expect(list.page('legacy', undefined)).toBe(list.page('legacy', undefined));
  });

  it('accepts a cursor of an equal list and refuses one of another list', () => {
    const cursor = parsed(listing(['a', 'b', 'c']).page('legacy', undefined).result).nextCursor as string;
    expect(namesIn(parsed(listing(['a', 'b', 'c']).page('modern', cursor).result))).toEqual(['c']);
    expect(staleness(() => listing(['a', 'b', 'd']).page('legacy', cursor))).toBe('SWB_STALE_CURSOR');
    expect(staleness(() => listing(['a', 'b']).page('legacy', cursor))).toBe('SWB_STALE_CURSOR');
  });

  it('refuses any text that is not a cursor', () => {
    const list = listing(['a', 'b', 'c']);
    const [revision] = (parsed(list.page('legacy', undefined).result).nextCursor as string).split('.');
    for (const text of [
      '',
      '.',
      '1',
      `${revision}.`,
      `${revision}.0`,
      `${revision}.2`,
      `${revision}.1.0`,
      `${revision}.01`,
    ]) {
      expect(
        staleness(() => list.page('legacy', text)),
        text,
      ).toBe('SWB_STALE_CURSOR');
    }
    fc.assert(fc.property(fc.string(), (text) => staleness(() => list.page('legacy', text)) === 'SWB_STALE_CURSOR'));
  });
});

describe('entryBytes', () => {
  it('changes the name and no other byte', () => {
    const raw = Buffer.from('{"big":12345678901234567890,"name":"a","2":1.0,"1":[ 1, 2 ],"x":{"name":"a"},"f":1e400}');
    const bytes = entryBytes('tools', { key: 'a', value: JSON.parse(raw.toString()), raw }, 's__a');
    expect(bytes.toString()).toBe(raw.toString().replace('"name":"a"', '"name":"s__a"'));
  });

  it('names each kind where that kind is named', () => {
    const value = { name: 'n', uri: 'u', uriTemplate: 't' };
    const raw = Buffer.from(JSON.stringify(value));
    const named = (kind: Parameters<typeof entryBytes>[0]): JsonObject =>
      JSON.parse(entryBytes(kind, { key: '', value, raw }, 'X').toString());
    expect(named('tools')).toEqual({ ...value, name: 'X' });
    expect(named('prompts')).toEqual({ ...value, name: 'X' });
    expect(named('agents')).toEqual({ ...value, name: 'X' });
    expect(named('resources')).toEqual({ ...value, uri: 'X' });
    expect(named('templates')).toEqual({ ...value, uriTemplate: 'X' });
  });

  it('passes on the very bytes of an entry that keeps its name', () => {
    const entry = tool('a');
    expect(entryBytes('tools', entry, 'a')).toBe(entry.raw);
  });

  it('uses the parsed value where the bytes cannot be edited', () => {
    const odd = { ...tool('a'), raw: Buffer.from('{"name":"a"') };
    expect(parsed(entryBytes('tools', odd, 's__a'))).toEqual({ ...odd.value, name: 's__a' });
  });

  it('keeps every JSON value, in and around any other members', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), fc.string(), (rest, name, exposed) => {
        const value: JsonObject = { ...rest, name };
        const expected = { ...value, name: exposed };
        for (const raw of [
          undefined,
          Buffer.from(JSON.stringify(value)),
          Buffer.from(JSON.stringify(value, null, 2)),
        ]) {
          const entry: Entry = raw ? { key: name, value, raw } : { key: name, value };
          const text = entryBytes('tools', entry, exposed).toString('utf8');
          expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(expected)));
          const order = isObject(JSON.parse(text)) ? Object.keys(JSON.parse(text)) : [];
          expect(order).toEqual(Object.keys(JSON.parse(JSON.stringify(value))));
        }
      }),
    );
  });
});
