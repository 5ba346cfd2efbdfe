/**
 * Canonical JSON: one text for one value, however its members were ordered, for hashes and fingerprints. Members are
 * sorted by UTF-16 code units at every depth and nothing is written between tokens, as in RFC 8785. Text is written
 * directly, without sorted copies of the value, and without recursion: arguments may be nested deeper than the stack.
 * @module
 */
import { ExactNumber } from './exact.ts';

interface Frame {
  /** Undefined: an array. */
  keys: readonly string[] | undefined;
  value: Readonly<Record<string, unknown>> & readonly unknown[];
  at: number;
  /** Something stands in it already: the next member needs a comma. */
  filled: boolean;
}

export interface CanonicalStart {
  text: string;
  /** False: the value's text is longer, and this is its beginning. */
  whole: boolean;
}

/** The canonical text of a JSON value. What JSON has no word for is left out of objects and `null` elsewhere. */
export const canonicalJson = (value: unknown): string => write(value, Number.POSITIVE_INFINITY).text;

/**
 * The same, for values of any size: it stops after `maxLength` characters. Work is bounded too, so the members of an
 * object too large for what room is left are not sorted but stand as they came.
 */
export const canonicalStart = (value: unknown, maxLength: number): CanonicalStart => write(value, maxLength);

function write(root: unknown, maxLength: number): CanonicalStart {
  if (isCanonical(root)) {
    const text = JSON.stringify(root);
    if (text.length <= maxLength) return { text, whole: true };
  }
  const stack: Frame[] = [];
  let text = '';
  /** Opens what is not a leaf. */
  const put = (value: unknown): void => {
    if (typeof value === 'object' && value !== null && !(value instanceof ExactNumber)) {
      const isList = Array.isArray(value);
      const keys = isList ? undefined : sorted(Object.keys(value), maxLength - text.length);
      text += isList ? '[' : '{';
      stack.push({ keys, value: value as Frame['value'], at: 0, filled: false });
    } else {
      text += leaf(value, maxLength - text.length);
    }
  };
  put(root);
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    if (text.length > maxLength) break;
    const { keys, value, at } = frame;
    if (at === (keys ?? value).length) {
      text += keys === undefined ? ']' : '}';
      stack.pop();
      continue;
    }
    frame.at++;
    if (keys === undefined) {
      if (at > 0) text += ',';
      put(value[at]);
      continue;
    }
    const key = keys[at] as string;
    const member = (value as Readonly<Record<string, unknown>>)[key];
    if (!isWritten(member)) continue;
    if (frame.filled) text += ',';
    frame.filled = true;
    text += `${leaf(key, maxLength - text.length)}:`;
    put(member);
  }
  return text.length > maxLength ? { text: text.slice(0, maxLength), whole: false } : { text, whole: true };
}

/** What is larger than this, in parts or in characters of one, is not looked through twice. */
const FEW = 64;
const SHORT = 1_024;
let left = 0;

/**
 * Whether `JSON.stringify`, which is faster, writes the same of a small value: names are in order already, as in most
 * arguments, and JSON has a word for everything.
 */
function isCanonical(value: unknown): boolean {
  left = FEW;
  return isInOrder(value);
}

function isInOrder(value: unknown): boolean {
  if (--left < 0) return false;
  if (typeof value === 'string') return value.length <= SHORT;
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'boolean' || value === null || Number.isFinite(value);
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return false;
  if (Array.isArray(value)) return value.length <= FEW && value.every(isInOrder);
  let before: string | undefined;
  for (const key in value) {
    if ((before !== undefined && key <= before) || key.length > SHORT) return false;
    if (!isInOrder((value as Readonly<Record<string, unknown>>)[key])) return false;
    before = key;
  }
  return true;
}

/** A member takes at least `"":0,`: more of them than fit are cut anyway. */
const sorted = (keys: string[], room: number): string[] => (keys.length * 5 - 1 > room ? keys : keys.sort());

const isWritten = (value: unknown): boolean =>
  value !== undefined && typeof value !== 'function' && typeof value !== 'symbol';

/** One character more than there is room for, so that the text is seen to be cut. */
function leaf(value: unknown, room: number): string {
  if (typeof value === 'string') {
    const fits = value.length <= room ? value : value.slice(0, Math.max(0, room) + 1);
    return JSON.stringify(fits);
  }
  if (value instanceof ExactNumber) return value.text;
  // Numbers as ECMAScript writes them (RFC 8785, 3.2.2.3); NaN and the infinities are no JSON.
  if (typeof value === 'number') return Number.isFinite(value) ? `${value === 0 ? 0 : value}` : 'null';
  return typeof value === 'boolean' || typeof value === 'bigint' ? `${value}` : 'null';
}
