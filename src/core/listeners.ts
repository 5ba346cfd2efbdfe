/**
 * A set of listeners that cannot disturb each other.
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

  /** Returns a way to stop listening. The same function added twice is heard twice. */
  add(listener: (...args: Args) => void): () => void {
    const heard = (...args: Args): void => listener(...args);
    this.#listeners.add(heard);
    return () => {
      this.#listeners.delete(heard);
    };
  }

  emit(...args: Args): void {
    // A copy: listeners may come and go while they are called.
    for (const listener of [...this.#listeners]) {
      try {
        listener(...args);
      } catch (error) {
        this.#log.error({ err: error }, 'A listener of the federation failed.');
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}
