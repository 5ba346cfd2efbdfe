/** What the pages make of schemas and templates of servers, without a browser. */
import { describe, expect, it } from 'vitest';
import { fieldOf, type JsonSchema, startValue, variantOf } from './pages/schema.ts';
import { expanded, variablesOf } from './pages/uri-template.ts';

const shapeOf = (schema: unknown, root: JsonSchema = {}) => fieldOf(schema, root).shape;

describe('a schema', () => {
  it('has the shape that its references, parts and types say', () => {
    const root = { $defs: { 'a/b': { type: 'integer', minimum: 1 }, Named: { $ref: '#/$defs/a~1b', title: 'Named' } } };
    expect(fieldOf({ $ref: '#/$defs/Named', description: 'Counts.' }, root)).toMatchObject({
      title: 'Named',
      description: 'Counts.',
      shape: { as: 'number', isInteger: true, min: 1 },
    });
    const whole = { allOf: [{ properties: { a: { type: 'string' } }, required: ['a'] }, { properties: { b: {} } }] };
    expect(shapeOf({ type: 'object', ...whole })).toMatchObject({
      as: 'members',
      members: [
        { name: 'a', required: true },
        { name: 'b', required: false },
      ],
    });
    expect(shapeOf({ type: ['string', 'number'] })).toMatchObject({
      variants: [{ title: 'string' }, { title: 'number' }],
    });
    expect(fieldOf({ anyOf: [{ type: 'null' }, { type: 'boolean' }] }, {})).toMatchObject({
      nullable: true,
      shape: { as: 'yes-no' },
    });
    expect(shapeOf({ oneOf: [{ const: 1, title: 'One' }, { const: 2 }] })).toEqual({
      as: 'choice',
      choices: [
        { value: 1, title: 'One' },
        { value: 2, title: '2' },
      ],
    });
    expect(shapeOf({ type: 'array', items: { anyOf: [{ const: 'x' }, { const: 'y' }] } })).toMatchObject({
      as: 'choices',
    });
    expect(
      shapeOf({ type: 'object', anyOf: [{ required: ['a'] }, { required: ['b', 'c'] }], properties: { a: {} } }),
    ).toMatchObject({
      variants: [{ title: 'with a' }, { title: 'with b, c' }],
    });
  });

  it.each([
    ['of another document', { $ref: 'https://example.com/schema' }, {}],
    ['that leads nowhere', { $ref: '#/$defs/none' }, {}],
    ['to a member that every object has', { $ref: '#/constructor' }, {}],
    ['that is a circle', { $ref: '#/$defs/a' }, { $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } }],
    ['to itself through parts', { $ref: '#/$defs/a' }, { $defs: { a: { allOf: [{ $ref: '#/$defs/a' }] } } }],
    ['to itself through alternatives', { $ref: '#/$defs/a' }, { $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }] } } }],
  ])('with a reference %s is written as JSON', (_, schema, root) => {
    expect(shapeOf(schema, root)).toEqual({ as: 'json' });
  });

  it('that grows without end is begun with a value of bounded size, at once', () => {
    const required = Array.from({ length: 60 }, (_, index) => `m${index}`);
    const properties = Object.fromEntries(required.map((name) => [name, { $ref: '#/$defs/node' }]));
    const root = { $defs: { node: { type: 'object', properties, required } }, $ref: '#/$defs/node' };
    expect(JSON.stringify(startValue(root, root)).length).toBeLessThan(40_000);
    const parts = { $defs: { a: { allOf: Array.from({ length: 40 }, () => ({ $ref: '#/$defs/a' })) } } };
    expect(shapeOf({ $ref: '#/$defs/a' }, parts)).toEqual({ as: 'json' });
  });

  it('begins with its defaults and with what is needed, and knows its variant again', () => {
    const circle = {
      type: 'object',
      properties: { kind: { const: 'circle' }, r: { type: 'number' } },
      required: ['kind'],
    };
    const text = { type: 'object', properties: { kind: { const: 'text' } }, required: ['kind'] };
    const schema = {
      type: 'object',
      properties: { shape: { oneOf: [circle, text] }, size: { type: 'integer', default: 3 }, more: { type: 'string' } },
      required: ['shape'],
    };
    expect(startValue(schema, schema)).toEqual({ shape: { kind: 'circle' }, size: 3 });
    expect(variantOf({ kind: 'text' }, [{ schema: circle }, { schema: text }], schema)).toBe(1);
  });
});

describe('a resource template', () => {
  it.each([
    ['demo://text/{id}', { id: 'a b/c' }, 'demo://text/a%20b%2Fc'],
    ['file:///{+path}', { path: 'a b/c%20d' }, 'file:///a%20b/c%20d'],
    ['x://s{?q,lang}', { q: 'é' }, 'x://s?q=%C3%A9'],
    ['x://s{?q,lang}', {}, 'x://s'],
    ['x://s{/list*}{&z}{#top}', { list: 'a', z: '1', top: 'b' }, 'x://s/a&z=1#b'],
    ['x://{name:3}', { name: 'abcdef' }, 'x://abc'],
    ['x://{constructor}', {}, 'x://'],
  ])('%s with %j is %s', (template, values, uri) => {
    expect(expanded(template, values)).toBe(uri);
  });

  it('has its variables once each, those of a query may be left out', () => {
    expect(variablesOf('x://{a}/{b*}{?a,c:4}')).toEqual([
      { name: 'a', optional: true },
      { name: 'b', optional: false },
      { name: 'c', optional: true },
    ]);
  });
});
