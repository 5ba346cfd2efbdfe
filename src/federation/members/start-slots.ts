/**
 * Bounds how many commands start at one time. Programs that start together on few cores are all slow; one after the other
 * each has the machine to itself.
 * @module
 */
import { availableParallelism } from 'node:os';
import { FairQueue, type Waiting } from '../../core/fair-queue.ts';

/** A start that takes longer waits for something else than the processor, such as a download: it gives its place away. */
const HOLD_MS = 8_000;
const MIN_SLOTS = 2;

export const defaultStarts = (): number => Math.max(MIN_SLOTS, availableParallelism());

/** A start that waits. */
class WaitingStart implements Waiting {
  previous: Waiting | undefined;
  next: Waiting | undefined;
  readonly principal: string;
  readonly callerKey = '';
  readonly begin: () => void;

  constructor(principal: string, begin: () => void) {
    this.principal = principal;
    this.begin = begin;
  }
}

export class StartSlots {
  readonly #holdMs: number;
  readonly #waiting = new FairQueue();
  #free: number;

  constructor(slots: number = defaultStarts(), holdMs: number = HOLD_MS) {
    this.#free = slots;
    this.#holdMs = holdMs;
  }

  /**
   * Resolves with a function that gives the slot back, to be called when the start is over. Rejects when `signal` aborts.
   * Principals take turns; starts for none of them are those of one more.
   */
  async take(signal: AbortSignal, principal = ''): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal, principal);
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

  #turn(signal: AbortSignal, principal: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#waiting.remove(start);
        reject(signal.reason);
      };
      const start = new WaitingStart(principal, () => {
        signal.removeEventListener('abort', stop);
        resolve();
      });
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      signal.addEventListener('abort', stop, { once: true });
      this.#waiting.enqueue(start);
    });
  }

  #next(): void {
    const first = this.#waiting.dequeue() as WaitingStart | undefined;
    if (first) first.begin();
    else this.#free++;
  }
}
