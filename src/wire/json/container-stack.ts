/**
 * The objects and lists that are open at a place in JSON text: a bit each, so that any depth is scanned without recursion, in at
 * most an eighth of a byte for each byte of text.
 * @module
 */

/** Words of 32 bits that are kept between texts. */
const KEPT_WORDS = 32;

export class ContainerStack {
  #words = new Uint32Array(KEPT_WORDS);
  /** Containers that are open. */
  depth = 0;

  /** Whether the innermost one is an object. */
  get isObject(): boolean {
    return (((this.#words[this.depth >>> 5] as number) >>> (this.depth & 31)) & 1) === 1;
  }

  push(isObject: boolean): void {
    const depth = ++this.depth;
    const word = depth >>> 5;
    if (word === this.#words.length) {
      const more = new Uint32Array(2 * word);
      more.set(this.#words);
      this.#words = more;
    }
    const bit = 1 << (depth & 31);
    if (isObject) this.#words[word] = (this.#words[word] as number) | bit;
    else this.#words[word] = (this.#words[word] as number) & ~bit;
  }

  pop(): void {
    this.depth--;
  }

  /** Begins with another text. */
  clear(): void {
    this.depth = 0;
    if (this.#words.length > KEPT_WORDS) this.#words = new Uint32Array(KEPT_WORDS);
  }
}
