/**
 * Reads JSON as people write it: comments and trailing commas are accepted (VS Code's own files have both), a byte order
 * mark is skipped, and every value's place is kept so that a mistake can be pointed at by line and column. A key that is
 * written twice is an error. A number that no double holds is an `ExactNumber`.
 *
 * The tokens are jsonc-parser's. Its parser is not used: it goes on after errors, keeps the last of two equal keys, and
 * nests without bound.
 * @module
 */
import { createScanner, type JSONScanner } from 'jsonc-parser';
import { shorten } from '../core/text.ts';
import { exactNumber } from '../wire/json/exact.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';

export type JsonPath = readonly (string | number)[];

export interface TextPosition {
  /** From 1. */
  line: number;
  /** From 1, in UTF-16 units, as editors count. */
  column: number;
}

export interface JsonDocument {
  value: unknown;
  /** Where the value of a path stands (for a member: its key), or the nearest enclosing value that exists. */
  placeOf(path: JsonPath): TextPosition;
}

/** The text is not JSON. The message has what was found and expected; it quotes no more than one sign. */
export class JsonSyntaxError extends Error {
  readonly place: TextPosition;

  constructor(message: string, place: TextPosition) {
    super(message);
    this.name = 'JsonSyntaxError';
    this.place = place;
  }
}

/** Deeper nesting is no configuration, and would exhaust the stack. */
const MAX_DEPTH = 64;

const SCALAR = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

/** Throws {@link JsonSyntaxError}. */
export function parseJsonc(text: string): JsonDocument {
  const reader = new Reader(text);
  const value = reader.document();
  return {
    value,
    placeOf(path) {
      for (let length = path.length; length > 0; length--) {
        const offset = reader.offsets.get(pathKey(path.slice(0, length)));
        if (offset !== undefined) return placeAt(text, offset);
      }
      return placeAt(text, reader.start);
    },
  };
}

/** Unambiguous text of a path, for maps and sets. */
export const pathKey = (path: JsonPath): string => JSON.stringify(path);

function placeAt(text: string, offset: number): TextPosition {
  const before = text.slice(0, offset).split(/\r\n|\n|\r/);
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

class Reader {
  readonly offsets = new Map<string, number>();
  start = 0;
  readonly #text: string;
  readonly #scanner: JSONScanner;
  /** The token that is read next, and where it begins; empty at the end of the file. */
  #token = '';
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#scanner = createScanner(text);
    if (text.charCodeAt(0) === 0xfeff) this.#scanner.setPosition(1);
  }

  document(): unknown {
    this.#next();
    this.start = this.#at;
    if (this.#token === '') this.#fail('the file is empty; the least it can hold is {}');
    const value = this.#value([]);
    if (this.#token !== '') this.#fail(`${this.#seen()} after the end of the document`);
    return value;
  }

  #value(path: JsonPath): unknown {
    if (path.length > MAX_DEPTH) this.#fail(`nested deeper than ${MAX_DEPTH} levels`);
    if (this.#take('{')) return this.#object(path);
    if (this.#take('[')) return this.#array(path);
    if (this.#token.startsWith('"')) return this.#string();
    if (!SCALAR.test(this.#token)) this.#fail(`${this.#seen()} where a value must be`);
    const isNumber = /^[-\d]/.test(this.#token);
    const value: unknown = isNumber ? exactNumber(this.#token) : JSON.parse(this.#token);
    this.#next();
    return value;
  }

  #object(path: JsonPath): JsonObject {
    const object: JsonObject = {};
    while (!this.#take('}')) {
      if (!this.#token.startsWith('"')) this.#fail(`${this.#seen()} where a key in double quotes or } must be`);
      const keyAt = this.#at;
      const key = this.#string();
      const memberPath = [...path, key];
      const first = this.offsets.get(pathKey(memberPath));
      if (first !== undefined) {
        const { line } = placeAt(this.#text, first);
        this.#fail(`the key "${shorten(key, 80)}" a second time; the first is on line ${line}`, keyAt);
      }
      this.offsets.set(pathKey(memberPath), keyAt);
      if (!this.#take(':')) this.#fail(`${this.#seen()} where : must follow the key "${shorten(key, 80)}"`);
      // Not an assignment: a key named __proto__ must become a member, not the prototype.
      Object.defineProperty(object, key, {
        value: this.#value(memberPath),
        writable: true,
        enumerable: true,
        configurable: true,
      });
      if (!this.#take(',') && this.#token !== '}') this.#fail(`${this.#seen()} where , or } must be`);
    }
    return object;
  }

  #array(path: JsonPath): unknown[] {
    const array: unknown[] = [];
    while (!this.#take(']')) {
      const itemPath = [...path, array.length];
      this.offsets.set(pathKey(itemPath), this.#at);
      array.push(this.#value(itemPath));
      if (!this.#take(',') && this.#token !== ']') this.#fail(`${this.#seen()} where , or ] must be`);
    }
    return array;
  }

  #string(): string {
    if (this.#scanner.getTokenError() !== 0) this.#failInString();
    const value = this.#scanner.getTokenValue();
    this.#next();
    return value;
  }

  #failInString(): never {
    for (const { index, 1: sign } of this.#token.matchAll(/\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}|([\s\S]))/g)) {
      if (sign === 'u') this.#fail('\\u must be followed by four hexadecimal digits', this.#at + index);
      if (sign === undefined) continue;
      this.#fail('a \\ that starts no known escape; write \\\\ for one backslash', this.#at + index);
    }
    this.#fail('a string that is not closed on its line');
  }

  #take(sign: string): boolean {
    if (this.#token !== sign) return false;
    this.#next();
    return true;
  }

  /** Goes on to the next token that is neither white space nor a comment. */
  #next(): void {
    do {
      this.#scanner.scan();
      this.#at = this.#scanner.getTokenOffset();
      this.#token = this.#text.slice(this.#at, this.#scanner.getPosition());
      if (this.#token.startsWith('/*') && this.#scanner.getTokenError() !== 0)
        this.#fail('a comment that is not closed');
    } while (/^(?:[ \t\r\n]|\/[/*])/.test(this.#token));
  }

  #seen(): string {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) return 'the end of the file';
    if (code === 0x27) return 'a single quote (\') instead of a double one (")';
    if (code === 0x22) return 'a double quote';
    return code < 0x20 ? 'a control character' : `"${String.fromCodePoint(code)}"`;
  }

  #fail(message: string, at = this.#at): never {
    throw new JsonSyntaxError(message, placeAt(this.#text, at));
  }
}
