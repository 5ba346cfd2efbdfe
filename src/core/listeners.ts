/**
 * A set of listeners that cannot disturb each other: what one of them throws is logged.
 * @module
 */
import type { Log } from './log.ts';

export class Listeners<Args extends unknown[]> {
  readonly #listeners = new Set<(...args: Args) => void>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  get size(): number {
    return this.#listeners.size;
  }

  /** Returns a function that removes the listener. A function that is added twice is called twice. */
  add(listener: (...args: Args) => void): () => void {
    const added = (...args: Args): void => listener(...args);
    this.#listeners.add(added);
    return () => {
      this.#listeners.delete(added);
    };
  }

  emit(...args: Args): void {
    // A copy: listeners may come and go while they are called.
    for (const listener of [...this.#listeners]) {
      try {
        listener(...args);
      } catch (error) {
        this.#log.error({ err: error }, 'A listener failed.');
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}
