/**
 * Reads the outline of a JSON-RPC message from its bytes, which may come in several chunks: enough to route the message and
 * to pass its result on. Every byte is read once, and what later steps look for (a result's type, its `_meta`, …) is noted
 * in passing.
 * @module
 */

import { type Pieces, textOf } from '../pieces.ts';
import { BACKSLASH, LBRACE } from './bytes.ts';
import { ChunkScanner } from './chunk-scanner.ts';
import { JsonScanError, keyText, type Span } from './scan.ts';

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
  /** The value of `_meta`, and what has to be cut out, a comma included, to take the member away. */
  metaStart = 0;
  metaEnd = 0;
  metaCutStart = 0;
  metaCutEnd = 0;
  /** The first byte of the value of `structuredContent`; 0 where there is none. */
  structured = 0;
  structuredStart = 0;
  structuredEnd = 0;
  /** Several members `_meta` or `structuredContent`. */
  othersRepeated = false;
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
  /** It nests deeper than `MAX_DEPTH`: its bytes may be passed on, but no value is made of them. */
  deep: boolean;
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

const LOWER_T = 0x74;

const quoted = (...names: string[]): Buffer[] => names.map((name) => Buffer.from(`"${name}"`));

const MESSAGE_KEYS = quoted('id', 'method', 'result', 'error');
const ID = 0;
const METHOD = 1;
const RESULT = 2;
const ERROR = 3;

const RESULT_KEYS = quoted('resultType', '_meta', 'ttlMs', 'cacheScope', 'isError', 'structuredContent');
const TYPE = 0;
const IS_ERROR = 1;
const META = 2;
const STRUCTURED = 3;
const OTHER = -1;

class OutlineScanner extends ChunkScanner {
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
  #cutsMetaComma = false;

  #id: Span | undefined;
  #method: Span | undefined;
  #result: Span | undefined;
  #error: Span | undefined;
  #type: Span | undefined;
  #members: ResultOutline | undefined;
  #hasUri = false;

  override begin(): void {
    super.begin();
    this.#inResult = false;
    this.#cutsComma = false;
    this.#cutsMetaComma = false;
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
      deep: this.deep,
    };
  }

  /** Notes a key called `uri`. A name spelled with escapes counts as every name. */
  #noteKey(buf: Buffer, start: number, end: number): void {
    if (this.#hasUri) return;
    if (end - start === 5) {
      if (buf[start + 1] === 0x75 && buf[start + 2] === 0x72 && buf[start + 3] === 0x69) this.#hasUri = true;
    }
    for (let i = start + 1; i < end; i++) if (buf[i] === BACKSLASH) this.#hasUri = true;
  }

  protected key(buf: Buffer, start: number, end: number, at: number, depth: number): void {
    if (depth > 2) {
      this.#noteKey(buf, start, end);
      return;
    }
    this.#keyStart = at;
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
        if (members.hasMeta) members.othersRepeated = true;
        members.hasMeta = true;
        return META;
      case 2:
        members.hasTtlMs = true;
        break;
      case 3:
        members.hasCacheScope = true;
        break;
      case 4:
        return IS_ERROR;
      case 5:
        if (members.structured !== 0) members.othersRepeated = true;
        return STRUCTURED;
    }
    return OTHER;
  }

  protected valueStarts(c: number, at: number, depth: number): void {
    if (depth === 0) {
      if (c !== LBRACE) throw new JsonScanError('expected an object', at);
    } else if (depth === 1) {
      this.#outerStart = at;
      this.#innerEnd = -1;
      this.#cutsComma = false;
      this.#cutsMetaComma = false;
      this.#inResult = this.#outer === RESULT && c === LBRACE;
      if (this.#outer === RESULT) {
        this.#members = this.#inResult ? new ResultOutline() : undefined;
        this.#type = undefined;
        this.#hasUri = false;
      }
    } else {
      this.#innerStart = at;
      if (this.#inResult) {
        const members = this.#members as ResultOutline;
        if (this.#inner === IS_ERROR) members.isError = c === LOWER_T;
        else if (this.#inner === STRUCTURED) members.structured = c;
      }
    }
  }

  protected valueEnds(at: number, depth: number): void {
    if (depth === 2) {
      if (this.#inResult) {
        if (this.#inner === TYPE) this.#typeEnds(at);
        else if (this.#inner === META) this.#metaEnds(at);
        else if (this.#inner === STRUCTURED) this.#structuredEnds(at);
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

  #metaEnds(at: number): void {
    const members = this.#members as ResultOutline;
    const from = this.#outerStart;
    members.metaStart = this.#innerStart - from;
    members.metaEnd = at - from;
    this.#cutsMetaComma = this.#innerEnd === -1;
    members.metaCutStart = (this.#cutsMetaComma ? this.#keyStart : this.#innerEnd) - from;
    members.metaCutEnd = at - from;
  }

  #structuredEnds(at: number): void {
    const members = this.#members as ResultOutline;
    members.structuredStart = this.#innerStart - this.#outerStart;
    members.structuredEnd = at - this.#outerStart;
  }

  protected emptyObject(at: number): void {
    if (this.#inResult && this.#members?.isEmpty) this.#members.first = at - this.#outerStart;
  }

  protected comma(at: number, depth: number): void {
    if (depth !== 2) return;
    if (this.#cutsComma) {
      this.#cutsComma = false;
      if (this.#inResult && this.#members) this.#members.cutEnd = at - this.#outerStart;
    } else if (this.#cutsMetaComma) {
      this.#cutsMetaComma = false;
      if (this.#inResult && this.#members) this.#members.metaCutEnd = at - this.#outerStart;
    }
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

/** Scanning is synchronous, and calls nothing that scans: one scanner does for all. */
const scanner = new OutlineScanner();
