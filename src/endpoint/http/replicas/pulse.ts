/**
 * Asks the replicas that requests were passed on to whether they live, for as long as replies are waited for: one that hangs keeps
 * its connections open, and the state that would tell may be away itself.
 * @module
 */
import type { ReplicaId } from '../../../state/replica.ts';
import type { ReplicaAddress } from '../../../state/replicas.ts';

/** Code of the error of a connection that another replica has not answered in time: it hangs, or is cut off. */
export const NOT_IN_TIME = 'NOT_IN_TIME';
/** Code of the error of a request that was not sent, since this replica ends. */
export const ENDING = 'ENDING';

const EVERY_MS = 2_000;
/** So many times in a row without an answer it is given up. */
const MISSED = 3;

export interface PulseOptions {
  /** The replicas that replies are waited for, each once. */
  awaited(): Map<ReplicaId, ReplicaAddress>;
  isAlive(address: ReplicaAddress, ms: number): Promise<boolean>;
  /** Called for a replica that does not answer, again for as long as it is waited for. */
  silent(replica: ReplicaId): void;
}

export class Pulse {
  readonly #options: PulseOptions;
  #missed = new Map<ReplicaId, number>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PulseOptions) {
    this.#options = options;
  }

  /** Something is waited for. */
  start(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => void this.#ask(), EVERY_MS);
    this.#timer.unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #ask(): Promise<void> {
    const awaited = this.#options.awaited();
    const missed = new Map<ReplicaId, number>();
    await Promise.all(
      [...awaited].map(async ([replica, address]) => {
        if (await this.#options.isAlive(address, EVERY_MS)) return;
        const times = (this.#missed.get(replica) ?? 0) + 1;
        missed.set(replica, times);
        if (times >= MISSED) this.#options.silent(replica);
      }),
    );
    this.#missed = missed;
    this.#timer = undefined;
    if (awaited.size > 0) this.start();
  }
}
