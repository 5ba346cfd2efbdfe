import { describe, expect, it } from 'vitest';
import { wrappedSchema } from './output-schema.ts';

const result = (schema: Record<string, unknown>) => (wrappedSchema(schema).properties as { result: unknown }).result;

describe('a wrapped output schema', () => {
  it('describes an object with the member result, under the same dialect', () => {
    const $schema = 'https://json-schema.org/draft/2020-12/schema';
    expect(wrappedSchema({ $schema, type: 'integer' })).toEqual({
      $schema,
      type: 'object',
      properties: { result: { $schema, type: 'integer' } },
      required: ['result'],
    });
  });

  it('keeps references within the schema leading to their targets', () => {
    const moved = result({
      anyOf: [{ $ref: '#' }, { $ref: '#/$defs/a' }, { $ref: 'https://x.test/#/b' }, { $ref: '#anchor' }],
      $defs: { a: { $dynamicRef: '#/$defs/b' }, default: { $ref: '#' } },
      default: { $ref: '#' },
    });
    expect(moved).toEqual({
      anyOf: [
        { $ref: '#/properties/result' },
        { $ref: '#/properties/result/$defs/a' },
        { $ref: 'https://x.test/#/b' },
        { $ref: '#anchor' },
      ],
      $defs: { a: { $dynamicRef: '#/properties/result/$defs/b' }, default: { $ref: '#/properties/result' } },
      default: { $ref: '#' },
    });
  });

  it('leaves references below another base alone', () => {
    const own = { $id: 'https://x.test/s', $ref: '#' };
    expect(result({ ...own, type: 'array' })).toEqual({ ...own, type: 'array' });
    expect(result({ type: 'array', items: own })).toEqual({ type: 'array', items: own });
  });

  it('spells a recursive reference of 2019-09 as one to the wrapped root', () => {
    const $schema = 'https://json-schema.org/draft/2019-09/schema';
    const moved = result({ $schema, type: 'array', items: { $recursiveRef: '#', allOf: [{ minItems: 1 }] } });
    expect(moved).toMatchObject({ items: { allOf: [{ $ref: '#/properties/result' }, { minItems: 1 }] } });
  });
});
