/**
 * The operators of conditions, one row each: what a document may compare with, and what the comparison means. The schema of
 * documents, `policy.schema.json`, messages about mistakes and the evaluation of rules all read this table.
 *
 * The operators, and which values each can be compared with, are those of the published documents. A value an operator
 * can do nothing with would make a rule that never holds, so it is a mistake in the document.
 * @module
 */
import { RE2JS } from 're2js';
import { ExactNumber } from '../../wire/json/exact.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { BrokenRule } from './broken-rule.ts';
import { numberOf, type Order, orderOf, requireFinite, sameness, samenessWith, textOf } from './values.ts';

/** Throws {@link BrokenRule} when the value cannot be compared. */
export type Satisfies = (value: unknown) => boolean;

/** What `value` in a condition may be. */
interface Operand {
  /** For editors. */
  readonly schema: JsonObject;
  /** In the description of `value`, before the operators' names; undefined where a scalar is meant. */
  readonly words?: string;
  /** What is wrong with a value, as a message without its full stop. */
  problem(value: unknown, op: string): string | undefined;
}

export interface Operator {
  readonly operand: Operand;
  /** Whether it is evaluated for a missing argument, as `undefined`. All others are false then. */
  readonly seesMissing?: true;
  /** It compares the whole argument with its value, or with one in the list: URIs in it have a normal form. */
  readonly wholeValue?: true;
  /** Never fails: what makes no sense is a {@link BrokenRule} when it is evaluated, and denies then. */
  compile(wanted: unknown): Satisfies;
}

const MAX_REGEX = 1_024;
/** The engine is linear in the text, with a factor that grows with the pattern: some ten seconds at the worst. */
const MAX_REGEX_TEXT = 1 << 20;

const LIST: Operand = {
  schema: { type: 'array' },
  words: 'a list',
  problem: (value, op) => (Array.isArray(value) ? undefined : `found a single value for ${op}; allowed: a list`),
};

const NUMBER: Operand = {
  schema: { type: ['number', 'string'] },
  words: 'a number (or its text)',
  problem: (value, op) =>
    typeof value === 'number' || (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)))
      ? undefined
      : `found something else for ${op}; allowed: a number, or a string that is one`,
};

const EXPRESSION: Operand = { schema: { type: 'string' }, words: 'an RE2 expression', problem: regexProblem };

const BOOLEAN: Operand = {
  schema: { type: 'boolean' },
  words: 'true or false',
  problem: (value, op) =>
    typeof value === 'boolean' ? undefined : `found another value for ${op}; allowed: true or false`,
};

const SCALAR: Operand = {
  schema: { not: { type: 'array' } },
  problem: (value, op) =>
    Array.isArray(value) ? `found a list for ${op}; allowed: a string, a number, true, false or null` : undefined,
};

const PART: Operand = {
  ...SCALAR,
  problem: (value, op) =>
    value === null ? `found null for ${op}; allowed: what the argument must hold` : SCALAR.problem(value, op),
};

export const OPERATORS = {
  eq: { wholeValue: true, operand: SCALAR, compile: same },
  neq: { wholeValue: true, operand: SCALAR, compile: (wanted) => not(same(wanted)) },
  in: { wholeValue: true, operand: LIST, compile: oneOf },
  not_in: { wholeValue: true, operand: LIST, compile: (wanted) => not(oneOf(wanted)) },
  lt: { operand: NUMBER, compile: comparing((order) => order < 0) },
  lte: { operand: NUMBER, compile: comparing((order) => order <= 0) },
  gt: { operand: NUMBER, compile: comparing((order) => order > 0) },
  gte: { operand: NUMBER, compile: comparing((order) => order >= 0) },
  regex: { operand: EXPRESSION, compile: matching },
  contains: { operand: PART, compile: containing },
  // Null counts as absent here; for the others it is a value.
  exists: {
    operand: BOOLEAN,
    seesMissing: true,
    compile: (wanted) => (value) => ((value ?? null) !== null) === (wanted !== false),
  },
} as const satisfies Record<string, Operator>;

export type ConditionOperator = keyof typeof OPERATORS;

export const operatorOf = (name: ConditionOperator): Operator => OPERATORS[name];

/** Operators by the schema of their operand. */
const byOperand = (): [Operand, string[]][] =>
  [
    ...Map.groupBy(
      Object.entries<Operator>(OPERATORS).map(([name, { operand }]) => ({ name, operand })),
      ({ operand }) => JSON.stringify(operand.schema),
    ).values(),
  ].map((rows) => [rows[0]?.operand as Operand, rows.map(({ name }) => name)]);

/** `a list for in and not_in, …`: what `value` may be, for editors. */
export const operandWords = (): string =>
  byOperand()
    .flatMap(([{ words }, names]) => (words === undefined ? [] : [`${words} for ${inWords(names)}`]))
    .join(', ');

const inWords = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

/** JSON Schema of a condition: each operator with the values it can be compared with. */
export const operandRules = (): JsonObject[] =>
  byOperand().map(([{ schema }, names]) => ({
    if: { properties: { op: { enum: names } }, required: ['op'] },
    // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema.
    then: { properties: { value: schema } },
  }));

function regexProblem(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'found no expression; allowed: a regular expression as a string';
  if (value.length > MAX_REGEX) {
    return `found a regular expression of ${value.length} characters; allowed: ${MAX_REGEX} at most`;
  }
  try {
    RE2JS.compile(value);
    return undefined;
  } catch (error) {
    const why = (error as Error).message.replace(/^error parsing regexp: /, '').slice(0, 200);
    return `found a regular expression that is not RE2 (${why}); RE2 has no look-around and no back-references`;
  }
}

const broken = (what: string) => (): never => {
  throw new BrokenRule(what);
};

const not =
  (satisfies: Satisfies): Satisfies =>
  (value) =>
    !satisfies(value);

const NEAR =
  'its number is one that servers read in two ways, as all its digits or as the nearest double: it would have to be sent as a string';

/** What cannot be decided is a broken rule. */
function decided(result: boolean | undefined): boolean {
  if (result === undefined) throw new BrokenRule(NEAR);
  return result;
}

function same(wanted: unknown): Satisfies {
  const isSame = samenessWith(wanted);
  return (value) => decided(isSame(value));
}

/** One that is the same decides, whatever is uncertain of the others. */
function anySame<T>(items: readonly T[], compare: (item: T) => boolean | undefined): boolean | undefined {
  let result: boolean | undefined = false;
  for (const item of items) {
    const same = compare(item);
    if (same) return true;
    if (same === undefined) result = undefined;
  }
  return result;
}

/** A value that is neither a number nor spells one is on no side of any bound. */
function comparing(holds: (order: Exclude<Order, 'near'>) => boolean) {
  return (wanted: unknown): Satisfies => {
    if (numberOf(wanted) === undefined) return broken('its bound is not a number');
    return (value) => {
      const order = orderOf(value, wanted);
      return order !== undefined && holds(order === 'near' ? broken(NEAR)() : order);
    };
  };
}

/** Looks up by number or text first, so that a long list costs no more than a short one. */
function oneOf(wanted: unknown): Satisfies {
  if (!Array.isArray(wanted)) return broken('its value is not a list');
  const byScalar = Map.groupBy(wanted, keyOf);
  return (value) => {
    requireFinite(value);
    return decided(anySame(byScalar.get(keyOf(value)) ?? [], (one) => sameness(one, value)));
  };
}

/** Two values that are the same have the same key; lists and objects all have one. */
const keyOf = (value: unknown): number | string | undefined => numberOf(value) ?? textOf(value);

/** Matches anywhere in the text, as in the published evaluator; numbers and booleans as they are written. */
function matching(wanted: unknown): Satisfies {
  const pattern = typeof wanted === 'string' ? compiled(wanted) : undefined;
  if (!pattern) return broken('its regular expression is not one that RE2 knows');
  return (value) => {
    const text = textOf(value);
    if (text === undefined) return false;
    if (text.length > MAX_REGEX_TEXT) throw new BrokenRule('the argument is too long for its regular expression');
    const matches = pattern.test(text);
    if (typeof value === 'string' || typeof value === 'boolean') return matches;
    requireFinite(value);
    // As all its digits and as the nearest double.
    const isUncertain = value instanceof ExactNumber && pattern.test(String(value.double)) !== matches;
    return decided(isUncertain ? undefined : matches);
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
    if (Array.isArray(value)) return decided(anySame(value, (item) => sameness(wanted, item)));
    return typeof value === 'string' && part !== undefined && value.includes(part);
  };
}
