/**
 * Notices that a stream is dead although nothing closed it. Quiet streams are fine; only where a server has been sending
 * heartbeats at intervals does their absence mean something.
 * @module
 */

const LEAST_MS = 60_000;

/** Heartbeats that must be missing in a row. */
const MISSED = 4;

export class Watchdog {
  readonly #dead: () => void;
  #lastBeat: number | undefined;
  #interval = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(dead: () => void) {
    this.#dead = dead;
  }

  beat(): void {
    const now = performance.now();
    if (this.#lastBeat !== undefined) this.#interval = Math.max(this.#interval, now - this.#lastBeat);
    this.#lastBeat = now;
    this.alive();
  }

  /** Anything at all came in. */
  alive(): void {
    if (this.#interval === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#dead, Math.max(LEAST_MS, this.#interval * MISSED)).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#interval = 0;
  }
}
