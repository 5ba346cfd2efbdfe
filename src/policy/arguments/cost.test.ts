import { describe, expect, it } from 'vitest';
import { ArgumentChecks } from './argument-checks.ts';
import { formats } from './formats.ts';
import { entry, object, recorder } from './testing/schemas.ts';
import { Validators } from './validators.ts';

/** None of these may hang: that they end at all is what is tested, within the timeout of a test. */
describe('the cost of a check', () => {
  it.each([
    ['(a+)+$', `${'a'.repeat(100_000)}!`],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a'.repeat(100_000)],
    ['(x+x+)+y', 'x'.repeat(100_000)],
  ])('grows with the text and no faster: %s', (pattern, text) => {
    const log = recorder();
    const problems = new ArgumentChecks(log).ofTool(entry(object({ a: { pattern } })), { a: text }, 's');
    expect(problems).toEqual([`args.a: must match the pattern ${pattern}`]);
    expect(log.warnings).toEqual([]);
  });

  it('is bounded for large expressions on long texts', () => {
    const log = recorder();
    const schema = object({ a: { pattern: '[a-z]{1,900}[a-z]{1,900}$' } });
    const args = { a: `${'x'.repeat(100_000)}!` };
    expect(new ArgumentChecks(log).ofTool(entry(schema), args, 's')).toBeUndefined();
    expect(log.warnings.map(({ fields }) => fields.why)).toEqual(['it costs too much']);
  });

  it('is bounded for expressions that are large themselves', () => {
    const log = recorder();
    const many = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [`p${i}`, { pattern: `${i}${'a{999}'.repeat(2)}` }]),
    );
    const schema = object({ ...many, long: { pattern: 'a'.repeat(5_000) }, n: { type: 'null' } });
    expect(new ArgumentChecks(log).ofTool(entry(schema), { n: 1 }, 's')).toEqual([
      'args.n: must be null, found a number',
    ]);
    expect(log.warnings.length).toBeGreaterThan(1);
  });

  it('is bounded for definitions that each refer twice to the next', () => {
    const $defs: Record<string, object> = { d40: { type: 'string' } };
    for (let i = 0; i < 40; i++) {
      const $ref = `#/$defs/d${i + 1}`;
      $defs[`d${i}`] = { anyOf: [{ $ref }, { $ref }] };
    }
    const log = recorder();
    const schema = object({ a: { $ref: '#/$defs/d0' } }, { $defs });
    expect(new ArgumentChecks(log).ofTool(entry(schema), { a: 1 }, 's')).toBeUndefined();
    expect(log.warnings).toHaveLength(1);
  });

  it.each([
    ['itself', { $ref: '#' }],
    ['itself, twice', { anyOf: [{ $ref: '#' }, { $ref: '#' }] }],
  ])('is bounded for a schema that is %s', (_what, schema) => {
    const log = recorder();
    expect(new ArgumentChecks(log).ofTool(entry(schema), {}, 's')).toBeUndefined();
    expect(log.warnings).toHaveLength(1);
  });

  it('is bounded for arguments that are deep, long or many', () => {
    const deep = JSON.parse(`${'{"n":'.repeat(50_000)}1${'}'.repeat(50_000)}`) as object;
    const items = Array.from({ length: 100_000 }, (_, i) => ({ i }));
    const many = Object.fromEntries(items.map(({ i }) => [`k${i}`, i]));
    const recursive = { $defs: { n: object({ n: { $ref: '#/$defs/n' } }) }, $ref: '#/$defs/n' };
    const cases: [object, object][] = [
      [recursive, deep],
      [object({ a: { uniqueItems: true } }), { a: items }],
      [object({ a: { items: object({ i: { type: 'string' } }) } }), { a: items }],
      [object({}, { patternProperties: { '^k': { type: 'string' } }, additionalProperties: false }), many],
      [object({ a: { enum: items.slice(0, 500) } }), { a: { i: -1 } }],
    ];
    const log = recorder();
    const checks = new ArgumentChecks(log);
    const outcomes = cases.map(([schema, args]) => checks.ofTool(entry(schema), args, 's')?.length);
    expect(outcomes).toEqual([undefined, undefined, 1, 1, 1]);
    expect(log.warnings).toHaveLength(2);
  });

  it('is bounded for every format', () => {
    const texts = ['a:', '1.', 'a-', 'P1Y', '%41', '{a}', '/a', '@', 'A', ':1'].map(
      (part) => `${part.repeat(30_000)}\n!`,
    );
    for (const format of Object.keys(formats())) {
      const checks = new ArgumentChecks(recorder());
      const tool = entry(object({ a: { items: { type: 'string', format } } }));
      for (const text of texts) checks.ofTool(tool, { a: [text] }, 's');
      expect(checks.ofTool(tool, { a: [] }, 's')).toBeUndefined();
    }
  });

  it('is spent for large lists of plain values', () => {
    const ids = Array.from({ length: 50_000 }, (_, i) => `id-${i}`);
    const tool = entry(object({ ids: { type: 'array', items: { type: 'string' }, uniqueItems: true } }));
    const log = recorder();
    const checks = new ArgumentChecks(log);
    expect(checks.ofTool(tool, { ids }, 's')).toBeUndefined();
    expect(checks.ofTool(tool, { ids: [...ids, 'id-7'] }, 's')).toHaveLength(1);
    expect(log.warnings).toEqual([]);
  });

  it('is printed', () => {
    const checks = new ArgumentChecks(recorder());
    const tool = entry(
      object({ a: { type: 'string', pattern: '^[a-z]+$' }, b: { type: 'integer' } }, { required: ['a'] }),
    );
    const args = { a: 'hello', b: 5 };
    for (let i = 0; i < 20_000; i++) checks.ofTool(tool, args, 's');
    const began = performance.now();
    for (let i = 0; i < 20_000; i++) checks.ofTool(tool, args, 's');
    console.info(`arguments: ${((performance.now() - began) / 20).toFixed(2)} µs a call`);
    expect(checks.ofTool(tool, args, 's')).toBeUndefined();
  });
});

describe('compiled schemas', () => {
  const schema = (i: number): Record<string, unknown> => ({ type: 'object', title: `s${i}` });

  it('are shared by owners with the same text', () => {
    const validators = new Validators();
    const [one, other] = [schema(1), schema(1)];
    expect(validators.get(one, one)).toBe(validators.get(other, other));
    expect(validators.size).toBe(1);
  });

  it('do not accumulate while a catalog is fetched again and again', () => {
    const validators = new Validators();
    for (let fetch = 0; fetch < 50; fetch++) for (let i = 0; i < 5; i++) validators.get({}, schema(i));
    expect(validators.size).toBe(5);
  });

  it('are bounded in number and length, least recently used first', () => {
    const validators = new Validators({ maxSchemas: 3, maxChars: 10_000 });
    const owners = [0, 1, 2, 3].map((i) => schema(i));
    const [first = {}, second = {}, third = {}, fourth = {}] = owners;
    const kept = validators.get(first, first);
    const gone = validators.get(second, second);
    validators.get(third, third);
    validators.get(first, first);
    validators.get(fourth, fourth);
    expect(validators.size).toBe(3);
    expect(validators.get(first, first)).toBe(kept);
    expect(validators.get(second, second)).not.toBe(gone);
    for (let i = 0; i < 5; i++) validators.get({}, { title: 'x'.repeat(4_000), i });
    expect(validators.size).toBe(2);
  });
});
