import { describe, expect, it } from 'vitest';
import { cpuClock } from '../../core/testing/cpu.ts';
import { BrokenRule } from './broken-rule.ts';
import { compileCondition } from './conditions.ts';
import type { ConditionOperator } from './operators.ts';

const MISSING = Symbol('missing');

const holds = (value: unknown, op: ConditionOperator, wanted: unknown): boolean =>
  compileCondition({ path: 'args.a', op, value: wanted })(value === MISSING ? {} : { a: value });

const at = (path: string, args: unknown, op: ConditionOperator = 'exists', value: unknown = true): boolean =>
  compileCondition({ path, op, value })(args);

describe('a missing argument', () => {
  it.each([
    ['eq', 1],
    ['neq', 1],
    ['in', [1]],
    ['not_in', [1]],
    ['lt', 1],
    ['lte', 1],
    ['gt', 1],
    ['gte', 1],
    ['regex', '.*'],
    ['contains', ''],
  ] as const)('makes %s false', (op, wanted) => {
    expect(holds(MISSING, op, wanted)).toBe(false);
    expect(compileCondition({ path: 'args.a.b', op, value: wanted })({ a: null })).toBe(false);
    expect(compileCondition({ path: 'args.a.b', op, value: wanted })({ a: 'text' })).toBe(false);
    expect(compileCondition({ path: 'args.a', op, value: wanted })(undefined)).toBe(false);
  });

  it('is what exists tests, and null counts as absent', () => {
    expect(holds(MISSING, 'exists', true)).toBe(false);
    expect(holds(MISSING, 'exists', false)).toBe(true);
    expect(holds(null, 'exists', true)).toBe(false);
    expect(holds(null, 'exists', false)).toBe(true);
    for (const value of [0, '', false, [], {}]) expect(holds(value, 'exists', true)).toBe(true);
  });
});

describe('eq', () => {
  it.each([
    [5, '5'],
    ['5.0', 5],
    [' 5 ', 5],
    ['+5e0', '5'],
    ['abc', 'abc'],
    ['NaN', 'NaN'],
    ['', ''],
    [true, 'true'],
    [false, false],
    [null, null],
    ['9007199254740993', '9007199254740993'],
    ['0009007199254740993', '9007199254740993'],
    [
      [1, { a: null, b: '2' }],
      [1, { b: 2, a: null }],
    ],
  ])('holds for %j and %j', (value, wanted) => {
    expect(holds(value, 'eq', wanted)).toBe(true);
    expect(holds(value, 'neq', wanted)).toBe(false);
    expect(holds(value, 'in', ['other', wanted])).toBe(true);
    expect(holds(value, 'not_in', [wanted])).toBe(false);
    expect(holds([0, value], 'contains', wanted)).toBe(true);
  });

  it.each([
    [5, 6],
    ['', 0],
    [' ', 0],
    ['0x10', 16],
    ['1_0', 10],
    ['Infinity', '1e999'],
    ['1e998', '1e999'],
    [null, 'null'],
    [null, 0],
    [true, 1],
    ['abc', 'ABC'],
    ['\u00e9', 'e\u0301'],
    ['9007199254740993', '9007199254740992'],
    ['-9007199254740993', '9007199254740993'],
    [[1], 1],
    [[1], '1'],
    [[1, 2], [1]],
    [{ a: 1 }, { a: 1, b: 2 }],
    [{ a: 1 }, { b: 1 }],
    [{}, []],
    [[], null],
    [{ a: 1 }, '[object Object]'],
  ])('does not hold for %j and %j', (value, wanted) => {
    expect(holds(value, 'eq', wanted)).toBe(false);
    expect(holds(value, 'neq', wanted)).toBe(true);
    expect(holds(value, 'in', [wanted])).toBe(false);
    expect(holds(value, 'not_in', [wanted])).toBe(true);
  });
});

describe('bounds', () => {
  it('compare numbers and texts that are numbers', () => {
    expect([holds(5, 'lt', 6), holds(6, 'lt', 6), holds(6, 'lte', 6)]).toEqual([true, false, true]);
    expect([holds('150', 'gt', 100), holds('1.5e2', 'gte', '150'), holds(-1, 'gt', -2)]).toEqual([true, true, true]);
    expect([holds('1e999', 'gt', 100), holds('1e999', 'lt', 100)]).toEqual([true, false]);
  });

  it.each([['abc'], ['NaN'], [''], [null], [true], [[200]], [{ valueOf: 200 }]])('never hold for %j', (value) => {
    for (const op of ['lt', 'lte', 'gt', 'gte'] as const) expect(holds(value, op, 100)).toBe(false);
  });
});

describe('regex', () => {
  it('matches anywhere in texts, numbers and booleans, and nothing else', () => {
    expect(holds('my token is', 'regex', 'tok[e]n')).toBe(true);
    expect(holds('my token is', 'regex', '^token$')).toBe(false);
    expect(holds(12345, 'regex', '^1\\d+5$')).toBe(true);
    expect(holds(true, 'regex', 'tr')).toBe(true);
    for (const value of [null, ['token'], { token: 'token' }]) expect(holds(value, 'regex', 'token')).toBe(false);
    expect(holds('Grüße 😀', 'regex', '^Grü.e .$')).toBe(true);
  });

  it('takes linear time where backtracking would not end', () => {
    const cpu = cpuClock();
    expect(holds(`${'a'.repeat(100_000)}!`, 'regex', '^(a+)+$')).toBe(false);
    expect(holds('x'.repeat(100_000), 'regex', '(x+x+)+y')).toBe(false);
    expect(cpu()).toBeLessThan(1_000);
  });

  it('is a broken rule when RE2 does not know it or the text is too long', () => {
    expect(() => holds('a', 'regex', '(')).toThrow(BrokenRule);
    expect(() => holds('a', 'regex', '(?=a)')).toThrow(BrokenRule);
    expect(() => holds('a'.repeat((1 << 20) + 1), 'regex', 'b')).toThrow(BrokenRule);
  });
});

describe('contains', () => {
  it('means a part of a text or an item of a list', () => {
    expect(holds('haystack', 'contains', 'st')).toBe(true);
    expect(holds('a1b', 'contains', 1)).toBe(true);
    expect(holds(['a', 'b'], 'contains', 'b')).toBe(true);
    expect(holds(['abc'], 'contains', 'b')).toBe(false);
    expect(holds([{ id: 1 }], 'contains', { id: '1' })).toBe(true);
    for (const value of [15, true, null, { st: 1 }]) expect(holds(value, 'contains', '1')).toBe(false);
    expect(holds('null', 'contains', null)).toBe(false);
  });
});

describe('a condition that makes no sense', () => {
  it('is a broken rule, which denies', () => {
    expect(() => holds(1, 'in', 'abc')).toThrow(BrokenRule);
    expect(() => holds(1, 'gt', 'many')).toThrow(BrokenRule);
    expect(() => holds('a', 'regex', 5)).toThrow(BrokenRule);
  });
});

describe('paths', () => {
  it('lead through own members and items', () => {
    expect(at('args.items.1.price', { items: [{}, { price: 3 }] }, 'eq', 3)).toBe(true);
    expect(at('args.items.2.price', { items: [{}, { price: 3 }] })).toBe(false);
    expect(at('args.0', { 0: 'x' })).toBe(true);
    for (const index of ['-1', '01', '1.0', '1e0', ' 1'])
      expect(at(`args.items.${index}`, { items: [1, 2] })).toBe(false);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'constructor.name', 'list.length', 'text.length'])(
    'never find the inherited %s',
    (name) => {
      expect(at(`args.${name}`, { list: [1], text: 'abc' })).toBe(false);
      expect(at(`args.list.${name}`, { list: [1] })).toBe(false);
    },
  );

  it('find an own member with an inherited name', () => {
    expect(at('args.__proto__.admin', JSON.parse('{"__proto__": {"admin": true}}'), 'eq', true)).toBe(true);
    expect(at('args.constructor', { constructor: 1 }, 'eq', 1)).toBe(true);
  });
});

describe('huge arguments', () => {
  it('take linear time', () => {
    const digits = `${'9'.repeat(2_000_000)}x`;
    const list = Array.from({ length: 300_000 }, (_, index) => `item-${index}`);
    const cpu = cpuClock();
    for (const op of ['eq', 'gt', 'lt'] as const) expect(holds(digits, op, 5)).toBe(false);
    expect(holds(`${' '.repeat(2_000_000)}x`, 'gt', 5)).toBe(false);
    expect(holds('9'.repeat(2_000_000), 'eq', '9'.repeat(2_000_001))).toBe(false);
    expect(holds(`${'0'.repeat(2_000_000)}.5`, 'eq', '0.5')).toBe(true);
    expect(holds(list, 'contains', 'none')).toBe(false);
    expect(holds(list, 'eq', list.slice(1))).toBe(false);
    expect(holds(list, 'in', [list.slice(1), ['a']])).toBe(false);
    expect(holds('x', 'not_in', list)).toBe(true);
    expect(cpu()).toBeLessThan(3_000);
  });
});
