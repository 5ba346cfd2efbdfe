/** Numbers in conditions, against an oracle of its own: big integers at a common scale. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpuClock } from '../../core/testing/cpu.ts';
import { ExactNumber } from '../../wire/json/exact.ts';
import { parseExact } from '../../wire/json/parse.ts';
import { BrokenRule } from './broken-rule.ts';
import { compileCondition } from './conditions.ts';
import type { ConditionOperator } from './operators.ts';

/** What the condition says; `broken`: it denies because it cannot be evaluated. */
function holds(args: unknown, op: ConditionOperator, value: unknown): boolean | 'broken' {
  try {
    return compileCondition({ path: 'args.a', op, value })(args);
  } catch (error) {
    expect(error).toBeInstanceOf(BrokenRule);
    return 'broken';
  }
}

/** The same of an argument as JSON text. */
const said = (json: string, op: ConditionOperator, value: unknown): boolean | 'broken' =>
  holds(parseExact(`{"a":${json}}`), op, value);

/** The oracle: sign, digits and exponent as a whole number at a scale that all numbers here fit into. */
const SCALE = 2_000;
function oracle(text: string): bigint {
  const [mantissa = '', exponent = '0'] = text.trim().toLowerCase().split('e');
  const negative = mantissa.startsWith('-');
  const [whole = '', fraction = ''] = mantissa.replace(/^[+-]/, '').split('.');
  const size = BigInt(whole + fraction) * 10n ** BigInt(SCALE + Number(exponent) - fraction.length);
  return negative ? -size : size;
}

const digits = (most: number) =>
  fc.oneof(
    fc.bigInt({ min: 0n, max: 10n ** BigInt(most) }).map(String),
    fc.constantFrom('0', '1', '9007199254740991', '9007199254740992', '9007199254740993', '9007199254740994', '100'),
  );
const fraction = fc.oneof(
  fc.constantFrom('', '.0', '.5', '.10', `.${'0'.repeat(30)}1`),
  digits(20).map((each) => `.${each}`),
);
const exponent = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.integer({ min: -400, max: 400 }).map((each) => `e${each}`) },
  { weight: 1, arbitrary: fc.constantFrom('E+2', 'e-2', 'e0', 'e+00', 'e308', 'e-324', 'e0000002') },
);
/** As JSON has them. */
const spelled = fc.tuple(fc.constantFrom('', '', '-'), digits(25), fraction, exponent).map((parts) => parts.join(''));
/** Numbers that are close to each other, whose doubles are often one. */
const pair = fc.oneof(
  fc.tuple(spelled, spelled),
  fc.tuple(spelled, fc.bigInt({ min: -3n, max: 3n })).map(([text, change]): [string, string] => {
    const whole = /^-?\d+$/.test(text) ? BigInt(text) + change : undefined;
    return [text, whole === undefined ? text.replace(/(\d)(e|$)/, '$1000$2') : String(whole)];
  }),
  fc
    .tuple(digits(18), fc.constantFrom('0', '1', '00000000000000000000', '0000000000000000000000001'))
    .map(([text, more]): [string, string] => [`${text}.${more}`, text]),
);

const ORDERED = {
  lt: (order: number) => order < 0,
  lte: (order: number) => order <= 0,
  gt: (order: number) => order > 0,
  gte: (order: number) => order >= 0,
  eq: (order: number) => order === 0,
  neq: (order: number) => order !== 0,
} as const;

/** How two numbers stand, as all their digits say; `near` where two readers of the first would disagree. */
function expected(value: string, wanted: string): number | 'near' | 'infinite' {
  const [a, b] = [oracle(value), oracle(wanted)];
  if (!Number.isFinite(Number(value))) return 'infinite';
  const isHeld = oracle(String(Number(value))) === a;
  if (a !== b && !isHeld && Number(value) === Number(wanted)) return 'near';
  return a < b ? -1 : a > b ? 1 : 0;
}

const RUNS = { numRuns: 3_000 };

describe('numbers of any length', () => {
  it('compare by all their digits with every operator, and are not decided where readers would disagree', () => {
    const seen = new Map<unknown, number>();
    fc.assert(
      fc.property(pair, ([value, wanted]) => {
        const order = expected(value, wanted);
        seen.set(order, (seen.get(order) ?? 0) + 1);
        for (const [op, says] of Object.entries(ORDERED) as [keyof typeof ORDERED, (order: number) => boolean][]) {
          const outcome = typeof order === 'number' ? says(order) : 'broken';
          expect(said(value, op, wanted), `${value} ${op} ${wanted}`).toBe(outcome);
          if (
            order !== 'infinite' &&
            Number.isFinite(Number(wanted)) &&
            oracle(String(Number(wanted))) === oracle(wanted)
          ) {
            expect(said(value, op, Number(wanted)), `${value} ${op} number ${wanted}`).toBe(outcome);
          }
        }
        const isOne = order === 'near' || order === 'infinite' ? 'broken' : order === 0;
        expect(said(value, 'in', ['x', wanted, null]), value).toBe(isOne);
        expect(said(value, 'not_in', [wanted]), value).toBe(isOne === 'broken' ? isOne : !isOne);
        expect(said(`[${value}]`, 'contains', wanted), value).toBe(isOne);
        expect(said(`{"b":[${value}]}`, 'eq', wanted), value).toBe(false);
      }),
      RUNS,
    );
    for (const order of [-1, 0, 1, 'near', 'infinite']) expect(seen.get(order), String(order)).toBeGreaterThan(20);
  });

  it('compare alike as texts, and whole ones in texts by every digit', () => {
    fc.assert(
      fc.property(pair, ([value, wanted]) => {
        const order = expected(value, wanted);
        const isWhole = /^-?\d+$/.test(value) && /^-?\d+$/.test(wanted);
        const [a, b] = [oracle(value), oracle(wanted)];
        const exact = a < b ? -1 : a > b ? 1 : 0;
        for (const [op, says] of Object.entries(ORDERED) as [keyof typeof ORDERED, (order: number) => boolean][]) {
          const outcome = order === 'near' && !isWhole ? 'broken' : says(exact);
          expect(said(JSON.stringify(` ${value}\n`), op, wanted), `"${value}" ${op} ${wanted}`).toBe(outcome);
        }
      }),
      RUNS,
    );
  });

  it('are in a list when one of it is the same, whatever is near', () => {
    expect(said('9007199254740993', 'in', ['9007199254740992', '9007199254740993'])).toBe(true);
    expect(said('9007199254740993', 'not_in', ['9007199254740992', '9007199254740993'])).toBe(false);
    expect(said('9007199254740993', 'in', ['9007199254740992'])).toBe('broken');
    expect(said('9007199254740993', 'in', [1, 'x'])).toBe(false);
    expect(said('[9007199254740993,9007199254740992]', 'contains', '9007199254740992')).toBe(true);
    expect(said('{"b":9007199254740993}', 'exists', true)).toBe(true);
    expect(said('9007199254740993', 'exists', false)).toBe(false);
  });

  it('have one value for every spelling', () => {
    for (const text of ['1', '1.0', '1e0', '10e-1', '0.1e1', '1.000000000000000000000', '100000000000000000000e-20']) {
      expect(said(text, 'eq', 1), text).toBe(true);
      expect(said(text, 'eq', '1.00'), text).toBe(true);
    }
    for (const text of ['0', '-0', '0.0', '-0e0', '0e999', '-0.0e-999', '0e99999999999999999999']) {
      expect(said(text, 'eq', 0), text).toBe(true);
      expect(said(text, 'lt', 0), text).toBe(false);
      expect(said(JSON.stringify(text), 'eq', '-0'), text).toBe(true);
    }
  });

  it('match an expression as they are sent, and not where the nearest double would match otherwise', () => {
    expect(said('9007199254740993', 'regex', '^9007')).toBe(true);
    expect(said('9007199254740993', 'regex', '3$')).toBe('broken');
    expect(said('9007199254740993', 'regex', '2$')).toBe('broken');
    expect(said('9007199254740993', 'regex', '^1')).toBe(false);
  });

  it('that are not finite are read by no condition but exists', () => {
    for (const text of ['1e400', '-1e309', '1e99999999999999999999']) {
      for (const op of ['lt', 'lte', 'gt', 'gte', 'eq', 'neq'] as const) expect(said(text, op, 1), text).toBe('broken');
      for (const op of ['in', 'not_in'] as const) expect(said(text, op, [1, 'x']), text).toBe('broken');
      expect(said(text, 'eq', 'x')).toBe('broken');
      expect(said(text, 'regex', '.')).toBe('broken');
      expect(said(`[${text}]`, 'contains', 1)).toBe('broken');
      expect(said(text, 'exists', true)).toBe(true);
    }
    for (const value of [Number.POSITIVE_INFINITY, Number.NaN]) expect(holds({ a: value }, 'lt', 1)).toBe('broken');
  });

  it('have exponents of any size, at no cost', () => {
    const cpu = cpuClock();
    for (const text of [
      '1e999999999999999',
      '1e-999999999999999',
      `1e${'9'.repeat(1_000_000)}`,
      `1e-${'9'.repeat(1_000_000)}`,
    ]) {
      const isSmall = text.includes('-');
      expect(said(JSON.stringify(text), 'gt', 5)).toBe(!isSmall);
      expect(said(JSON.stringify(text), 'eq', text)).toBe(true);
      expect(said(text, 'gt', 5)).toBe(isSmall ? false : 'broken');
      // A server that reads doubles sees 0.
      if (isSmall) expect(said(text, 'gt', 0)).toBe('broken');
    }
    expect(said('9'.repeat(1_000_000), 'eq', 5)).toBe('broken');
    expect(said(`0.${'9'.repeat(1_000_000)}`, 'lt', 1)).toBe('broken');
    expect(said(`0.${'9'.repeat(1_000_000)}`, 'lt', 2)).toBe(true);
    expect(said(JSON.stringify('9'.repeat(1_000_000)), 'eq', '9'.repeat(1_000_001))).toBe(false);
    expect(cpu()).toBeLessThan(3_000);
  });

  it('have no members that a path could lead to', () => {
    const args = parseExact('{"a":9007199254740993}') as { a: ExactNumber };
    expect(args.a).toBeInstanceOf(ExactNumber);
    for (const name of ['text', 'double', 'toJSON', 'constructor', '0', '__proto__']) {
      expect(compileCondition({ path: `args.a.${name}`, op: 'exists', value: true })(args)).toBe(false);
    }
  });
});
