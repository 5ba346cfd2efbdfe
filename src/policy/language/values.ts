/**
 * Compares JSON values for conditions. Callers send `"5"` where a schema has 5 and servers accept it, so scalars are compared
 * by what they spell; everything else by structure.
 *
 * - Numbers and strings that are decimal numbers (white space around them aside) compare as decimals, by all their digits.
 *   `NaN`, `Infinity`, `0x10`, and the empty string are text.
 * - Other strings compare exactly: no case folding and no Unicode normalisation, because servers do neither.
 * - `true` and `false` are the same as those words. `null` is the same as `null` alone.
 * - Arrays and objects are the same when their items or own members are; never the same as a scalar.
 *
 * **Two readers of one number.** Of a number that no double holds, some servers read the nearest double and others every
 * digit. Rounding keeps the order of numbers, so both agree about any bound and value but those that are the same double.
 * There it is undecidable what the server will see, and the comparison is `undefined`: the rule denies.
 * @module
 */
import { compareDecimals, isDecimal, isHeldByDouble, parseDecimal } from '../../core/decimal.ts';
import { ExactNumber } from '../../wire/json/exact.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { BrokenRule } from './broken-rule.ts';

const NOT_FINITE = 'its number is larger than any that servers can read';
const WHOLE = /^\s*[+-]?\d+\s*$/;

/** The number a value is or spells, as a double; may be infinite (`1e999`). Undefined when it is none. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (value instanceof ExactNumber) return value.double;
  return typeof value === 'string' && isDecimal(value) ? Number(value) : undefined;
}

/** A string, number or boolean as text; a number that no double holds as it is spelled. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (value instanceof ExactNumber) return value.text;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** Throws {@link BrokenRule} for a number of JSON that is beyond every double. */
export function requireFinite(value: unknown): void {
  const number = value instanceof ExactNumber ? value.double : value;
  if (typeof number === 'number' && !Number.isFinite(number)) throw new BrokenRule(NOT_FINITE);
}

/** `near`: they are the same double and not the same number, and it is undecidable which of the two the server reads. */
export type Order = -1 | 0 | 1 | 'near';

/** How a value stands to a number of a document. Undefined where one of them is no number. Throws {@link BrokenRule}. */
export function orderOf(value: unknown, wanted: unknown): Order | undefined {
  requireFinite(value);
  const [number, bound] = [numberOf(value), numberOf(wanted)];
  if (number === undefined || bound === undefined) return undefined;
  if (number !== bound) return number < bound ? -1 : 1;
  if (typeof value === 'number' && typeof wanted === 'number') return 0;
  const [decimal, other] = [decimalOf(value), decimalOf(wanted)];
  if (!decimal || !other) return 'near';
  const order = compareDecimals(decimal, other);
  if (order === 0) return 0;
  if (isReadTwoWays(value, wanted)) return 'near';
  return order < 0 ? -1 : 1;
}

const decimalOf = (value: unknown) => parseDecimal(textOf(value) ?? '');

/** Whole numbers in texts are ids: those who send them so mean every digit. So do those beyond every double. */
function isReadTwoWays(value: unknown, wanted: unknown): boolean {
  if (typeof value !== 'string') return value instanceof ExactNumber;
  if (isHeldByDouble(value)) return false;
  const areTexts = typeof wanted === 'string' && WHOLE.test(value) && WHOLE.test(wanted);
  return !areTexts && Number.isFinite(Number(value));
}

/** Whether a value is the wanted one; undefined where that is undecidable. Throws {@link BrokenRule}. */
export function sameness(wanted: unknown, value: unknown): boolean | undefined {
  const text = textOf(value);
  if (text === undefined) return sameStructure(wanted, value);
  const order = orderOf(value, wanted);
  const other = textOf(wanted);
  if (other === undefined) return false;
  if (text === other) return true;
  return order === 'near' ? undefined : order === 0;
}

/** {@link sameness} with one wanted value, of which what does not change is found out once. */
export function samenessWith(wanted: unknown): (value: unknown) => boolean | undefined {
  if (typeof wanted !== 'string' || isDecimal(wanted)) return (value) => sameness(wanted, value);
  // A text that spells no number is the same as that very text and no other.
  return (value) => (typeof value === 'string' ? value === wanted : sameness(wanted, value));
}

/** What is false of one item is false of the list; what is uncertain of one is uncertain of it. At most as many steps as the smaller has members. */
function sameStructure(wanted: unknown, value: unknown): boolean | undefined {
  if (wanted === null || value === null) return wanted === value;
  if (Array.isArray(wanted)) {
    if (!Array.isArray(value) || wanted.length !== value.length) return false;
    return allSame(wanted.keys(), (index) => sameness(wanted[index], value[index]));
  }
  if (!isObject(wanted) || !isObject(value) || wanted instanceof ExactNumber) return false;
  const keys = Object.keys(wanted);
  if (keys.length !== Object.keys(value).length) return false;
  return allSame(keys, (key) => Object.hasOwn(value, key) && sameness(wanted[key], value[key]));
}

function allSame<K>(keys: Iterable<K>, compare: (key: K) => boolean | undefined): boolean | undefined {
  let result: boolean | undefined = true;
  for (const key of keys) {
    const same = compare(key);
    if (same === false) return false;
    result &&= same;
  }
  return result;
}
