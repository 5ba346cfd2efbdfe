/**
 * Requests that are over and have no record in the audit yet. Records are made of several at once, a little later: on its own
 * between the work for two calls a record takes two to three times as long as right after another one (measured), because
 * the code and data it needs have left the processor's caches.
 * @module
 */
import type { ConcludedEvent } from '../events.ts';

/** Milliseconds until a record is made, and how many requests wait for theirs: both at most. */
const WAIT_MS = 10;
const MOST = 32;

export class PendingRecords {
  readonly #make: (event: ConcludedEvent, at: number) => void;
  #events: ConcludedEvent[] = [];
  #times: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `make` gets each event and when it was added, in milliseconds since the epoch, in the order in which they came. It never throws. */
  constructor(make: (event: ConcludedEvent, at: number) => void) {
    this.#make = make;
  }

  add(event: ConcludedEvent): void {
    this.#times.push(Date.now());
    if (this.#events.push(event) >= MOST) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), WAIT_MS).unref();
  }

  /** Makes the records of all that wait, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [events, times] = [this.#events, this.#times];
    this.#events = [];
    this.#times = [];
    for (const [i, event] of events.entries()) this.#make(event, times[i] as number);
  }
}
