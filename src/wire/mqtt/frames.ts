/**
 * Bounds what a broker can make the gateway hold: a PUBLISH packet that is too long passes with the beginning and the end of
 * its payload alone, and any other packet of that length ends the connection. The parser behind it would collect up to 256 MB.
 * @module
 */
import { Transform, type TransformCallback } from 'node:stream';

const PUBLISH = 3;
/** Of a packet that is too long, read before it is shortened: topic and properties must end within. */
const HEAD_BYTES = 16_384;
/** Of the beginning of its payload and of its end, passed on: ids stand at one of them. */
export const EDGE_BYTES = 512;

/** The beginning of a packet that is too long. */
interface Head {
  first: number;
  parts: Buffer[];
  /** Bytes until the head is complete, and of the packet behind it. */
  missing: number;
  rest: number;
}

export class BoundedFrames extends Transform {
  readonly #maxBytes: number;
  readonly #hasProperties: boolean;
  /** The packet's first bytes until its length is known, where they came in an earlier chunk. */
  #held = Buffer.alloc(0);
  #passing = 0;
  #dropping = 0;
  #head: Head | undefined;
  /** What is kept of a packet whose rest is dropped, and the last bytes so far. */
  #kept: { first: number; head: Buffer; tail: Buffer } | undefined;
  #publishes = 0;
  /** Which PUBLISH packets were shortened, by their number, oldest first. */
  readonly #truncated: number[] = [];
  #taken = 0;

  /** `maxBytes`: longest packet that passes whole. `hasProperties`: whether this is MQTT 5. */
  constructor(maxBytes: number, hasProperties: boolean) {
    super();
    this.#maxBytes = maxBytes;
    this.#hasProperties = hasProperties;
  }

  /** Called for each PUBLISH packet that was read, in order. Returns whether it was shortened. */
  takeTruncated(): boolean {
    this.#taken++;
    if (this.#truncated[0] !== this.#taken) return false;
    this.#truncated.shift();
    return true;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.#read(this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk);
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  #read(chunk: Buffer): void {
    this.#held = Buffer.alloc(0);
    let position = 0;
    /** Where the bytes begin that pass unchanged. */
    let start = 0;
    const pass = (until: number): void => {
      if (until > start) this.push(chunk.subarray(start, until));
    };
    while (position < chunk.length) {
      if (this.#passing > 0) {
        const step = Math.min(this.#passing, chunk.length - position);
        position += step;
        this.#passing -= step;
      } else if (this.#dropping > 0) {
        const step = Math.min(this.#dropping, chunk.length - position);
        this.#drop(chunk.subarray(position, position + step));
        position += step;
        start = position;
      } else if (this.#head) {
        const step = Math.min(this.#head.missing, chunk.length - position);
        this.#head.parts.push(chunk.subarray(position, position + step));
        this.#head.missing -= step;
        position += step;
        start = position;
        if (this.#head.missing === 0) this.#shorten(this.#head);
      } else {
        const header = readHeader(chunk, position);
        if (!header) {
          pass(position);
          this.#held = Buffer.from(chunk.subarray(position));
          return;
        }
        const { first, length, end } = header;
        if (first >> 4 === PUBLISH) this.#publishes++;
        if (length <= this.#maxBytes) this.#passing = length;
        else {
          if (first >> 4 !== PUBLISH) throw new Error('A packet of the broker is too long.');
          pass(position);
          start = end;
          const missing = Math.min(length, HEAD_BYTES);
          this.#head = { first, parts: [], missing, rest: length - missing };
        }
        position = end;
      }
    }
    pass(position);
  }

  #shorten({ first, parts, rest }: Head): void {
    this.#head = undefined;
    const head = Buffer.concat(parts);
    let end = 2 + head.readUInt16BE(0) + (((first >> 1) & 3) > 0 ? 2 : 0);
    if (this.#hasProperties && end < head.length) {
      const properties = readLength(head, end);
      if (properties) end = properties.end + properties.length;
    }
    if (end > head.length) throw new Error('The head of a message is too long.');
    this.#kept = { first, head: head.subarray(0, end + EDGE_BYTES), tail: lastOf(head.subarray(end + EDGE_BYTES)) };
    this.#dropping = rest;
    if (rest === 0) this.#pushKept();
  }

  #drop(bytes: Buffer): void {
    this.#dropping -= bytes.length;
    if (this.#kept) this.#kept.tail = lastOf(Buffer.concat([this.#kept.tail, lastOf(bytes)]));
    if (this.#dropping === 0) this.#pushKept();
  }

  #pushKept(): void {
    if (!this.#kept) return;
    const { first, head, tail } = this.#kept;
    this.#kept = undefined;
    this.#truncated.push(this.#publishes);
    this.push(Buffer.concat([Buffer.from([first]), lengthBytes(head.length + tail.length), head, tail]));
  }
}

const lastOf = (bytes: Buffer): Buffer => Buffer.from(bytes.subarray(Math.max(0, bytes.length - EDGE_BYTES)));

/** The first and last bytes of a payload that is too long; a short one whole. */
export const edgesOf = (payload: Buffer): Buffer =>
  payload.length <= 2 * EDGE_BYTES
    ? payload
    : Buffer.concat([payload.subarray(0, EDGE_BYTES), payload.subarray(-EDGE_BYTES)]);

/** The fixed header at `at` (MQTT 5, 2.1); undefined while it is incomplete. */
function readHeader(chunk: Buffer, at: number): { first: number; length: number; end: number } | undefined {
  const rest = readLength(chunk, at + 1);
  return rest && { first: chunk[at] ?? 0, ...rest };
}

/** A variable byte integer (MQTT 5, 1.5.5), and where it ends. */
function readLength(chunk: Buffer, at: number): { length: number; end: number } | undefined {
  let length = 0;
  for (let index = 0; index < 4; index++) {
    const byte = chunk[at + index];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** index;
    if (byte < 0x80) return { length, end: at + index + 1 };
  }
  throw new Error('A packet of the broker has no valid length.');
}

function lengthBytes(length: number): Buffer {
  const bytes: number[] = [];
  let rest = length;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return Buffer.from(bytes);
}
