/**
 * The official SDKs are the oracle: whatever a list is left with, the client of each era reads it.
 */
import {
  ListPromptsResultSchema,
  ListResourcesResultSchema,
  ListResourceTemplatesResultSchema,
  ListToolsResultSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';
import type { CatalogKind, Entry } from '../../core/upstream.ts';
import type { Era } from '../../wire/eras.ts';
import { editPaths } from '../../wire/json/splice.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { entry } from '../testing/fakes.ts';
import { judgeEntries } from './judge.ts';

type Kind = Exclude<CatalogKind, 'agents'>;

const V1 = {
  tools: (value: unknown) => ListToolsResultSchema.parse({ tools: [value] }),
  prompts: (value: unknown) => ListPromptsResultSchema.parse({ prompts: [value] }),
  resources: (value: unknown) => ListResourcesResultSchema.parse({ resources: [value] }),
  templates: (value: unknown) => ListResourceTemplatesResultSchema.parse({ resourceTemplates: [value] }),
};

const KEY = { tools: 'name', prompts: 'name', resources: 'uri', templates: 'uriTemplate' } as const;
const KEYS = { tools: 'bad', prompts: 'bad', resources: 'x://bad', templates: 'x://{bad}' } as const;

const parse = (bytes: Buffer): JsonObject => JSON.parse(bytes.toString()) as JsonObject;

/** The entry as clients of both eras receive it; undefined where it is left out. */
function judged(kind: Kind, members: JsonObject, era: Era = 'legacy') {
  const source = entry(kind, KEYS[kind], members);
  const { entries, skipped, mended } = judgeEntries(kind, [source], era);
  const [shown] = entries as [Entry?];
  const modern = shown?.raw && parse(shown.raw);
  expect(shown?.value).toEqual(modern);
  const legacy =
    shown?.raw && shown.legacy !== false ? parse(editPaths(shown.raw, shown.legacy?.edits ?? [])) : undefined;
  if (legacy) expect(() => V1[kind](legacy)).not.toThrow();
  return { source, shown, modern, legacy, skipped, mended };
}

const S = { type: 'object' };

describe('an entry that clients can read', () => {
  it('keeps its bytes and is the very same object', () => {
    const { source, shown, skipped, mended } = judged('tools', { inputSchema: S, description: 'one', x: 1 });
    expect(shown).toBe(source);
    expect([skipped, mended]).toEqual([[], []]);
  });
});

describe('a member that clients could not read', () => {
  const tool = (members: JsonObject) => ({ inputSchema: S, ...members });
  it.each<[Kind, string, JsonObject, JsonObject]>([
    ['tools', 'a null description', tool({ description: null }), tool({})],
    ['tools', 'a null title', tool({ title: null }), tool({})],
    ['tools', 'null annotations', tool({ annotations: null }), tool({})],
    [
      'tools',
      'a null hint',
      tool({ annotations: { readOnlyHint: null, title: 'T' } }),
      tool({ annotations: { title: 'T' } }),
    ],
    ['tools', 'a null _meta', tool({ _meta: null }), tool({})],
    ['tools', 'null icons', tool({ icons: null }), tool({})],
    ['tools', 'an icon without an address', tool({ icons: [{ mimeType: 'image/png' }] }), tool({})],
    ['tools', 'a null outputSchema', tool({ outputSchema: null }), tool({})],
    ['tools', 'an output schema that allows everything', tool({ outputSchema: true }), tool({})],
    ['tools', 'no inputSchema', {}, tool({})],
    ['tools', 'a null inputSchema', { inputSchema: null }, tool({})],
    ['tools', 'an inputSchema that allows everything', { inputSchema: true }, tool({})],
    ['tools', 'an empty inputSchema', { inputSchema: {} }, tool({})],
    ['tools', "PHP's empty inputSchema", { inputSchema: [] }, tool({})],
    [
      'tools',
      "PHP's empty properties",
      { inputSchema: { type: 'object', properties: [] } },
      { inputSchema: { type: 'object', properties: {} } },
    ],
    [
      'tools',
      'alternatives without a type',
      { inputSchema: { anyOf: [S] } },
      { inputSchema: { anyOf: [S], type: 'object' } },
    ],
    ['tools', 'a type that may be null', { inputSchema: { type: ['object', 'null'] } }, tool({})],
    [
      'tools',
      'null keywords',
      { inputSchema: { type: 'object', required: null, properties: null, $schema: null } },
      tool({}),
    ],
    ['prompts', 'a null description', { description: null }, {}],
    ['prompts', 'null arguments', { arguments: null }, {}],
    [
      'prompts',
      'nulls in an argument',
      { arguments: [{ name: 'a', description: null, required: null }] },
      { arguments: [{ name: 'a' }] },
    ],
    ['resources', 'a null mimeType', { name: 'n', mimeType: null, size: null }, { name: 'n' }],
    ['resources', 'no name', {}, { name: 'x://bad' }],
    ['resources', 'a null name beside a title', { name: null, title: 'T' }, { name: 'T', title: 'T' }],
    [
      'resources',
      'a time without a zone',
      { name: 'n', annotations: { lastModified: '2025-01-12T15:00:58', priority: 1 } },
      { name: 'n', annotations: { priority: 1 } },
    ],
    ['templates', 'no name', {}, { name: 'x://{bad}' }],
  ])('%s: %s is mended', (kind, _what, members, expected) => {
    const { modern, legacy, mended, skipped } = judged(kind, members);
    const whole = { [KEY[kind]]: KEYS[kind], ...expected };
    expect(modern).toEqual(whole);
    expect(legacy).toEqual(whole);
    expect(mended).toEqual([KEYS[kind]]);
    expect(skipped).toEqual([]);
  });

  it('is mended in the bytes: numbers and order of the others stay', () => {
    const raw = Buffer.from('{"b":1.0,"description":null,"name":"n","inputSchema":{"z":12345678901234567890, "1":2}}');
    const { entries } = judgeEntries('tools', [{ key: 'n', value: parse(raw), raw }], 'legacy');
    expect(entries[0]?.raw?.toString()).toBe(
      '{"b":1.0,"name":"n","inputSchema":{"z":12345678901234567890,"1":2,"type":"object"}}',
    );
  });
});

describe('an entry whose meaning is not plain', () => {
  it.each<[Kind, JsonObject, string]>([
    ['tools', { inputSchema: { type: 'string' } }, 'its inputSchema has the type "string", not "object"'],
    ['tools', { inputSchema: false }, 'its inputSchema is a boolean, not an object'],
    ['tools', { inputSchema: S, outputSchema: 'x' }, 'its outputSchema is a string, not an object'],
    ['prompts', { arguments: {} }, 'its arguments are an object, not an array'],
    ['prompts', { arguments: [{ description: 'd' }] }, 'its argument 0 has no name'],
  ])('%s: %j is left out for all', (kind, members, reason) => {
    const { shown, skipped } = judged(kind, members);
    expect(shown).toBeUndefined();
    expect(skipped).toEqual([{ list: kind, name: KEYS[kind], reason, clients: 'all' }]);
  });

  it.each<[JsonObject, string]>([
    [
      { inputSchema: { type: 'object', properties: { a: 'string' } } },
      "the property 'a' of its inputSchema is a string, not a schema",
    ],
    [
      { inputSchema: { type: 'object', properties: 'x' } },
      'the properties of its inputSchema are a string, not an object',
    ],
    [{ inputSchema: { type: 'object', required: true } }, "'required' of its inputSchema is no list of names"],
  ])('%j is left out for legacy clients, which look deeper', (members, reason) => {
    const { shown, modern, skipped } = judged('tools', members);
    expect(shown?.legacy).toBe(false);
    expect(modern).toMatchObject(members);
    expect(skipped).toEqual([{ list: 'tools', name: 'bad', reason, clients: 'legacy' }]);
  });

  it('does not end the judgement of the others, however deep it is', () => {
    const deep = `${'{"anyOf":['.repeat(20_000)}{}${']}'.repeat(20_000)}`;
    const value = { name: 'deep', inputSchema: S, outputSchema: JSON.parse(deep) as unknown };
    const { entries, skipped } = judgeEntries(
      'tools',
      [{ key: 'deep', value }, entry('tools', 'fine', { inputSchema: S })],
      'modern',
    );
    expect(entries.map(({ key }) => key)).toEqual(['fine']);
    expect(skipped).toMatchObject([{ name: 'deep', clients: 'all' }]);
  });
});

describe('what only the modern revision allows', () => {
  it('boolean property schemas are spelled as objects for legacy clients', () => {
    const { modern, legacy } = judged('tools', { inputSchema: { type: 'object', properties: { a: true, b: false } } });
    expect(modern).toMatchObject({ inputSchema: { properties: { a: true, b: false } } });
    expect(legacy).toMatchObject({ inputSchema: { properties: { a: {}, b: { not: {} } } } });
  });

  it('output schemas of other types are wrapped for legacy clients', () => {
    const { modern, legacy, shown } = judged('tools', { inputSchema: S, outputSchema: { type: 'array' } }, 'modern');
    expect(modern).toMatchObject({ outputSchema: { type: 'array' } });
    expect(legacy).toMatchObject({
      outputSchema: { type: 'object', properties: { result: { type: 'array' } }, required: ['result'] },
    });
    expect(shown?.legacy).toMatchObject({ wrapsOutput: true });
  });

  it('an output schema without a type describes an object where the server is legacy', () => {
    const { legacy, shown } = judged('tools', { inputSchema: S, outputSchema: { anyOf: [S] } });
    expect(legacy).toMatchObject({ outputSchema: { anyOf: [S], type: 'object' } });
    expect(shown?.legacy).toMatchObject({ wrapsOutput: false });
  });

  it('reserved keys of _meta are taken out for legacy clients', () => {
    const key = 'io.modelcontextprotocol/serverInfo';
    expect(judged('tools', { inputSchema: S, _meta: { [key]: {} } }).legacy).not.toHaveProperty('_meta');
    expect(judged('tools', { inputSchema: S, _meta: { [key]: {}, mine: 1 } }).legacy?._meta).toEqual({ mine: 1 });
  });
});
