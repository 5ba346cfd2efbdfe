/**
 * Server-sent events, both directions, on bytes (WHATWG HTML, "Server-sent events"). The parser exists because frames
 * from upstreams are passed on as bytes and must be bounded; no library gives both.
 * @module
 */

import { SwitchboardError } from '../core/errors.ts';
import { ChunkBuffer } from './chunk-buffer.ts';
import { COLON } from './json/bytes.ts';
import { EdgeKeeper, type Edges } from './lines.ts';
import { joined, type Pieces, sizeOf } from './pieces.ts';

export class SseEvent {
  /** `message` when the stream names none. */
  readonly event: string;
  /** Only when this very event carried an `id:` line. */
  readonly id: string | undefined;
  readonly #pieces: Pieces;
  /** The data is this part of the one piece: a reader of its text needs no buffer. */
  readonly #part: Part | undefined;

  constructor(event: string, pieces: Pieces, id: string | undefined, part?: Part) {
    this.event = event;
    this.#pieces = pieces;
    this.id = id;
    this.#part = part;
  }

  /** The `data:` lines joined with a newline; the bytes as they were sent, in the pieces they came in. */
  get pieces(): Pieces {
    return this.#part ? [this.data] : this.#pieces;
  }

  /** The same bytes in one piece. */
  get data(): Buffer {
    return this.#part ? joined(this.#pieces).subarray(this.#part.start, this.#part.end) : joined(this.#pieces);
  }

  /** The same as text. */
  get text(): string {
    return joined(this.#pieces).toString('utf8', this.#part?.start, this.#part?.end);
  }
}

interface Part {
  start: number;
  end: number;
}

export interface SseHandlers {
  onEvent(event: SseEvent): void;
  /** `retry:` in milliseconds. */
  onRetry?(ms: number): void;
  /** A comment line: a sign of life. */
  onComment?(): void;
  /** An event over the limit has been dropped; the ones after it are unharmed. Without it the parser throws. */
  onOversize?(error: SwitchboardError, edges: Edges): void;
}

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const NEWLINE = Buffer.from('\n');
const EMPTY = Buffer.alloc(0);

/** Bytes of `data: `. */
const DATA_NAME = 6;

/** Lines of one event that are kept apart. */
const JOINED_LINES = 1024;

/** A timer that is set for longer than some 24 days fires at once; no server means to wait longer than an hour. */
const MAX_RETRY_MS = 60 * 60 * 1000;

/** Finds line ends from left to right. Either kind is looked for again only behind the last one: time stays linear. */
class Breaks {
  readonly #data: Buffer;
  #lf = -2;
  #cr = -2;

  constructor(data: Buffer) {
    this.#data = data;
  }

  /** The next LF or CR at or after `start`, which only grows; -1 when there is none. */
  from(start: number): number {
    if (this.#lf !== -1 && this.#lf < start) this.#lf = this.#data.indexOf(LF, start);
    if (this.#cr !== -1 && this.#cr < start) this.#cr = this.#data.indexOf(CR, start);
    if (this.#lf === -1) return this.#cr;
    return this.#cr === -1 ? this.#lf : Math.min(this.#lf, this.#cr);
  }
}

/**
 * Incremental parser. Any split of the same bytes yields the same events. When one event exceeds `maxEventBytes`, it is
 * dropped where there is an `onOversize`; otherwise `SWB_REPLY_TOO_LARGE` is thrown and the parser is unusable.
 */
export class SseParser {
  readonly #handlers: SseHandlers;
  readonly #maxEventBytes: number;
  /** Bytes of the line not yet ended. */
  readonly #partial = new ChunkBuffer();
  /** Of the line not yet ended, while the event is dropped. */
  #droppedBytes = 0;
  #data: Pieces[] = [];
  /** Earlier lines of the event, joined: a Buffer costs far more than the short line it may hold. */
  #joined: Buffer[] = [];
  #dataBytes = 0;
  #event = '';
  #id: string | undefined;
  /** The last chunk ended in CR: a LF at the start of the next belongs to it. */
  #skipLf = false;
  #atStart = true;
  /** The event is too large: everything up to its end goes to `#edges`. */
  #dropping = false;
  readonly #edges = new EdgeKeeper();

  constructor(handlers: SseHandlers, maxEventBytes: number) {
    this.#handlers = handlers;
    this.#maxEventBytes = maxEventBytes;
  }

  push(chunk: Buffer): void {
    let start = 0;
    if (this.#skipLf && chunk.length > 0) {
      if (chunk[0] === LF) start = 1;
      this.#skipLf = false;
    }
    const breaks = new Breaks(chunk);
    const pieces = [chunk];
    while (start < chunk.length) {
      // The end of an event is looked at, not looked for.
      const end = chunk[start] === LF ? start : breaks.from(start);
      if (end === -1) {
        this.#keep(chunk.subarray(start));
        return;
      }
      if (this.#isWhole(chunk, start, end)) {
        const data = { start: dataStart(chunk, start), end };
        this.#handlers.onEvent(new SseEvent('message', pieces, undefined, data));
        start = end + 2;
        continue;
      }
      if (!this.#usual(chunk, start, end)) {
        const piece = chunk.subarray(start, end);
        if (this.#dropping) this.#droppedLine(piece);
        else if (!this.#exceeds(piece)) this.#ended(piece);
      }
      start = end + 1;
      if (chunk[end] === CR) {
        if (start === chunk.length) this.#skipLf = true;
        else if (chunk[start] === LF) start++;
      }
    }
  }

  /** Whether the line is an event: data and nothing else, and the end of the event behind it. */
  #isWhole(chunk: Buffer, start: number, end: number): boolean {
    return (
      chunk[end] === LF &&
      chunk[end + 1] === LF &&
      !this.#isInEvent &&
      !this.#atStart &&
      isData(chunk, start, end) &&
      end - dataStart(chunk, start) < this.#maxEventBytes
    );
  }

  /** Something of an event has come, and its end has not. */
  get #isInEvent(): boolean {
    return (
      this.#dropping ||
      this.#partial.size > 0 ||
      this.#data.length > 0 ||
      this.#joined.length > 0 ||
      this.#event !== '' ||
      this.#id !== undefined
    );
  }

  /** What almost all lines are, without a buffer for the line: data, and the end of an event. False for any other line. */
  #usual(chunk: Buffer, start: number, end: number): boolean {
    if (this.#dropping || this.#atStart || this.#partial.size > 0) return false;
    if (start === end) {
      this.#dispatch();
      return true;
    }
    if (!isData(chunk, start, end) || this.#sizeWith(end - start) > this.#maxEventBytes) return false;
    this.#addData([chunk.subarray(dataStart(chunk, start), end)]);
    return true;
  }

  #keep(piece: Buffer): void {
    if (this.#dropping) {
      this.#droppedBytes += piece.length;
      this.#edges.add(piece);
      return;
    }
    this.#partial.add(piece);
    if (this.#sizeWith(this.#partial.size) > this.#maxEventBytes) this.#drop();
  }

  /** Bytes of the event when the line at hand has so many. Its name does not count, so that data may be as long as the limit. */
  #sizeWith(line: number): number {
    return Math.max(0, line - DATA_NAME) + this.#dataBytes;
  }

  /** Whether a line that has come to its end makes the event too large, in however many chunks it came. It is dropped then. */
  #exceeds(piece: Buffer): boolean {
    if (this.#sizeWith(this.#partial.size + piece.length) <= this.#maxEventBytes) return false;
    this.#partial.add(piece);
    this.#drop();
    this.#droppedBytes = 0;
    return true;
  }

  /** A line of an event that is being dropped. An empty one ends the event. */
  #droppedLine(piece: Buffer): void {
    const empty = this.#droppedBytes + piece.length === 0;
    this.#droppedBytes = 0;
    if (!empty) {
      this.#edges.add(piece);
      return;
    }
    this.#dropping = false;
    this.#handlers.onOversize?.(this.#tooLarge(), this.#edges.take());
  }

  /** A line has come to its end. One that is data is not copied together. */
  #ended(piece: Buffer): void {
    if (this.#partial.size === 0) {
      this.#line(piece);
      return;
    }
    if (piece.length > 0) this.#partial.add(piece);
    const line = this.#partial.takePieces();
    const [first, ...rest] = line as [Buffer, ...Buffer[]];
    if (rest.length === 0 || this.#atStart || first.length <= DATA.length || !isData(first, 0, first.length))
      this.#line(joined(line));
    else this.#addData([afterColon(first, DATA.length - 1), ...rest]);
  }

  #addData(value: Pieces): void {
    this.#data.push(value);
    if (this.#data.length === JOINED_LINES) {
      this.#joined.push(joined(joinLines(this.#data)));
      this.#data = [];
    }
    this.#dataBytes += sizeOf(value) + 1;
    if (this.#dataBytes > this.#maxEventBytes) this.#drop();
  }

  #drop(): void {
    if (!this.#handlers.onOversize) throw this.#tooLarge();
    this.#dropping = true;
    this.#atStart = false;
    this.#droppedBytes = this.#partial.size;
    for (const lines of [this.#joined, ...this.#data, [this.#partial.take()]])
      for (const line of lines) this.#edges.add(line);
    this.#data = [];
    this.#joined = [];
    this.#dataBytes = 0;
    this.#event = '';
    this.#id = undefined;
  }

  #tooLarge(): SwitchboardError {
    return new SwitchboardError('SWB_REPLY_TOO_LARGE', `The upstream sent an event over ${this.#maxEventBytes} bytes.`);
  }

  #line(line: Buffer): void {
    if (this.#atStart) {
      this.#atStart = false;
      // A byte order mark may open the stream.
      if (line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf) line = line.subarray(3);
    }
    if (line.length === 0) {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(COLON);
    if (colon === 0) {
      this.#handlers.onComment?.();
      return;
    }
    const field = colon === -1 ? line.toString('latin1') : line.toString('latin1', 0, colon);
    const value = colon === -1 ? EMPTY : afterColon(line, colon);
    switch (field) {
      case 'data':
        this.#addData([value]);
        break;
      case 'event':
        this.#event = value.toString('utf8');
        break;
      case 'id':
        if (!value.includes(0)) this.#id = value.toString('utf8');
        break;
      case 'retry': {
        const text = value.toString('latin1');
        if (/^\d+$/.test(text)) this.#handlers.onRetry?.(Math.min(Number(text), MAX_RETRY_MS));
        break;
      }
    }
  }

  #dispatch(): void {
    const { event, id } = { event: this.#event, id: this.#id };
    const data = this.#joined.length > 0 ? [...this.#joined.map((line) => [line]), ...this.#data] : this.#data;
    this.#event = '';
    this.#id = undefined;
    this.#data = [];
    this.#joined = [];
    this.#dataBytes = 0;
    // An event without data is not dispatched, but its id counts: resumption primers are sent like that.
    if (data.length === 0 && id === undefined) return;
    this.#handlers.onEvent(new SseEvent(event || 'message', joinLines(data), id));
  }
}

/** Lines with a newline between each two. */
function joinLines(lines: readonly Pieces[]): Pieces {
  if (lines.length === 1) return lines[0] as Pieces;
  const parts: Buffer[] = [];
  for (const [i, line] of lines.entries()) {
    if (i > 0) parts.push(NEWLINE);
    parts.push(...line);
  }
  return parts;
}

const DATA = 'data:';

/** Whether the bytes from `start` up to `end` begin with the name. */
function isData(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < DATA.length) return false;
  for (let i = 0; i < DATA.length; i++) if (bytes[start + i] !== DATA.charCodeAt(i)) return false;
  return true;
}

/** Where the data of such a line begins. */
function dataStart(bytes: Buffer, start: number): number {
  const value = start + DATA.length;
  return bytes[value] === SPACE ? value + 1 : value;
}

/** What stands behind the colon and the one space that may follow it. */
const afterColon = (line: Buffer, colon: number): Buffer =>
  line.subarray(line[colon + 1] === SPACE ? colon + 2 : colon + 1);

export interface SseFrame {
  data: Pieces | string;
  event?: string;
  id?: string;
  retry?: number;
}

/** One event with JSON that this program has written, which is on one line, as text. */
export const sseText = (json: string): string => `data: ${json}\n\n`;

const END = Buffer.from('\n\n');
const NEXT_DATA = Buffer.from('\ndata: ');

/** One event as bytes. Data that holds newlines becomes several `data:` lines, which parsers join again. */
export function sseFrame(frame: SseFrame): Buffer {
  let head = '';
  if (frame.event !== undefined) head += `event: ${frame.event}\n`;
  if (frame.id !== undefined) head += `id: ${frame.id}\n`;
  if (frame.retry !== undefined) head += `retry: ${frame.retry}\n`;
  const data = typeof frame.data === 'string' ? [Buffer.from(frame.data)] : frame.data;
  const lines = data.some(hasBreak) ? [dataLines(joined(data))] : data;
  return Buffer.concat([Buffer.from(`${head}data: `), ...lines, END]);
}

const hasBreak = (piece: Buffer): boolean => piece.includes(LF) || piece.includes(CR);

/** The data with a new `data:` line for each of its own. */
function dataLines(data: Buffer): Buffer {
  let count = 0;
  const counted = new Breaks(data);
  for (let at = counted.from(0); at !== -1; at = counted.from(at + 1)) count++;
  const out = Buffer.allocUnsafe(data.length + count * NEXT_DATA.length);
  const breaks = new Breaks(data);
  let length = 0;
  let start = 0;
  for (let at = breaks.from(0); at !== -1; at = breaks.from(start)) {
    length += data.copy(out, length, start, at);
    length += NEXT_DATA.copy(out, length);
    start = data[at] === CR && data[at + 1] === LF ? at + 2 : at + 1;
  }
  length += data.copy(out, length, start);
  return out.subarray(0, length);
}

/** A comment line, sent so that nothing between the two sides takes a quiet stream for a dead one. */
export const SSE_KEEPALIVE = Buffer.from(': keep-alive\n\n');
