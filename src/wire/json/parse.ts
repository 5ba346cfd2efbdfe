/**
 * Parses JSON text so that every member has the name that its key spells.
 *
 * `JSON.parse` of V8 13 (Node 24) may misread a key with an escape: where objects with a member `pat\` were parsed before,
 * it takes `"pat\u0068"` for that name, as it compares what it expects with the text before it decodes the text. Policy
 * would then judge other names than the server reads, so texts with such keys are read here.
 * @module
 */
import { BACKSLASH, COLON, COMMA, LBRACE, LBRACKET, QUOTE, RBRACE, RBRACKET } from './bytes.ts';
import { ExactNumber, exactNumber, mayExceedDouble } from './exact.ts';
import { JsonScanError, MAX_DEPTH } from './scan.ts';

/** As `JSON.parse`. Throws `JsonScanError` where keys have escapes and the text nests deeper than `MAX_DEPTH`. */
export function parseText(text: string): unknown {
  const parsed: unknown = JSON.parse(text);
  return hasEscapedKey(text) ? new Reader(text).value(0) : parsed;
}

/**
 * The same with every number that no double holds as an `ExactNumber`. Throws `JsonScanError` also where such a text nests
 * deeper than `MAX_DEPTH`.
 */
export const parseExact = (text: string): unknown => parseIfExact(text) ?? parseText(text);

/** The same, or undefined for a text without such a number. */
export function parseIfExact(text: string): unknown {
  if (!mayExceedDouble(text)) return undefined;
  JSON.parse(text);
  let isFound = false;
  const value = new Reader(text, (number) => {
    const exact = exactNumber(number);
    isFound ||= exact instanceof ExactNumber;
    return exact;
  }).value(0);
  return isFound ? value : undefined;
}

/** `text` is well-formed: a backslash begins an escape, and a string that a colon follows is a key. Goes from escape to escape. */
function hasEscapedKey(text: string): boolean {
  let quote = -1;
  for (let slash = text.indexOf('\\'); slash !== -1; ) {
    const after = slash + 2;
    if (quote < after) quote = text.indexOf('"', after);
    slash = text.indexOf('\\', after);
    const isLast = slash === -1 || slash > quote;
    if (isLast && text.charCodeAt(skipSpace(text, quote + 1)) === COLON) return true;
  }
  return false;
}

const SCALAR = /[^\s,\]}]+/y;

/** Reads text that is known to be well-formed. Strings are decoded by `JSON.parse`, each alone. */
class Reader {
  readonly #text: string;
  readonly #number: (text: string) => unknown;
  #at = 0;

  constructor(text: string, number: (text: string) => unknown = Number) {
    this.#text = text;
    this.#number = number;
  }

  value(depth: number): unknown {
    const first = this.#next();
    if (first === QUOTE) return this.#string();
    if (first === LBRACE || first === LBRACKET) {
      if (depth === MAX_DEPTH) throw new JsonScanError(`nesting deeper than ${MAX_DEPTH}`, this.#at);
      this.#at++;
      return first === LBRACE ? this.#object(depth + 1) : this.#array(depth + 1);
    }
    SCALAR.lastIndex = this.#at;
    const [scalar] = SCALAR.exec(this.#text) as RegExpExecArray;
    this.#at += scalar.length;
    return scalar === 'true' || scalar === 'false' || scalar === 'null' ? JSON.parse(scalar) : this.#number(scalar);
  }

  #object(depth: number): unknown {
    const object = {};
    while (this.#next() !== RBRACE) {
      if (this.#next() === COMMA) this.#at++;
      this.#next();
      const key = this.#string();
      this.#next();
      this.#at++;
      const value = this.value(depth);
      // Assigning `__proto__` would set the prototype.
      Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
    }
    this.#at++;
    return object;
  }

  #array(depth: number): unknown {
    const array: unknown[] = [];
    while (this.#next() !== RBRACKET) {
      if (this.#next() === COMMA) this.#at++;
      array.push(this.value(depth));
    }
    this.#at++;
    return array;
  }

  #string(): string {
    const start = this.#at;
    this.#at = endOfString(this.#text, start + 1);
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  /** The character that comes next, behind spaces. */
  #next(): number {
    this.#at = skipSpace(this.#text, this.#at);
    return this.#text.charCodeAt(this.#at);
  }
}

export const isSpace = (c: number): boolean => c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;

export function skipSpace(text: string, i: number): number {
  while (isSpace(text.charCodeAt(i))) i++;
  return i;
}

/** Strings up to this length are read character by character; in longer ones the quote is searched for. */
const SHORT_STRING = 32;

/** `i` is behind the opening quote of a string that ends. Returns the index after the closing one. */
export function endOfString(text: string, i: number): number {
  for (const near = i + SHORT_STRING; i < near; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) return i + 1;
    if (c === BACKSLASH) i++;
  }
  for (let quote = text.indexOf('"', i); ; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1;
    while (before >= i && text.charCodeAt(before) === BACKSLASH) before--;
    if (((quote - before) & 1) === 1) return quote + 1;
  }
}
