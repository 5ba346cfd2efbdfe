/**
 * Bounds how many commands start at one time. Programs that start together on few cores are all slow; one after the other
 * each has the machine to itself.
 * @module
 */
import { availableParallelism } from 'node:os';

/** A start that takes longer waits for something else than the processor, such as a download: it gives its place away. */
const HOLD_MS = 8_000;
const MIN_SLOTS = 2;

export const defaultStarts = (): number => Math.max(MIN_SLOTS, availableParallelism());

export class StartSlots {
  readonly #holdMs: number;
  /** In the order in which they asked. */
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(slots: number = defaultStarts(), holdMs: number = HOLD_MS) {
    this.#free = slots;
    this.#holdMs = holdMs;
  }

  /** Resolves with a function that gives the slot back, to be called when the start is over. Rejects when `signal` aborts. */
  async take(signal: AbortSignal): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      clearTimeout(timer);
      this.#next();
    };
    const timer = setTimeout(release, this.#holdMs);
    timer.unref();
    return release;
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#waiting.delete(go);
        reject(signal.reason);
      };
      const go = (): void => {
        signal.removeEventListener('abort', stop);
        resolve();
      };
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      signal.addEventListener('abort', stop, { once: true });
      this.#waiting.add(go);
    });
  }

  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(first);
    first();
  }
}
