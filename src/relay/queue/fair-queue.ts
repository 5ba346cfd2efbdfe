/**
 * The order of waiting calls of one upstream: callers take turns, each caller's own calls keep their order. One caller
 * with a thousand waiting calls delays another's first call by one turn, not by a thousand.
 * @module
 */
import type { Queue, QueueAddOptions } from 'p-queue';

type Run = () => Promise<unknown>;

export interface FairOptions extends QueueAddOptions {
  /** Whose turn this call uses: `caller.key`. */
  readonly caller?: string;
}

interface Waiting {
  run: Run;
  id: string | undefined;
}

/**
 * p-queue's queue class. Invariant: `#turns` holds exactly the callers with a non-empty line in `#lines`, in the order
 * in which they are served next.
 */
export class FairQueue implements Queue<Run, FairOptions> {
  readonly #lines = new Map<string, Waiting[]>();
  #turns: string[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  enqueue(run: Run, options?: Partial<FairOptions>): void {
    const caller = options?.caller ?? '';
    const line = this.#lines.get(caller);
    if (line) {
      line.push({ run, id: options?.id });
    } else {
      this.#lines.set(caller, [{ run, id: options?.id }]);
      this.#turns.push(caller);
    }
    this.#size++;
  }

  dequeue(): Run | undefined {
    const caller = this.#turns.shift();
    if (caller === undefined) return undefined;
    const line = this.#lines.get(caller) as Waiting[];
    const next = line.shift() as Waiting;
    if (line.length === 0) this.#lines.delete(caller);
    else this.#turns.push(caller);
    this.#size--;
    return next.run;
  }

  /** p-queue takes a call out by id when its signal aborts. */
  remove(id: string): void {
    for (const [caller, line] of this.#lines) {
      const at = line.findIndex((waiting) => waiting.id === id);
      if (at === -1) continue;
      line.splice(at, 1);
      this.#size--;
      if (line.length === 0) {
        this.#lines.delete(caller);
        this.#turns = this.#turns.filter((turn) => turn !== caller);
      }
      return;
    }
  }

  filter(): Run[] {
    return [...this.#lines.values()].flat().map((waiting) => waiting.run);
  }

  setPriority(): void {
    throw new TypeError('Calls of one upstream have no priorities: callers take turns.');
  }
}
