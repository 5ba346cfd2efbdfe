/**
 * Reads the outline of a JSON-RPC message from its bytes: enough to route a message and to pass its result on. Every byte is looked at once, and what later steps look for (a result's type, its `_meta`, …) is noted in passing.
 * The bytes may come in several chunks: the scanner goes on in the next one wherever the last one ended.
 *
 * The grammar is checked as in `scan.ts`: structure, literals and numbers in full, strings only as far as framing depends
 * on them.
 * @module
 */
import { type Pieces, textOf } from '../pieces.ts';
import { endOfString, JsonScanError, keyText, MAX_DEPTH, type Span, skipLiteral, skipNumber } from './scan.ts';

/** What is known of the object that is a result. Offsets count from the result's first byte. */
export class ResultOutline {
  /** The value of `resultType`, where it is a string. */
  type: string | undefined = undefined;
  /** Whether there is a member `resultType`, of whatever kind. */
  hasType = false;
  /** Several members `resultType`. */
  typeRepeated = false;
  /** What has to be cut out, a comma included, to take `resultType` away. */
  cutStart = 0;
  cutEnd = 0;
  hasMeta = false;
  hasTtlMs = false;
  hasCacheScope = false;
  /** `isError` is `true`. */
  isError = false;
  /** Where the first member starts; of an empty object, where it ends. */
  first = 1;
  isEmpty = true;
  /** A member at any depth is called `uri`: something here leads to a resource. */
  hasUri = false;
}

export interface Outline {
  /** Parsed; `undefined` when absent, `null` when null. */
  id: unknown;
  method: string | undefined;
  result: Span | undefined;
  error: Span | undefined;
  /** Of a result that is an object. */
  members: ResultOutline | undefined;
}

/**
 * Scans one JSON-RPC message. Throws {@link JsonScanError} for anything that is not one well-formed JSON object, so a
 * truncated or malformed body is never passed on as a result.
 */
export function outline(message: Buffer | Pieces): Outline {
  const pieces = Array.isArray(message) ? (message as Pieces) : [message as Buffer];
  scanner.begin();
  for (const piece of pieces) scanner.push(piece);
  return scanner.end(pieces);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LBRACE = 0x7b;
const RBRACE = 0x7d;
const LBRACKET = 0x5b;
const RBRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const LOWER_T = 0x74;

// What may come next.
const VALUE = 0;
const FIRST_ELEMENT = 1;
const KEY = 2;
const FIRST_KEY = 3;
const AFTER_KEY = 4;
const AFTER_VALUE = 5;
const END = 6;
// The last chunk ended inside one of these.
const IN_STRING = 7;
const IN_TOKEN = 8;

const quoted = (...names: string[]): Buffer[] => names.map((name) => Buffer.from(`"${name}"`));

const MESSAGE_KEYS = quoted('id', 'method', 'result', 'error');
const ID = 0;
const METHOD = 1;
const RESULT = 2;
const ERROR = 3;

const RESULT_KEYS = quoted('resultType', '_meta', 'ttlMs', 'cacheScope', 'isError');
const TYPE = 0;
const IS_ERROR = 1;
const OTHER = -1;

const TOKEN = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

class Scanner {
  #state = VALUE;
  #depth = 0;
  /** Per open container: 1 for an object. Index 0 is unused. */
  readonly #open = new Uint8Array(MAX_DEPTH + 1);
  /** Bytes of all chunks before this one. */
  #base = 0;
  #inKey = false;
  /** The last chunk ended behind a backslash that escapes what comes next. */
  #escaped = false;
  /** Where the string began that goes on. */
  #stringStart = 0;
  /** The beginning of a key, a number or a literal that goes on. */
  #partial: Buffer | undefined;

  /** The member of the message, and of its result, that is being read. */
  #outer = OTHER;
  #inner = OTHER;
  /** At depth 2, inside the object that is the result. */
  #inResult = false;
  #outerStart = 0;
  #innerStart = 0;
  #keyStart = 0;
  /** Where the last member of the result ended; -1 before the first. */
  #innerEnd = -1;
  #cutsComma = false;

  #id: Span | undefined;
  #method: Span | undefined;
  #result: Span | undefined;
  #error: Span | undefined;
  #type: Span | undefined;
  #members: ResultOutline | undefined;
  #hasUri = false;

  begin(): void {
    this.#state = VALUE;
    this.#depth = 0;
    this.#base = 0;
    this.#escaped = false;
    this.#partial = undefined;
    this.#inResult = false;
    this.#cutsComma = false;
    this.#id = this.#method = this.#result = this.#error = this.#type = undefined;
    this.#members = undefined;
    this.#hasUri = false;
  }

  end(pieces: Pieces): Outline {
    this.finish();
    const members = this.#members;
    this.#members = undefined;
    if (members) {
      members.hasUri = this.#hasUri;
      if (this.#type) members.type = typeOf(pieces, this.#type);
    }
    const id = this.#id;
    const method = this.#method;
    return {
      id: id && idOf(pieces, id),
      method: method && (JSON.parse(textOf(pieces, method.start, method.end)) as string),
      result: this.#result,
      error: this.#error,
      members,
    };
  }

  /** Throws when the message is not at its end. */
  finish(): void {
    if (this.#state === IN_STRING) throw new JsonScanError('string without an end', this.#stringStart);
    if (this.#state !== END) throw new JsonScanError('unexpected end', this.#base);
  }

  push(buf: Buffer): void {
    const n = buf.length;
    let i = 0;
    let state = this.#state;
    if (state === IN_STRING) {
      i = this.#goOnString(buf);
      if (i === -1) {
        this.#base += n;
        return;
      }
      state = this.#inKey ? AFTER_KEY : AFTER_VALUE;
    } else if (state === IN_TOKEN) {
      i = this.#goOnToken(buf);
      if (i === -1) {
        this.#base += n;
        return;
      }
      state = AFTER_VALUE;
    }
    const open = this.#open;
    const base = this.#base;
    let depth = this.#depth;
    while (i < n) {
      const c = buf[i] as number;
      if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) {
        i++;
        continue;
      }
      switch (state) {
        case AFTER_VALUE:
          if (c === COMMA) {
            state = open[depth] === 1 ? KEY : VALUE;
            if (depth === 2 && this.#cutsComma) this.#cutComma(base + i + 1);
            i++;
            continue;
          }
          if (c !== (open[depth] === 1 ? RBRACE : RBRACKET)) {
            throw new JsonScanError('expected a comma or an end', base + i);
          }
          i++;
          break;
        case FIRST_KEY:
        case KEY: {
          if (c === RBRACE && state === FIRST_KEY) {
            if (depth === 2 && this.#inResult) (this.#members as ResultOutline).first = base + i - this.#outerStart;
            i++;
            break;
          }
          if (c !== QUOTE) throw new JsonScanError('expected a key', base + i);
          if (depth <= 2) this.#keyStart = base + i;
          const end = endOfString(buf, i + 1);
          if (end === -1) {
            this.#suspendString(buf, i, true);
            this.#state = IN_STRING;
            this.#depth = depth;
            this.#base = base + n;
            return;
          }
          this.#keyEnds(buf, i, end, depth);
          i = end;
          state = AFTER_KEY;
          continue;
        }
        case AFTER_KEY:
          if (c !== COLON) throw new JsonScanError('expected a colon', base + i);
          i++;
          state = VALUE;
          continue;
        case FIRST_ELEMENT:
        case VALUE: {
          if (c === RBRACKET && state === FIRST_ELEMENT) {
            i++;
            break;
          }
          if (depth <= 2) this.#valueStarts(c, base + i, depth);
          if (c === LBRACE || c === LBRACKET) {
            if (depth === MAX_DEPTH) throw new JsonScanError(`nesting deeper than ${MAX_DEPTH}`, base + i);
            depth++;
            open[depth] = c === LBRACE ? 1 : 0;
            state = c === LBRACE ? FIRST_KEY : FIRST_ELEMENT;
            i++;
            continue;
          }
          if (depth === 0) throw new JsonScanError('expected an object', base + i);
          if (c === QUOTE) {
            const end = endOfString(buf, i + 1);
            if (end === -1) {
              this.#suspendString(buf, i, false);
              this.#state = IN_STRING;
              this.#depth = depth;
              this.#base = base + n;
              return;
            }
            i = end;
          } else {
            const end = endOfToken(buf, i);
            // Up to the end of the chunk it may go on, and so may be found wanting only because it is not all there.
            if (end === n) {
              this.#partial = buf.subarray(i);
              this.#state = IN_TOKEN;
              this.#depth = depth;
              this.#base = base + n;
              return;
            }
            const checked = c === MINUS || (c >= 0x30 && c <= 0x39) ? skipNumber(buf, i) : skipLiteral(buf, i);
            if (checked !== end) throw new JsonScanError('unexpected character', base + checked);
            i = end;
          }
          state = AFTER_VALUE;
          if (depth <= 2) this.#valueEnds(base + i, depth);
          continue;
        }
        default:
          throw new JsonScanError('text after the end', base + i);
      }
      // A container has been closed.
      depth--;
      state = depth === 0 ? END : AFTER_VALUE;
      if (depth <= 2) this.#valueEnds(base + i, depth);
    }
    this.#state = state;
    this.#depth = depth;
    this.#base = base + n;
  }

  #suspendString(buf: Buffer, start: number, isKey: boolean): void {
    this.#inKey = isKey;
    this.#escaped = escapesNext(buf, start + 1);
    this.#stringStart = this.#base + start;
    this.#partial = isKey ? buf.subarray(start) : undefined;
  }

  /** The index after the string that the last chunk left open; -1 when this one does, too. */
  #goOnString(buf: Buffer): number {
    if (buf.length === 0) return -1;
    const first = this.#escaped ? 1 : 0;
    const end = endOfString(buf, first);
    if (this.#inKey) {
      const key = Buffer.concat([this.#partial as Buffer, end === -1 ? buf : buf.subarray(0, end)]);
      this.#partial = key;
      if (end !== -1) this.#keyEnds(key, 0, key.length, this.#depth);
    }
    if (end === -1) this.#escaped = escapesNext(buf, first);
    else if (!this.#inKey && this.#depth <= 2) this.#valueEnds(this.#base + end, this.#depth);
    return end;
  }

  /** The same for a number or a literal. */
  #goOnToken(buf: Buffer): number {
    const end = endOfToken(buf, 0);
    const token = Buffer.concat([this.#partial as Buffer, buf.subarray(0, end)]);
    this.#partial = token;
    if (end === buf.length) return -1;
    this.#partial = undefined;
    if (!TOKEN.test(token.toString('latin1'))) {
      throw new JsonScanError('malformed number or literal', this.#base + end - token.length);
    }
    if (this.#depth <= 2) this.#valueEnds(this.#base + end, this.#depth);
    return end;
  }

  #keyEnds(buf: Buffer, start: number, end: number, depth: number): void {
    if (depth > 2) this.#noteKey(buf, start, end);
    else this.#key(buf, start, end, depth);
  }

  /** A key below the members that are told apart. A name spelled with escapes counts as every name. */
  #noteKey(buf: Buffer, start: number, end: number): void {
    if (this.#hasUri) return;
    if (end - start === 5) {
      if (buf[start + 1] === 0x75 && buf[start + 2] === 0x72 && buf[start + 3] === 0x69) this.#hasUri = true;
    }
    for (let i = start + 1; i < end; i++) if (buf[i] === BACKSLASH) this.#hasUri = true;
  }

  #key(buf: Buffer, start: number, end: number, depth: number): void {
    if (depth === 1) {
      this.#outer = indexOfKey(buf, start, end, MESSAGE_KEYS);
      return;
    }
    this.#noteKey(buf, start, end);
    if (this.#inResult) {
      const members = this.#members as ResultOutline;
      if (members.isEmpty) {
        members.isEmpty = false;
        members.first = this.#keyStart - this.#outerStart;
      }
      this.#inner = this.#resultMember(buf, start, end, members);
    }
  }

  #resultMember(buf: Buffer, start: number, end: number, members: ResultOutline): number {
    switch (indexOfKey(buf, start, end, RESULT_KEYS)) {
      case 0:
        if (members.hasType) members.typeRepeated = true;
        members.hasType = true;
        return TYPE;
      case 1:
        members.hasMeta = true;
        break;
      case 2:
        members.hasTtlMs = true;
        break;
      case 3:
        members.hasCacheScope = true;
        break;
      case 4:
        return IS_ERROR;
    }
    return OTHER;
  }

  #valueStarts(c: number, at: number, depth: number): void {
    if (depth === 0) {
      if (c !== LBRACE) throw new JsonScanError('expected an object', at);
    } else if (depth === 1) {
      this.#outerStart = at;
      this.#innerEnd = -1;
      this.#cutsComma = false;
      this.#inResult = this.#outer === RESULT && c === LBRACE;
      if (this.#outer === RESULT) {
        this.#members = this.#inResult ? new ResultOutline() : undefined;
        this.#type = undefined;
        this.#hasUri = false;
      }
    } else {
      this.#innerStart = at;
      if (this.#inResult && this.#inner === IS_ERROR) (this.#members as ResultOutline).isError = c === LOWER_T;
    }
  }

  #valueEnds(at: number, depth: number): void {
    if (depth === 2) {
      if (this.#inResult) {
        if (this.#inner === TYPE) this.#typeEnds(at);
        this.#innerEnd = at;
      }
      return;
    }
    if (depth !== 1) return;
    switch (this.#outer) {
      case ID:
        this.#id = { start: this.#outerStart, end: at };
        break;
      case METHOD:
        this.#method = { start: this.#outerStart, end: at };
        break;
      case RESULT:
        this.#result = { start: this.#outerStart, end: at };
        break;
      case ERROR:
        this.#error = { start: this.#outerStart, end: at };
        break;
    }
    this.#inResult = false;
  }

  #typeEnds(at: number): void {
    const members = this.#members as ResultOutline;
    const from = this.#outerStart;
    this.#type = { start: this.#innerStart, end: at };
    // The comma before it goes along, or, where it comes first, the one after it.
    this.#cutsComma = this.#innerEnd === -1;
    members.cutStart = (this.#cutsComma ? this.#keyStart : this.#innerEnd) - from;
    members.cutEnd = at - from;
  }

  #cutComma(after: number): void {
    this.#cutsComma = false;
    if (this.#inResult && this.#members) this.#members.cutEnd = after - this.#outerStart;
  }
}

const COMPLETE = Buffer.from('"complete"');

function typeOf(pieces: Pieces, { start, end }: Span): string | undefined {
  const first = pieces[0] as Buffer;
  if (end - start === COMPLETE.length && end <= first.length && isAt(first, start, COMPLETE)) return 'complete';
  const type: unknown = JSON.parse(textOf(pieces, start, end));
  return typeof type === 'string' ? type : undefined;
}

/** The id of a message; those of our own requests are short whole numbers. */
function idOf(pieces: Pieces, { start, end }: Span): unknown {
  const first = pieces[0] as Buffer;
  let id = 0;
  for (let i = start; i < end; i++) {
    const digit = (first[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9 || end - start > 15) return JSON.parse(textOf(pieces, start, end));
    id = id * 10 + digit;
  }
  return id;
}

/** Short texts are compared faster here than by a call out of JavaScript. */
function isAt(buf: Buffer, start: number, text: Buffer): boolean {
  for (let i = 0; i < text.length; i++) if (buf[start + i] !== text[i]) return false;
  return true;
}

/** Which of these names the key spells, as an index; -1 for none of them. A key may spell its name with escapes. */
function indexOfKey(buf: Buffer, start: number, end: number, names: readonly Buffer[]): number {
  const length = end - start;
  for (let n = 0; n < names.length; n++) {
    const name = names[n] as Buffer;
    if (name.length === length && isAt(buf, start, name)) return n;
  }
  for (let i = start + 1; i < end; i++) {
    if (buf[i] === BACKSLASH) return names.findIndex((name) => name.toString() === `"${keyText(buf, start, end)}"`);
  }
  return -1;
}

/** Whether the chunk ends behind a backslash that escapes what comes next. `first` is a character that is not escaped. */
function escapesNext(buf: Buffer, first: number): boolean {
  let at = buf.length;
  while (at > first && buf[at - 1] === BACKSLASH) at--;
  return ((buf.length - at) & 1) === 1;
}

/** The index after the characters that numbers and literals are made of. */
function endOfToken(buf: Buffer, i: number): number {
  for (;;) {
    const c = buf[i];
    if (c === undefined) return i;
    const isPart =
      (c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x7a) || c === MINUS || c === 0x2b || c === 0x2e || c === 0x45;
    if (!isPart) return i;
    i++;
  }
}

/** Scanning is synchronous, and calls nothing that scans: one scanner does for all. */
const scanner = new Scanner();
