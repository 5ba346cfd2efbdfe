/**
 * Newline-delimited JSON, the framing of stdio (2026-07-28 transports/stdio).
 * @module
 */
import { SwitchboardError } from './errors.ts';

const LF = 0x0a;
const CR = 0x0d;

/**
 * Splits a byte stream into lines. Empty lines are skipped. Any split of the same bytes yields the same lines.
 * A line over `maxLineBytes` is given to `onOversize` once and dropped up to its end; the lines after it are unharmed.
 */
export class LineSplitter {
  readonly #onLine: (line: Buffer) => void;
  readonly #onOversize: (error: SwitchboardError) => void;
  readonly #maxLineBytes: number;
  #partial: Buffer[] = [];
  #bytes = 0;
  #dropping = false;

  constructor(onLine: (line: Buffer) => void, onOversize: (error: SwitchboardError) => void, maxLineBytes: number) {
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
    if (this.#dropping) return;
    this.#bytes += piece.length;
    if (this.#bytes > this.#maxLineBytes) {
      this.#drop();
      this.#dropping = true;
      return;
    }
    this.#partial.push(piece);
  }

  #end(piece: Buffer): void {
    if (this.#dropping) {
      this.#dropping = false;
      return;
    }
    if (this.#bytes + piece.length > this.#maxLineBytes) {
      this.#drop();
      return;
    }
    let line = this.#partial.length === 0 ? piece : Buffer.concat([...this.#partial, piece]);
    this.#partial = [];
    this.#bytes = 0;
    if (line.length > 0 && line[line.length - 1] === CR) line = line.subarray(0, -1);
    if (line.length > 0) this.#onLine(line);
  }

  #drop(): void {
    this.#partial = [];
    this.#bytes = 0;
    this.#onOversize(new SwitchboardError('SWB_REPLY_TOO_LARGE', `A line is over ${this.#maxLineBytes} bytes.`));
  }
}
