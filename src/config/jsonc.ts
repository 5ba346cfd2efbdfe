/**
 * Reads JSON as people write it: comments and trailing commas are accepted (VS Code's own files have both), a byte
 * order mark is skipped, and every value's place is kept so that a mistake can be pointed at by line and column.
 * `JSON.parse` gives neither, and it hides a key that is written twice; here that is an error.
 * @module
 */
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

/** The text is not JSON. The message says what stands there and what was expected; it quotes no more than one sign. */
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

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING_RUN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

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
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    if (text.charCodeAt(0) === 0xfeff) this.#at = 1;
  }

  document(): unknown {
    this.#skip();
    this.start = this.#at;
    if (this.#at === this.#text.length) this.#fail('the file is empty; the least it can hold is {}');
    const value = this.#value([]);
    this.#skip();
    if (this.#at < this.#text.length) this.#fail(`${this.#seen()} after the end of the document`);
    return value;
  }

  #value(path: JsonPath): unknown {
    if (path.length > MAX_DEPTH) this.#fail(`nested deeper than ${MAX_DEPTH} levels`);
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(path);
      case '[':
        return this.#array(path);
      case '"':
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  #object(path: JsonPath): JsonObject {
    const object: JsonObject = {};
    this.#at++;
    for (;;) {
      this.#skip();
      if (this.#take('}')) return object;
      if (this.#text[this.#at] !== '"') this.#fail(`${this.#seen()} where a key in double quotes or } must be`);
      const keyAt = this.#at;
      const key = this.#string();
      const memberPath = [...path, key];
      const first = this.offsets.get(pathKey(memberPath));
      if (first !== undefined) {
        const line = placeAt(this.#text, first).line;
        this.#fail(`the key "${key.slice(0, 80)}" a second time; the first is on line ${line}`, keyAt);
      }
      this.offsets.set(pathKey(memberPath), keyAt);
      this.#skip();
      if (!this.#take(':')) this.#fail(`${this.#seen()} where : must follow the key "${key.slice(0, 80)}"`);
      this.#skip();
      // Not an assignment: a key named __proto__ must become a member, not the prototype.
      Object.defineProperty(object, key, {
        value: this.#value(memberPath),
        writable: true,
        enumerable: true,
        configurable: true,
      });
      this.#skip();
      if (this.#take(',')) continue;
      if (this.#take('}')) return object;
      this.#fail(`${this.#seen()} where , or } must be`);
    }
  }

  #array(path: JsonPath): unknown[] {
    const array: unknown[] = [];
    this.#at++;
    for (;;) {
      this.#skip();
      if (this.#take(']')) return array;
      const itemPath = [...path, array.length];
      this.offsets.set(pathKey(itemPath), this.#at);
      array.push(this.#value(itemPath));
      this.#skip();
      if (this.#take(',')) continue;
      if (this.#take(']')) return array;
      this.#fail(`${this.#seen()} where , or ] must be`);
    }
  }

  #string(): string {
    const opened = this.#at++;
    let value = '';
    for (;;) {
      STRING_RUN.lastIndex = this.#at;
      const run = STRING_RUN.exec(this.#text)?.[0] ?? '';
      value += run;
      this.#at += run.length;
      const sign = this.#text[this.#at];
      if (sign === '"') {
        this.#at++;
        return value;
      }
      if (sign !== '\\') this.#fail('a string that is not closed on its line', opened);
      value += this.#escape();
    }
  }

  #escape(): string {
    const at = this.#at;
    const sign = this.#text[at + 1] ?? '';
    if (sign === 'u') {
      const hex = this.#text.slice(at + 2, at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.#fail('\\u must be followed by four hexadecimal digits');
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const value = ESCAPES[sign];
    if (value === undefined) this.#fail('a \\ that starts no known escape; write \\\\ for one backslash');
    this.#at += 2;
    return value;
  }

  #scalar(): unknown {
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    NUMBER.lastIndex = this.#at;
    const number = NUMBER.exec(this.#text)?.[0];
    if (number === undefined) this.#fail(`${this.#seen()} where a value must be`);
    this.#at += number.length;
    return Number(number);
  }

  #take(sign: string): boolean {
    if (this.#text[this.#at] !== sign) return false;
    this.#at++;
    return true;
  }

  /** White space and comments. */
  #skip(): void {
    for (;;) {
      const sign = this.#text[this.#at];
      if (sign === ' ' || sign === '\n' || sign === '\r' || sign === '\t') {
        this.#at++;
      } else if (sign === '/' && this.#text[this.#at + 1] === '/') {
        while (this.#at < this.#text.length && !/[\n\r]/.test(this.#text.charAt(this.#at))) this.#at++;
      } else if (sign === '/' && this.#text[this.#at + 1] === '*') {
        const end = this.#text.indexOf('*/', this.#at + 2);
        if (end === -1) this.#fail('a comment that is not closed');
        this.#at = end + 2;
      } else {
        return;
      }
    }
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
