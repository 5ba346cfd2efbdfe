/**
 * Waiting longer after every failure in a row, with jitter, so that many gateways do not come back at one moment.
 * @module
 */

export interface BackoffTimes {
  firstMs: number;
  mostMs: number;
}

export class Backoff {
  readonly #times: BackoffTimes;
  #failures = 0;

  constructor(times: BackoffTimes) {
    this.#times = times;
  }

  /** Milliseconds to wait before the next attempt: doubling, between half and the whole of it. */
  next(): number {
    const { firstMs, mostMs } = this.#times;
    const whole = Math.min(mostMs, firstMs * 2 ** Math.min(this.#failures++, 30));
    return whole / 2 + (Math.random() * whole) / 2;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  reset(): void {
    this.#failures = 0;
  }
}
