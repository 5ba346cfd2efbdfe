/**
 * Bounds the time that reading one server's replies takes from the gateway's only thread. A reply that has taken much of it
 * is read with pauses, so that one server's heavy streams together take a fifth; replies of ordinary size have none.
 * @module
 */

/** Milliseconds of work a reply may cause before it is read with pauses. */
const HEAVY_MS = 100;

/** Rest for each millisecond of work. */
const REST = 4;

/** Shorter rests are saved up: timers are no more precise. */
const LEAST_REST_MS = 5;

/** One server's. */
export class Throttle {
  #freeAt = 0;

  /**
   * How long a source is to be left alone after work that took from `started` until now, in milliseconds; 0 mostly.
   * `before` is what it has caused earlier.
   */
  rest(before: number, started: number, now: number): number {
    const took = now - started;
    if (before + took < HEAVY_MS) return 0;
    this.#freeAt = Math.max(this.#freeAt, now) + took * REST;
    const rest = this.#freeAt - now;
    return rest < LEAST_REST_MS ? 0 : rest;
  }
}
