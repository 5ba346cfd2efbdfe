import { describe, expect, it, vi } from 'vitest';
import { ArgumentChecks } from './argument-checks.ts';
import { argumentsDenial, OWN_SCHEMA } from './denial.ts';
import { entry, object, recorder, type Warning } from './testing/schemas.ts';

interface Outcome {
  problems: readonly string[] | undefined;
  warnings: Warning[];
}

function check(schema: unknown, args: unknown): Outcome {
  const log = recorder();
  return { problems: new ArgumentChecks(log).ofTool(entry(schema), args, 'server'), warnings: log.warnings };
}

const parse = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

describe('problems', () => {
  it.each([
    ['a type', { a: { type: 'integer' } }, { a: 'x' }, 'args.a: must be an integer, found a string'],
    ['types', { a: { type: ['array', 'null'] } }, { a: {} }, 'args.a: must be an array or null, found an object'],
    ['an enum', { qos: { enum: [0, 1, 2] } }, { qos: 7 }, 'args.qos: must be one of 0, 1, 2'],
    ['a constant', { a: { const: 'x' } }, { a: 'y' }, 'args.a: must be "x"'],
    ['a bound', { a: { minimum: 3 } }, { a: 1 }, 'args.a: must be >= 3'],
    ['a length', { a: { maxLength: 2 } }, { a: 'abc' }, 'args.a: must NOT have more than 2 characters'],
    ['a pattern', { a: { pattern: '^[a-z]+$' } }, { a: 'A' }, 'args.a: must match the pattern ^[a-z]+$'],
    ['a format', { a: { format: 'date' } }, { a: 'today' }, 'args.a: must have the format "date"'],
    [
      'a place',
      { a: { items: object({ 'b/c d': { type: 'null' } }) } },
      { a: [{ 'b/c d': 1 }] },
      'args.a.0["b/c d"]: must be null, found a number',
    ],
    ['no place', { a: false }, { a: 1 }, 'args.a: must not be there'],
    ['an exception', { a: { not: { type: 'string' } } }, { a: 'x' }, 'args.a: is what its schema excludes'],
    ['constants', { a: { oneOf: [{ const: 1 }, { const: 2 }] } }, { a: 3 }, 'args.a: must be one of 1, 2'],
    [
      'too many fits',
      { a: { oneOf: [{ minimum: 1 }, { minimum: 2 }] } },
      { a: 3 },
      'args.a: must fit exactly one of its alternatives and fits several',
    ],
    [
      'the branch that was meant',
      { a: { anyOf: [{ type: 'string' }, object({}, { required: ['b'] })] } },
      { a: {} },
      'args.a: lacks "b"',
    ],
  ])('name %s', (_what, properties, args, problem) => {
    expect(check(object(properties), args)).toEqual({ problems: [problem], warnings: [] });
  });

  it('name a missing argument and its type', () => {
    const schema = object({ a: { type: 'string' }, b: { enum: ['x'] } }, { required: ['a', 'b', 'c'] });
    const problems = ['args: lacks "a": a string', 'args: lacks "b": one of "x"', 'args: lacks "c"'];
    expect(check(schema, {}).problems).toEqual(problems);
    expect(check(schema, undefined).problems).toEqual(problems);
  });

  it('do not include null for an optional argument', () => {
    const schema = object({ a: { type: 'string' }, b: { type: 'number' } }, { required: ['a'] });
    expect(check(schema, { a: 'x', b: null }).problems).toBeUndefined();
    expect(check(schema, { a: null }).problems).toEqual(['args.a: must be a string, found null']);
    expect(check(schema, { a: 'x', b: 'y', c: null }).problems).toEqual(['args.b: must be a number, found a string']);
  });

  it('never quote a value of the caller', () => {
    const secret = 'sk-very-secret';
    const schema = object({
      a: { type: 'integer' },
      b: { enum: ['x'] },
      c: { pattern: '^y$' },
      d: { anyOf: [{ maxLength: 2 }, { type: 'null' }] },
      e: { items: { const: 1 } },
      f: { format: 'uuid' },
    });
    const { problems = [] } = check(schema, { a: secret, b: secret, c: secret, d: secret, e: [secret], f: secret });
    expect(problems).toHaveLength(6);
    expect(problems.join()).not.toContain('secret');
  });

  it('are ten at most, and short', () => {
    const properties = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`p${i}`, { enum: ['x'.repeat(999)] }]));
    const { problems = [] } = check(
      object(properties),
      Object.fromEntries(Object.keys(properties).map((key) => [key, 1])),
    );
    expect(problems).toHaveLength(10);
    for (const problem of problems) expect(problem.length).toBeLessThanOrEqual(300);
    expect(
      check(object({}, { additionalProperties: false }), { ['k'.repeat(5_000)]: 1 }).problems?.[0]?.length,
    ).toBeLessThan(300);
  });

  it('become a denial', () => {
    const problems = ['args.qos: must be one of 0, 1, 2', 'args: lacks "topic"'];
    expect(argumentsDenial({ name: 'm__publish', problems, policy: 'gateway', rule: OWN_SCHEMA })).toEqual({
      code: 'SWB_ARGUMENTS_INVALID',
      policy: 'gateway',
      rule: '(input schema)',
      reason: 'Arguments of m__publish do not fit its schema: args.qos: must be one of 0, 1, 2; args: lacks "topic"',
      hidden: false,
      data: { problems },
    });
  });
});

describe('a schema', () => {
  it.each([undefined, null, true, false, {}, [], 'text'])('without content checks nothing: %j', (schema) => {
    expect(check(schema, { any: 1 })).toEqual({ problems: undefined, warnings: [] });
  });

  it('changes nothing in the arguments', () => {
    const schema = object(
      { a: { type: 'integer', default: 5 }, b: { type: 'integer' }, c: { type: 'object', default: {} } },
      { additionalProperties: false },
    );
    const text = '{"b":"7","__proto__":{"x":1},"z":[1.0,{"y":null}]}';
    const args = parse(text);
    const before = JSON.stringify(args);
    expect(check(schema, args).problems).toContain('args.b: must be an integer, found a string');
    expect(JSON.stringify(args)).toBe(before);
    expect(check(object({ a: { default: 5 } }), Object.freeze({})).problems).toBeUndefined();
  });

  it.each([
    ['2020-12', 'https://json-schema.org/draft/2020-12/schema', { prefixItems: [{ type: 'string' }] }],
    ['2019-09', 'https://json-schema.org/draft/2019-09/schema', { items: [{ type: 'string' }] }],
    ['draft 7', 'http://json-schema.org/draft-07/schema#', { items: [{ type: 'string' }] }],
    ['draft 6', 'http://json-schema.org/draft-06/schema#', { items: [{ type: 'string' }] }],
  ])('is read in its own dialect: %s', (_what, $schema, a) => {
    const schema = object({ a }, { $schema });
    expect(check(schema, { a: ['x'] })).toEqual({ problems: undefined, warnings: [] });
    expect(check(schema, { a: [1] }).problems).toEqual(['args.a.0: must be a string, found a number']);
  });

  it.each([
    ['an unknown dialect', { $schema: 'http://json-schema.org/draft-04/schema#', type: 'object' }],
    ['a reference over the network', object({ a: { $ref: 'https://example.com/a.json' } })],
    ['a reference to nowhere', object({ a: { $ref: '#/$defs/none' } })],
    ['a file', object({ a: { $ref: 'file:///etc/passwd' } })],
    ['a dynamic reference out of it', object({ a: { $dynamicRef: 'https://example.com/#x' } })],
    ['a promise', { $async: true, ...object({ a: { type: 'string' } }) }],
    ['a promise inside', { $defs: { x: { $async: true, type: 'string' } }, ...object({ a: { $ref: '#/$defs/x' } }) }],
    ['an unknown type', object({ a: { type: 'strnig' } })],
    ['a keyword of the wrong kind', object({ a: { minimum: '5' } })],
    ['a pattern for names that looks ahead', { patternProperties: { '^(?!a)': { type: 'string' } } }],
    ['a pattern that looks ahead under "not"', object({ a: { not: { pattern: '^(?!a)' } } })],
    [
      'too many parts',
      object(Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`p${i}`, { type: 'null' }]))),
    ],
    ['too long a text', object({ a: { description: 'x'.repeat(200_000) } })],
    ['too deep', parse(`${'{"not":'.repeat(100)}{}${'}'.repeat(100)}`)],
  ])('that cannot be used is logged once and denies nothing: %s', (_what, schema) => {
    const fetches = vi.spyOn(globalThis, 'fetch');
    const log = recorder();
    const checks = new ArgumentChecks(log);
    for (let i = 0; i < 3; i++) expect(checks.ofTool(entry(schema), { a: 5 }, 'server')).toBeUndefined();
    expect(log.warnings).toHaveLength(1);
    expect(log.warnings[0]?.fields).toMatchObject({ server: 'server', tool: 'tool', why: expect.any(String) });
    expect(fetches).not.toHaveBeenCalled();
    fetches.mockRestore();
    expect(checks.ofRule(schema as Record<string, unknown>, {}, { server: 's', tool: 't' })).toHaveLength(1);
    expect(log.warnings[1]?.fields).toMatchObject({ server: 's', tool: 't', why: expect.stringMatching(/./) });
  });

  it('may refer to itself', () => {
    const schema = object(
      { tree: { $ref: '#/$defs/node' } },
      { $defs: { node: object({ next: { $ref: '#/$defs/node' } }, { required: ['id'] }) } },
    );
    expect(check(schema, { tree: { id: 1, next: { id: 2, next: {} } } })).toEqual({
      problems: ['args.tree.next.next: lacks "id"'],
      warnings: [],
    });
    const dynamic = { $dynamicAnchor: 'node', ...object({ next: { $dynamicRef: '#node' }, v: { type: 'null' } }) };
    expect(check(dynamic, { next: { next: { v: 1 } } }).problems).toEqual([
      'args.next.next.v: must be null, found a number',
    ]);
  });

  it('may refer to itself as a whole', () => {
    const schema = object({ v: { type: 'null' }, next: { $ref: '#' } });
    for (const $schema of [undefined, 'http://json-schema.org/draft-07/schema#']) {
      const { problems, warnings } = check($schema === undefined ? schema : { $schema, ...schema }, {
        next: { next: { v: 1 } },
      });
      expect({ problems, warnings }).toEqual({
        problems: ['args.next.next.v: must be null, found a number'],
        warnings: [],
      });
    }
  });

  it('may have the $id of another', () => {
    const checks = new ArgumentChecks(recorder());
    const $id = 'https://example.com/schema';
    const inner = (type: string): object => ({ $defs: { x: { $id: 'https://example.com/x', type } } });
    const one = entry({ $id, ...inner('string'), ...object({ a: { $ref: 'https://example.com/x' } }) });
    const other = entry({ $id, ...inner('number'), ...object({ a: { $ref: 'https://example.com/x' } }) });
    expect(checks.ofTool(one, { a: 1 }, 's')).toEqual(['args.a: must be a string, found a number']);
    expect(checks.ofTool(other, { a: 'x' }, 's')).toEqual(['args.a: must be a number, found a string']);
    expect(checks.ofTool(one, { a: 'x' }, 's')).toBeUndefined();
  });

  it('may hold unknown keywords and formats', () => {
    const schema = object(
      { a: { type: 'string', format: 'stock-symbol', 'x-mcp-header': 'A', example: 1 }, b: { format: 'url' } },
      { 'x-anything': { $ref: 7 } },
    );
    expect(check(schema, { a: 'x', b: 'not a url' })).toEqual({ problems: undefined, warnings: [] });
  });

  it('treats inherited names as ordinary names', () => {
    const schema = parse(
      '{"type":"object","properties":{"constructor":{"type":"string"},"__proto__":{"type":"string"},"toString":{"type":"null"}},' +
        '"required":["hasOwnProperty"]}',
    );
    expect(check(schema, {}).problems).toEqual(['args: lacks "hasOwnProperty"']);
    expect(check(schema, { hasOwnProperty: 1 })).toEqual({ problems: undefined, warnings: [] });
    expect(check(schema, parse('{"hasOwnProperty":1,"__proto__":{"a":1},"constructor":"x"}')).problems).toBeUndefined();
    expect(check(schema, { hasOwnProperty: 1, constructor: 5 }).problems).toHaveLength(1);
    expect(({} as Record<string, unknown>).a).toBeUndefined();
    const closed = object({ a: { type: 'string' } }, { additionalProperties: false });
    expect(check(closed, parse('{"__proto__":{"a":5}}')).problems).toEqual([
      'args: must not have "__proto__" (known here: "a")',
    ]);
  });
});

describe('the schema of a rule', () => {
  const about = { server: 's', tool: 't' };

  it('tightens a tool', () => {
    const log = recorder();
    const checks = new ArgumentChecks(log);
    const schema = parse(JSON.stringify(object({ amount: { maximum: 100 } })));
    expect(checks.ofRule(schema, { amount: 100 }, about)).toBeUndefined();
    expect(checks.ofRule(schema, { amount: 101 }, about)).toEqual(['args.amount: must be <= 100']);
    expect(checks.ofRule({}, { amount: 101 }, about)).toBeUndefined();
    expect(log.warnings).toEqual([]);
  });

  it('denies where it cannot be used or exceeds its budget', () => {
    const log = recorder();
    const checks = new ArgumentChecks(log);
    const lookahead = parse(JSON.stringify(object({ a: { pattern: '^(?!x)' } })));
    expect(checks.ofRule(lookahead, { a: 'y' }, about)).toEqual([
      'args: the policy has a schema for them that cannot be used',
    ]);
    expect(log.warnings[0]?.fields).toMatchObject({ why: expect.stringMatching(/cannot be run safely/) });
    const endless = { allOf: [{ $ref: '#' }] };
    expect(checks.ofRule(endless, {}, about)).toEqual(['args: too large or too deep to be checked']);
    expect(log.warnings).toHaveLength(2);
  });
});
