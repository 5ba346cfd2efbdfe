/**
 * Takes a message of another replica once, and within a minute of its sending: one that was recorded on its way is worth nothing later.
 * @module
 */

/** How far the clocks of two replicas may be apart, and how long a message may take. */
const MAX_AGE_MS = 60_000;
/** Messages that are remembered. Only replicas with the admin token can make one. */
const MAX_SEEN = 10_000;

export class Once {
  readonly #since: number;
  /** When each was sent, by its id. */
  readonly #seen = new Map<string, number>();

  /** `since`: what was sent before that was for another process. */
  constructor(since = 0) {
    this.#since = since;
  }

  isOfNow(at: unknown): at is number {
    return typeof at === 'number' && Math.abs(Date.now() - at) < MAX_AGE_MS && at >= this.#since;
  }

  /** Ids are forgotten once their time alone refuses them, and none before: a full memory takes no more. */
  isNew(id: string, at: number): boolean {
    if (this.#seen.has(id)) return false;
    if (this.#seen.size >= MAX_SEEN)
      for (const [old, sent] of this.#seen) if (!this.isOfNow(sent)) this.#seen.delete(old);
    if (this.#seen.size >= MAX_SEEN) return false;
    this.#seen.set(id, at);
    return true;
  }
}
