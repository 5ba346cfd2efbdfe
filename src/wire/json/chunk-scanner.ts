/**
 * Goes through one JSON text that comes in chunks, and calls for what it finds: it goes on in the next chunk wherever the
 * last one ended. The grammar is checked as in `scan.ts`: structure, literals and numbers in full, strings only as far as
 * framing depends on them.
 * @module
 */
import { BACKSLASH, COLON, COMMA, LBRACE, LBRACKET, MINUS, QUOTE, RBRACE, RBRACKET } from './bytes.ts';
import { ContainerStack } from './container-stack.ts';
import { endOfString, JsonScanError, MAX_DEPTH, skipLiteral, skipNumber } from './scan.ts';

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

const TOKEN = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

/**
 * Offsets (`at`) count from the first byte of the text. Keys are reported at all depths, everything else only at depths 0
 * (the text itself) to 2 (the members of its members). Throws {@link JsonScanError} at what is not well-formed.
 */
export abstract class ChunkScanner {
  #state = VALUE;
  #depth = 0;
  readonly #open = new ContainerStack();
  /** The text nests deeper than {@link MAX_DEPTH}. */
  protected deep = false;
  /** Bytes of all chunks before this one. */
  #base = 0;
  #inKey = false;
  /** The last chunk ended behind a backslash that escapes what comes next. */
  #escaped = false;
  /** Where the string began that goes on. */
  #stringStart = 0;
  /** The beginning of a key, a number or a literal that goes on. */
  #partial: Buffer | undefined;

  /** A key, quotes included: its bytes stand in `buf` from `start` to `end`. */
  protected abstract key(buf: Buffer, start: number, end: number, at: number, depth: number): void;
  /** A value whose first byte is `c`. */
  protected abstract valueStarts(c: number, at: number, depth: number): void;
  /** `at` is the byte after the value. */
  protected abstract valueEnds(at: number, depth: number): void;
  /** An object has no members: `at` is its closing brace. */
  protected abstract emptyObject(at: number): void;
  /** `at` is the byte after a comma between two members. */
  protected abstract comma(at: number, depth: number): void;

  /** Begins with another text. */
  begin(): void {
    this.#state = VALUE;
    this.#depth = 0;
    this.#open.clear();
    this.deep = false;
    this.#base = 0;
    this.#escaped = false;
    this.#partial = undefined;
  }

  /** Throws when the text is not at its end. */
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
    let inObject = open.isObject;
    while (i < n) {
      const c = buf[i] as number;
      if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) {
        i++;
        continue;
      }
      switch (state) {
        case AFTER_VALUE:
          if (c === COMMA) {
            state = inObject ? KEY : VALUE;
            if (depth <= 2) this.comma(base + i + 1, depth);
            i++;
            continue;
          }
          if (c !== (inObject ? RBRACE : RBRACKET)) {
            throw new JsonScanError('expected a comma or an end', base + i);
          }
          i++;
          break;
        case FIRST_KEY:
        case KEY: {
          if (c === RBRACE && state === FIRST_KEY) {
            if (depth <= 2) this.emptyObject(base + i);
            i++;
            break;
          }
          if (c !== QUOTE) throw new JsonScanError('expected a key', base + i);
          const end = endOfString(buf, i + 1);
          if (end === -1) {
            this.#suspendString(buf, i, true);
            this.#state = IN_STRING;
            this.#depth = depth;
            this.#base = base + n;
            return;
          }
          this.key(buf, i, end, base + i, depth);
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
          if (depth <= 2) this.valueStarts(c, base + i, depth);
          if (c === LBRACE || c === LBRACKET) {
            if (depth === MAX_DEPTH) this.deep = true;
            depth++;
            inObject = c === LBRACE;
            open.push(inObject);
            state = inObject ? FIRST_KEY : FIRST_ELEMENT;
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
          if (depth <= 2) this.valueEnds(base + i, depth);
          continue;
        }
        default:
          throw new JsonScanError('text after the end', base + i);
      }
      // A container has been closed.
      depth--;
      open.pop();
      inObject = open.isObject;
      state = depth === 0 ? END : AFTER_VALUE;
      if (depth <= 2) this.valueEnds(base + i, depth);
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
    const end = endOfString(buf, first, this.#base + first - this.#stringStart - 1);
    if (this.#inKey) {
      const key = Buffer.concat([this.#partial as Buffer, end === -1 ? buf : buf.subarray(0, end)]);
      this.#partial = key;
      if (end !== -1) this.key(key, 0, key.length, this.#stringStart, this.#depth);
    }
    if (end === -1) this.#escaped = escapesNext(buf, first);
    else if (!this.#inKey && this.#depth <= 2) this.valueEnds(this.#base + end, this.#depth);
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
    if (this.#depth <= 2) this.valueEnds(this.#base + end, this.#depth);
    return end;
  }
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
