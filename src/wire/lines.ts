/**
 * Newline-delimited JSON, the framing of stdio (2026-07-28 transports/stdio).
 * @module
 */
import { SwitchboardError } from '../core/errors.ts';
import { ChunkBuffer } from './chunk-buffer.ts';
import type { Pieces } from './pieces.ts';

const LF = 0x0a;
const CR = 0x0d;

/** What is kept of a line or event that was too large: enough to see which request it answers. */
export interface Edges {
  head: string;
  tail: string;
}

const EDGE_BYTES = 256;

/** Collects the first and the last bytes of something that is thrown away. */
export class EdgeKeeper {
  #head: Buffer = Buffer.alloc(0);
  #tail: Buffer = Buffer.alloc(0);

  add(piece: Buffer): void {
    if (this.#head.length < EDGE_BYTES) {
      this.#head = Buffer.concat([this.#head, piece.subarray(0, EDGE_BYTES - this.#head.length)]);
    }
    this.#tail =
      piece.length >= EDGE_BYTES
        ? Buffer.from(piece.subarray(-EDGE_BYTES))
        : Buffer.concat([this.#tail, piece]).subarray(-EDGE_BYTES);
  }

  /** What was collected; the keeper is empty again. */
  take(): Edges {
    const edges = { head: this.#head.toString('utf8'), tail: this.#tail.toString('utf8') };
    this.#head = Buffer.alloc(0);
    this.#tail = Buffer.alloc(0);
    return edges;
  }
}

/**
 * Splits a byte stream into lines, each given in the pieces it came in. Empty lines are skipped. Any split of the same bytes yields the same lines.
 * A line over `maxLineBytes` is dropped up to its end and given to `onOversize` once, then, with its edges; the lines
 * after it are unharmed.
 */
export class LineSplitter {
  readonly #onLine: (line: Pieces) => void;
  readonly #onOversize: (error: SwitchboardError, edges: Edges) => void;
  readonly #maxLineBytes: number;
  readonly #edges = new EdgeKeeper();
  readonly #partial = new ChunkBuffer();
  #dropping = false;

  constructor(
    onLine: (line: Pieces) => void,
    onOversize: (error: SwitchboardError, edges: Edges) => void,
    maxLineBytes: number,
  ) {
    this.#onLine = onLine;
    this.#onOversize = onOversize;
    this.#maxLineBytes = maxLineBytes;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let lf = chunk.indexOf(LF); lf !== -1; lf = chunk.indexOf(LF, start)) {
      this.#end(chunk.subarray(start, lf));
      start = lf + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  #keep(piece: Buffer): void {
    if (this.#dropping) {
      this.#edges.add(piece);
      return;
    }
    this.#partial.add(piece);
    if (this.#partial.size > this.#maxLineBytes) this.#drop();
  }

  #end(piece: Buffer): void {
    if (!this.#dropping && this.#partial.size + piece.length > this.#maxLineBytes) this.#drop();
    if (this.#dropping) {
      this.#edges.add(piece);
      this.#dropping = false;
      const error = new SwitchboardError('SWB_REPLY_TOO_LARGE', `A line is over ${this.#maxLineBytes} bytes.`);
      this.#onOversize(error, this.#edges.take());
      return;
    }
    if (piece.length > 0) this.#partial.add(piece);
    const line = withoutCr(this.#partial.takePieces());
    if (line.length > 0) this.#onLine(line);
  }

  #drop(): void {
    this.#edges.add(this.#partial.take());
    this.#dropping = true;
  }
}

/** The line without a carriage return at its end; no pieces where nothing is left. */
function withoutCr(line: Pieces): Pieces {
  const last = line.at(-1);
  if (!last || last[last.length - 1] !== CR) return line;
  const before = line.slice(0, -1);
  return last.length === 1 ? before : [...before, last.subarray(0, -1)];
}
