/**
 * What an agent says in a run, piece by piece as it is made. Each answer of a person begins a new section: what is said after it is a
 * text of its own. Readers keep their own place in it, so that any number of them get the same pieces.
 *
 * Bounded: the oldest pieces go first, and a reader that was slower goes on with what is there. The result of the run has the whole text.
 * @module
 */

/** Of one section, in characters. */
const MAX_LENGTH = 1024 * 1024;

export class Said {
  #section: number;
  /** The number of the first piece that is still there. */
  #first: number;
  #pieces: string[] = [];
  #length = 0;
  #whole: boolean;
  readonly #listeners = new Set<() => void>();

  /** `first`: so many pieces of the section were said to an earlier process, which kept none. */
  constructor({ section = 0, first = 0, whole = true } = {}) {
    this.#section = section;
    this.#first = first;
    this.#whole = whole;
  }

  get section(): number {
    return this.#section;
  }

  /** How many pieces of this section were said. */
  get count(): number {
    return this.#first + this.#pieces.length;
  }

  /** The number of the first piece that is still there. */
  get start(): number {
    return this.#first;
  }

  /** All pieces of the section are there. */
  get isWhole(): boolean {
    return this.#whole && this.#first === 0;
  }

  add(piece: string): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length > MAX_LENGTH) this.#dropOldest();
    this.stir();
  }

  /** What is said from now on is of this section. `first` as in the constructor. */
  begin(section: number, first = 0, whole = true): void {
    this.#section = section;
    this.#first = first;
    this.#whole = whole;
    this.#pieces = [];
    this.#length = 0;
    this.stir();
  }

  /** The pieces from this one on, or from the first one that is still there. */
  from(index: number): readonly string[] {
    return this.#pieces.slice(Math.max(0, index - this.#first));
  }

  /** The next piece for a reader at this place, and its number. */
  next(index: number): { piece: string; index: number } | undefined {
    const at = Math.max(index, this.#first);
    const piece = this.#pieces[at - this.#first];
    return piece === undefined ? undefined : { piece, index: at };
  }

  /** Calls `listener` when something was said, or the run stands differently. Returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** How the run stands has changed. */
  stir(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** A quarter at a time, so that it is seldom done. */
  #dropOldest(): void {
    let count = 0;
    while (this.#length > (MAX_LENGTH * 3) / 4) this.#length -= this.#pieces[count++]?.length ?? 0;
    this.#pieces.splice(0, count);
    this.#first += count;
  }
}
