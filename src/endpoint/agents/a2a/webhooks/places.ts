/**
 * Places for requests to webhooks: principals take turns, and none has more than a few at one time.
 * @module
 */
import { FairQueue, type Waiting } from '../../../../core/fair-queue.ts';

interface Waits extends Waiting {
  enter(): void;
}

export interface PlaceLimits {
  most: number;
  ofPrincipal: number;
}

export class Places {
  readonly #limits: PlaceLimits;
  readonly #queue = new FairQueue();
  readonly #taken = new Map<string, number>();
  #size = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /** Resolves with what gives the place back; undefined where `signal` aborts first. */
  async take(principal: string, signal: AbortSignal): Promise<(() => void) | undefined> {
    if (signal.aborted) return undefined;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waits: Waits = { previous: undefined, next: undefined, principal, callerKey: '', enter: () => resolve(true) };
    const leave = (): void => {
      if (this.#queue.remove(waits)) resolve(false);
    };
    this.#queue.enqueue(waits);
    this.#admit();
    signal.addEventListener('abort', leave, { once: true });
    const hasPlace = await promise;
    signal.removeEventListener('abort', leave);
    return hasPlace ? () => this.#giveBack(principal) : undefined;
  }

  #admit(): void {
    while (this.#size < this.#limits.most) {
      const next = this.#queue.dequeue((principal) => (this.#taken.get(principal) ?? 0) < this.#limits.ofPrincipal);
      if (!next) return;
      this.#size++;
      this.#taken.set(next.principal, (this.#taken.get(next.principal) ?? 0) + 1);
      (next as Waits).enter();
    }
  }

  #giveBack(principal: string): void {
    const left = (this.#taken.get(principal) ?? 1) - 1;
    if (left === 0) this.#taken.delete(principal);
    else this.#taken.set(principal, left);
    this.#size--;
    this.#admit();
  }
}
