/**
 * Splits a workflow's stream into its records: JSON texts that end in the record separator, U+001E (measured; the last one may
 * lack it).
 * @module
 */
import { SwitchboardError } from '../../src/core/errors.ts';

const SEPARATOR = 0x1e;
/** Limit of all records together, in multiples of the limit of one. */
const MAX_TOTAL = 64;

export class RecordReader {
  readonly #onRecord: (text: string) => void;
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #size = 0;
  #total = 0;

  constructor(onRecord: (text: string) => void, maxBytes: number) {
    this.#onRecord = onRecord;
    this.#maxBytes = maxBytes;
  }

  /** Throws `SWB_REPLY_TOO_LARGE` beyond the limits. */
  push(chunk: Buffer): void {
    this.#total += chunk.length;
    let rest = chunk;
    for (let end = rest.indexOf(SEPARATOR); end >= 0; end = rest.indexOf(SEPARATOR)) {
      this.#keep(rest.subarray(0, end));
      this.end();
      rest = rest.subarray(end + 1);
    }
    this.#keep(rest);
    if (this.#total > this.#maxBytes * MAX_TOTAL) throw this.#tooLarge(this.#maxBytes * MAX_TOTAL);
  }

  /** What is left is the last record. */
  end(): void {
    const text = Buffer.concat(this.#chunks).toString('utf8').trim();
    this.#chunks = [];
    this.#size = 0;
    if (text !== '') this.#onRecord(text);
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#size += bytes.length;
    if (this.#size > this.#maxBytes) throw this.#tooLarge(this.#maxBytes);
    this.#chunks.push(bytes);
  }

  #tooLarge(bytes: number): SwitchboardError {
    return new SwitchboardError('SWB_REPLY_TOO_LARGE', `The events of the workflow are over ${bytes} bytes.`);
  }
}
