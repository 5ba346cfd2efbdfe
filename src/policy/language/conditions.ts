/**
 * The eleven operators of conditions. `undefined` is a missing argument: it makes every operator but `exists` false, so
 * that a `deny_if` does not match it and a `require` is not met. `exists` takes `null` for absent; for the others it is a
 * value.
 * @module
 */
import { RE2JS } from 're2js';
import { parsePath, valueAt } from './paths.ts';
import type { Condition, ConditionOperator } from './types.ts';
import { numberOf, same, textOf } from './values.ts';

/** Throws {@link BrokenRule} when it cannot be told. */
export type Test = (args: unknown) => boolean;

/** Whether a value that is there satisfies the operator. */
type Satisfies = (value: unknown) => boolean;

/** What a rule asks cannot be told; whoever evaluates it denies. The message is for the caller. */
export class BrokenRule extends Error {}

/** The engine is linear in the text, with a factor that grows with the pattern: some ten seconds at the worst. */
const MAX_REGEX_TEXT = 1 << 20;

/** A condition that makes no sense is found out when it is evaluated, and denies then: a broken rule never lets through. */
export function compileCondition({ path, op, value }: Condition): Test {
  const names = parsePath(path);
  if (op === 'exists') {
    const wanted = value !== false;
    return (args) => ((valueAt(args, names) ?? null) !== null) === wanted;
  }
  const satisfies = OPERATORS[op](value);
  return (args) => {
    const found = valueAt(args, names);
    return found !== undefined && satisfies(found);
  };
}

const OPERATORS: Record<Exclude<ConditionOperator, 'exists'>, (wanted: unknown) => Satisfies> = {
  eq: (wanted) => (value) => same(wanted, value),
  neq: (wanted) => (value) => !same(wanted, value),
  in: oneOf,
  not_in(wanted) {
    const isIn = oneOf(wanted);
    return (value) => !isIn(value);
  },
  lt: comparing((value, bound) => value < bound),
  lte: comparing((value, bound) => value <= bound),
  gt: comparing((value, bound) => value > bound),
  gte: comparing((value, bound) => value >= bound),
  regex: matching,
  contains: containing,
};

const broken = (what: string) => (): never => {
  throw new BrokenRule(what);
};

/** What is neither a number nor spells one is on no side of any bound. */
function comparing(holds: (value: number, bound: number) => boolean) {
  return (wanted: unknown): Satisfies => {
    const bound = numberOf(wanted);
    if (bound === undefined) return broken('its bound is not a number');
    return (value) => {
      const number = numberOf(value);
      return number !== undefined && holds(number, bound);
    };
  };
}

/** By number or text first, so that a long list costs no more than a short one. */
function oneOf(wanted: unknown): Satisfies {
  if (!Array.isArray(wanted)) return broken('its value is not a list');
  const byScalar = Map.groupBy(wanted, keyOf);
  return (value) => byScalar.get(keyOf(value))?.some((one) => same(one, value)) === true;
}

/** Two values that are the same have the same key; lists and objects all have one. */
const keyOf = (value: unknown): number | string | undefined => numberOf(value) ?? textOf(value);

/** Found anywhere in the text, as in the published evaluator. Numbers and booleans are matched as they are written. */
function matching(wanted: unknown): Satisfies {
  const pattern = typeof wanted === 'string' ? compiled(wanted) : undefined;
  if (!pattern) return broken('its regular expression is not one that RE2 knows');
  return (value) => {
    const text = textOf(value);
    if (text === undefined) return false;
    if (text.length > MAX_REGEX_TEXT) throw new BrokenRule('the argument is too long for its regular expression');
    return pattern.test(text);
  };
}

function compiled(pattern: string): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern);
  } catch {
    return undefined;
  }
}

/** A part of a string, or an item of a list. Nothing else contains anything. */
function containing(wanted: unknown): Satisfies {
  const part = textOf(wanted);
  return (value) => {
    if (Array.isArray(value)) return value.some((item) => same(wanted, item));
    return typeof value === 'string' && part !== undefined && value.includes(part);
  };
}
