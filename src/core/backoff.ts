/**
 * How long to wait before something is tried again: doubling after every failure in a row, with jitter, so that what
 * went away together does not come back in step.
 * @module
 */

export interface BackoffTimes {
  /** Longest wait after the first failure, in milliseconds. */
  backoffBaseMs: number;
  /** Longest wait at all, in milliseconds. */
  backoffCapMs: number;
}

/** Milliseconds to wait after `failures` earlier failures in a row: between half and the whole of the doubled base. */
export function backoffMs(failures: number, times: BackoffTimes, random: () => number = Math.random): number {
  // 2^30 steps of any base are beyond every cap; beyond 2^1023 the product would be infinite times zero.
  const full = Math.min(times.backoffCapMs, times.backoffBaseMs * 2 ** Math.min(failures, 30));
  return Math.round(full * (0.5 + random() / 2));
}

/** Counts the failures of one thing that is tried again and again. */
export class Backoff {
  readonly #times: BackoffTimes;
  #failures = 0;

  constructor(times: BackoffTimes) {
    this.#times = times;
  }

  /** Counts a failure. Returns the milliseconds to wait before the next attempt. */
  next(): number {
    return backoffMs(this.#failures++, this.#times);
  }

  /** Failures since the last {@link reset}. */
  get failures(): number {
    return this.#failures;
  }

  reset(): void {
    this.#failures = 0;
  }
}
