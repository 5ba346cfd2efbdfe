/**
 * Finds where values are in JSON bytes without building objects. The relay needs it for two reasons: passing a result's
 * bytes through is 2-3 times cheaper than parsing and writing it again, and it is the only way that loses nothing
 * (numbers beyond 2^53, the order of integer-like keys, the spelling of 1.0).
 *
 * Invariant: every function either returns exact spans of well-formed JSON or throws {@link JsonScanError}. The grammar
 * of structure, literals and numbers is checked in full; of strings only what framing depends on (they end; short ones
 * hold no raw control characters).
 * @module
 */

import { BACKSLASH, COLON, COMMA, LBRACE, LBRACKET, MINUS, QUOTE, RBRACE, RBRACKET } from './bytes.ts';
import { ContainerStack } from './container-stack.ts';

export class JsonScanError extends Error {
  constructor(what: string, at: number) {
    super(`${what} at byte ${at}`);
    this.name = 'JsonScanError';
  }
}

/** Half-open: `start` is the first byte, `end` the byte after the last. */
export interface Span {
  start: number;
  end: number;
}

const ZERO = 0x30;

/**
 * Messages that become values may nest this deep: what reads and writes values recurses (JSON.stringify overflows the stack
 * somewhere above 4,000). Bytes that are passed on may nest as deep as they like.
 */
export const MAX_DEPTH = 1_000;

/** Strings up to this length are read byte by byte. */
const SHORT_STRING = 48;
/** After so many escaped quotes the rest of a string is searched as text, in pieces that grow. */
const MANY_QUOTES = 16;
/** A string with a quote in fewer bytes than this is read byte by byte. */
const DENSE = 16;
const FIRST_PIECE = 512;
const LARGEST_PIECE = 32 * 1024;

export function skipWhitespace(buf: Uint8Array, i: number): number {
  for (;;) {
    const c = buf[i];
    if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) i++;
    else return i;
  }
}

/** `i` is at the opening quote; returns the index after the closing one. */
function skipString(buf: Buffer, i: number): number {
  const end = endOfString(buf, i + 1);
  if (end === -1) throw new JsonScanError('string without an end', i);
  return end;
}

/**
 * `i` is inside a string, at a character that is not escaped; returns the index after the closing quote, or -1 when the
 * bytes end first. `before`: so many bytes of the string came in chunks before this one.
 */
export function endOfString(buf: Buffer, i: number, before = 0): number {
  const near = Math.min(buf.length, i + SHORT_STRING - before);
  while (i < near) {
    const c = buf[i] as number;
    if (c === QUOTE) return i + 1;
    if (c === BACKSLASH) i += 2;
    else if (c < 0x20) throw new JsonScanError('control character in a string', i);
    else i++;
  }
  return i < buf.length ? endOfLongString(buf, i) : -1;
}

/**
 * A search in the buffer is cheapest for text with few quotes in it. One in a one-byte string costs a fifth of it, but a
 * copy first, and pays for itself where there are more (measured, 66 KiB: prose 3 µs, prose with quoted words 18 µs).
 */
function endOfLongString(buf: Buffer, first: number): number {
  let from = first;
  for (let tries = 0; tries < MANY_QUOTES; tries++) {
    const quote = buf.indexOf(QUOTE, from);
    if (quote === -1) return -1;
    if (!isEscaped(buf, first, quote)) return quote + 1;
    from = quote + 1;
  }
  for (let size = FIRST_PIECE; from < buf.length; size = Math.min(size * 8, LARGEST_PIECE)) {
    const piece = buf.toString('latin1', from, Math.min(buf.length, from + size));
    let quotes = 0;
    for (let at = piece.indexOf('"'); at !== -1; at = piece.indexOf('"', at + 1)) {
      if (!isEscaped(buf, first, from + at)) return from + at + 1;
      quotes++;
    }
    from += piece.length;
    if (quotes * DENSE > piece.length) return endOfDenseString(buf, isEscaped(buf, first, from) ? from + 1 : from);
  }
  return -1;
}

/** Where every few bytes are a quote, no search is as cheap as looking at each byte. */
function endOfDenseString(buf: Buffer, i: number): number {
  while (i < buf.length) {
    const c = buf[i];
    if (c === QUOTE) return i + 1;
    i += c === BACKSLASH ? 2 : 1;
  }
  return -1;
}

/** Whether an odd number of backslashes stands before `at`, none of them before `first`. */
function isEscaped(buf: Buffer, first: number, at: number): boolean {
  let before = at - 1;
  while (before >= first && buf[before] === BACKSLASH) before--;
  return ((at - before) & 1) === 0;
}

const isDigit = (c: number | undefined): boolean => c !== undefined && c >= 0x30 && c <= 0x39;

/** `i` is at the first byte of a number; returns the index after its last. */
export function skipNumber(buf: Uint8Array, i: number): number {
  const start = i;
  if (buf[i] === MINUS) i++;
  if (buf[i] === ZERO) i++;
  else if (isDigit(buf[i])) while (isDigit(buf[i])) i++;
  else throw new JsonScanError('malformed number', start);
  if (buf[i] === 0x2e) {
    i++;
    if (!isDigit(buf[i])) throw new JsonScanError('malformed number', start);
    while (isDigit(buf[i])) i++;
  }
  if (buf[i] === 0x65 || buf[i] === 0x45) {
    i++;
    if (buf[i] === 0x2b || buf[i] === MINUS) i++;
    if (!isDigit(buf[i])) throw new JsonScanError('malformed number', start);
    while (isDigit(buf[i])) i++;
  }
  return i;
}

/** The same for `true`, `false` and `null`. */
export function skipLiteral(buf: Uint8Array, i: number): number {
  const c = buf[i];
  if (c === 0x74 && buf[i + 1] === 0x72 && buf[i + 2] === 0x75 && buf[i + 3] === 0x65) return i + 4;
  if (c === 0x6e && buf[i + 1] === 0x75 && buf[i + 2] === 0x6c && buf[i + 3] === 0x6c) return i + 4;
  if (c === 0x66 && buf[i + 1] === 0x61 && buf[i + 2] === 0x6c && buf[i + 3] === 0x73 && buf[i + 4] === 0x65) {
    return i + 5;
  }
  throw new JsonScanError(i >= buf.length ? 'unexpected end' : 'unexpected character', i);
}

function skipScalar(buf: Buffer, i: number): number {
  const c = buf[i];
  if (c === QUOTE) return skipString(buf, i);
  if (c === MINUS || isDigit(c)) return skipNumber(buf, i);
  return skipLiteral(buf, i);
}

/** Skips a key and its colon; returns the index of the value. */
function skipKey(buf: Buffer, i: number): number {
  if (buf[i] !== QUOTE) throw new JsonScanError('expected a key', i);
  i = skipWhitespace(buf, skipString(buf, i));
  if (buf[i] !== COLON) throw new JsonScanError('expected a colon', i);
  return skipWhitespace(buf, i + 1);
}

/** Scanning a value is synchronous and scans nothing else: one stack does for all. */
const open = new ContainerStack();

/** `i` is at the first byte of a value; returns the index after its last. */
export function skipValue(buf: Buffer, i: number): number {
  const c = buf[i];
  if (c !== LBRACE && c !== LBRACKET) return skipScalar(buf, i);
  open.clear();
  for (;;) {
    const at = buf[i];
    if (at === LBRACE || at === LBRACKET) {
      open.push(at === LBRACE);
      i = skipWhitespace(buf, i + 1);
      if (buf[i] === (at === LBRACE ? RBRACE : RBRACKET)) {
        open.pop();
        i++;
      } else {
        if (at === LBRACE) i = skipKey(buf, i);
        continue;
      }
    } else {
      i = skipScalar(buf, i);
    }
    // A value has just ended: close containers until one goes on.
    for (;;) {
      if (open.depth === 0) return i;
      const inObject = open.isObject;
      i = skipWhitespace(buf, i);
      const next = buf[i];
      if (next === COMMA) {
        i = skipWhitespace(buf, i + 1);
        if (inObject) i = skipKey(buf, i);
        break;
      }
      if (next !== (inObject ? RBRACE : RBRACKET)) {
        throw new JsonScanError(i >= buf.length ? 'unexpected end' : 'expected a comma or an end', i);
      }
      open.pop();
      i++;
    }
  }
}

/** Called with the spans of a key (quotes included) and its value. */
export type MemberVisitor = (keyStart: number, keyEnd: number, valueStart: number, valueEnd: number) => void;

/** Visits the members of the object at `i`; returns the index after its closing brace. */
export function visitMembers(buf: Buffer, i: number, visit: MemberVisitor): number {
  i = skipWhitespace(buf, i);
  if (buf[i] !== LBRACE) throw new JsonScanError('expected an object', i);
  i = skipWhitespace(buf, i + 1);
  if (buf[i] === RBRACE) return i + 1;
  for (;;) {
    const keyStart = i;
    if (buf[i] !== QUOTE) throw new JsonScanError('expected a key', i);
    const keyEnd = skipString(buf, i);
    i = skipWhitespace(buf, keyEnd);
    if (buf[i] !== COLON) throw new JsonScanError('expected a colon', i);
    const valueStart = skipWhitespace(buf, i + 1);
    const valueEnd = skipValue(buf, valueStart);
    visit(keyStart, keyEnd, valueStart, valueEnd);
    i = skipWhitespace(buf, valueEnd);
    if (buf[i] === COMMA) {
      i = skipWhitespace(buf, i + 1);
      continue;
    }
    if (buf[i] !== RBRACE) throw new JsonScanError('expected a comma or an end', i);
    return i + 1;
  }
}

/** The spans of the elements of the array at `i`; of the first `most`, and what follows them is not checked. */
export function elements(buf: Buffer, i: number, most = Number.POSITIVE_INFINITY): Span[] {
  i = skipWhitespace(buf, i);
  if (buf[i] !== LBRACKET) throw new JsonScanError('expected an array', i);
  const spans: Span[] = [];
  i = skipWhitespace(buf, i + 1);
  if (buf[i] === RBRACKET) return spans;
  for (;;) {
    const end = skipValue(buf, i);
    spans.push({ start: i, end });
    if (spans.length === most) return spans;
    i = skipWhitespace(buf, end);
    if (buf[i] === COMMA) {
      i = skipWhitespace(buf, i + 1);
      continue;
    }
    if (buf[i] !== RBRACKET) throw new JsonScanError('expected a comma or an end', i);
    return spans;
  }
}

/**
 * The text of a key. Keys with escapes are decoded, so that `"\u0069d"` is seen as `id`: a reader that compares bytes
 * and a client that parses must never disagree on what a member is called.
 */
export function keyText(buf: Buffer, keyStart: number, keyEnd: number): string {
  const text = buf.toString('latin1', keyStart + 1, keyEnd - 1);
  if (!text.includes('\\')) return /[^\x00-\x7f]/.test(text) ? buf.toString('utf8', keyStart + 1, keyEnd - 1) : text;
  try {
    return JSON.parse(buf.toString('utf8', keyStart, keyEnd)) as string;
  } catch {
    throw new JsonScanError('malformed key', keyStart);
  }
}

/** The span of one member's value, or `undefined`. The last one wins, as in `JSON.parse`. */
export function member(buf: Buffer, objectStart: number, name: string): Span | undefined {
  let found: Span | undefined;
  visitMembers(buf, objectStart, (keyStart, keyEnd, start, end) => {
    if (keyText(buf, keyStart, keyEnd) === name) found = { start, end };
  });
  return found;
}
