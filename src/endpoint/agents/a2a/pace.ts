/**
 * Holds an agent's events back for a client that reads its stream slower than they come: the SDK would queue all of them. What the
 * agent says meanwhile is kept with its run, which is bounded.
 * @module
 */

/** Events that may wait in the SDK. */
const MAX_AHEAD = 8;

export class Pace {
  #ahead = 0;
  #over = false;
  #wake: (() => void) | undefined;

  /** An event was published. Resolves when the reader may be given another one. */
  async published(): Promise<void> {
    this.#ahead++;
    while (this.#ahead > MAX_AHEAD && !this.#over) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  /** The reader has got an event. */
  taken(): void {
    this.#ahead--;
    this.#wake?.();
  }

  /** Nothing more is read: nothing is held back. */
  end(): void {
    this.#over = true;
    this.#wake?.();
  }
}
