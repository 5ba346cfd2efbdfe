/**
 * Holds back lines of the log that strangers can cause: at most one of a kind in ten seconds, with how many more there were.
 * @module
 */
const QUIET_MS = 10_000;

interface Kind {
  /** By `performance.now()`. */
  until: number;
  skipped: number;
}

export class Quiet {
  readonly #now: () => number;
  readonly #kinds = new Map<string, Kind>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How many of this kind were left out since its last line; undefined: this one is left out, too. Kinds are few and the gateway's own. */
  skippedBefore(kind: string): number | undefined {
    const now = this.#now();
    const known = this.#kinds.get(kind);
    if (known && now < known.until) {
      known.skipped++;
      return undefined;
    }
    this.#kinds.set(kind, { until: now + QUIET_MS, skipped: 0 });
    return known?.skipped ?? 0;
  }
}
