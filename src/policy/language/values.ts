/**
 * Compares JSON values for conditions. Callers send `"5"` where a schema has 5 and servers accept it, so scalars are compared
 * by what they spell; everything else by structure.
 *
 * - Numbers and strings that are decimal numbers (white space around them aside) compare as numbers. `NaN`, `Infinity`,
 *   `0x10`, and the empty string are text. Whole numbers written as strings compare by all their digits: beyond 2^53
 *   two ids would otherwise be one.
 * - Other strings compare exactly: no case folding and no Unicode normalisation, because servers do neither.
 * - `true` and `false` are the same as those words. `null` is the same as `null` alone.
 * - Arrays and objects are the same when their items or own members are; never the same as a scalar.
 * @module
 */
import { isObject } from '../../wire/jsonrpc.ts';

// No two parts of it can match the same digits: linear whatever the text.
const DECIMAL = /^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?\s*$/i;
const WHOLE = /^\s*([+-]?)0*([1-9]\d*|)\s*$/;

/** The number a value is or spells; may be infinite (`1e999`). Undefined when it is none. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && DECIMAL.test(value) ? Number(value) : undefined;
}

/** A string, number or boolean as text. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

export function same(a: unknown, b: unknown): boolean {
  const text = textOf(a);
  if (text === undefined) return sameStructure(a, b);
  const other = textOf(b);
  if (other === undefined) return false;
  if (text === other) return true;
  const number = numberOf(a);
  if (number === undefined || number !== numberOf(b)) return false;
  if (typeof a === 'string' && typeof b === 'string' && !Number.isSafeInteger(number)) return sameDigits(a, b);
  return Number.isFinite(number);
}

/** For two texts that are equal as floating-point numbers: whole numbers compare by their digits, others are the same. */
function sameDigits(a: string, b: string): boolean {
  const [, sign, digits] = WHOLE.exec(a) ?? [];
  const [, otherSign, otherDigits] = WHOLE.exec(b) ?? [];
  if (digits === undefined || otherDigits === undefined) return Number.isFinite(Number(a));
  return digits === otherDigits && (sign === '-') === (otherSign === '-');
}

/** At most as many steps as the smaller of the two has members. */
function sameStructure(a: unknown, b: unknown): boolean {
  if (a === null || b === null) return a === b;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => same(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}
