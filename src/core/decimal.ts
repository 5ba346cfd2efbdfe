/**
 * Decimal numbers as they are spelled, compared digit by digit: no double-precision number holds them all. Work is linear in
 * the length of the text, whatever its exponent says.
 * @module
 */

/** `sign` × 0.`digits` × 10^`point`. `digits` neither begins nor ends in 0; zero has none. */
export interface Decimal {
  sign: -1 | 0 | 1;
  digits: string;
  point: number;
}

// No two parts of it can match the same digits: linear whatever the text.
const NUMBER = /^\s*([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?)(?=\d)0*(\d*))?\s*$/;
/** Longer ones lead beyond what can be counted exactly. */
const MAX_EXPONENT_DIGITS = 15;

/** Whether a text spells a decimal number, white space around it aside. */
export const isDecimal = (text: string): boolean => NUMBER.test(text);

/** Undefined for a text that spells no decimal number, or one whose exponent has too many digits. */
export function parseDecimal(text: string): Decimal | undefined {
  const found = NUMBER.exec(text);
  if (!found) return undefined;
  const [, sign, whole = '', fraction = found[4] ?? '', , exponentSign, exponent = ''] = found;
  const all = whole + fraction;
  let start = 0;
  let end = all.length;
  while (start < end && all.charCodeAt(start) === 0x30) start++;
  while (end > start && all.charCodeAt(end - 1) === 0x30) end--;
  if (start === end) return ZERO;
  if (exponent.length > MAX_EXPONENT_DIGITS) return undefined;
  const shift = Number(exponent) * (exponentSign === '-' ? -1 : 1);
  return { sign: sign === '-' ? -1 : 1, digits: all.slice(start, end), point: whole.length - start + shift };
}

const ZERO: Decimal = { sign: 0, digits: '', point: 0 };

/** Negative where `a` is less than `b`, positive where it is more, 0 where they are the same number. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.sign !== b.sign) return a.sign - b.sign;
  if (a.point !== b.point) return a.sign * (a.point - b.point);
  if (a.digits === b.digits) return 0;
  return a.digits < b.digits ? -a.sign : a.sign;
}

/** Whether the double that a reader makes of this text is the number that it spells. */
export function isHeldByDouble(text: string): boolean {
  const double = Number(text);
  if (!Number.isFinite(double)) return false;
  const [spelled, held] = [parseDecimal(text), parseDecimal(String(double))];
  return spelled !== undefined && held !== undefined && compareDecimals(spelled, held) === 0;
}
