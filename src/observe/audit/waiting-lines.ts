/**
 * Lines that wait to be written, as the bytes they will be: a string for each would be copied by the garbage collector again
 * and again while the disk is slow (measured: 2.5 MB with each scavenge under load).
 * @module
 */

/** UTF-16 units that are written together. */
export const CHUNK = 64 * 1024;
const CAPACITY = 2 * CHUNK;
/** Bytes in UTF-8 for one UTF-16 unit. */
const MOST_BYTES = 3;

/** Whole lines in one buffer, and whose they are. */
export class Lines {
  readonly #bytes = Buffer.allocUnsafeSlow(CAPACITY);
  #used = 0;
  /** Lines of one principal right after each other are one entry of both. */
  readonly #principals: string[] = [];
  readonly #lengths: number[] = [];
  records = 0;
  /** UTF-16 units of all lines. */
  length = 0;

  /** False, and nothing is done, when there is no room. */
  add(line: string, principal: string): boolean {
    if (this.length >= CHUNK || !this.put(line)) return false;
    this.length += line.length;
    const last = this.#principals.length - 1;
    if (this.#principals[last] === principal) this.#lengths[last] = (this.#lengths[last] as number) + line.length;
    else {
      this.#principals.push(principal);
      this.#lengths.push(line.length);
    }
    return true;
  }

  /** Adds a line that is no principal's. */
  put(line: string): boolean {
    if (this.#used + MOST_BYTES * line.length > CAPACITY) return false;
    this.#used += this.#bytes.write(line, this.#used, 'utf8');
    this.records++;
    return true;
  }

  /** How much of it is whose. */
  *shares(): Generator<[principal: string, length: number]> {
    for (const [at, principal] of this.#principals.entries()) yield [principal, this.#lengths[at] as number];
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#used);
  }

  /** Makes room for other lines. {@link bytes} is used no more. */
  clear(): void {
    this.#used = 0;
    this.#principals.length = 0;
    this.#lengths.length = 0;
    this.records = 0;
    this.length = 0;
  }
}
