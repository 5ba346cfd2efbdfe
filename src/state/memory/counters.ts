/**
 * Counters in this process: synchronous, so a reservation is all-or-none without a lock.
 * @module
 */
import type { Log } from '../../core/log.ts';
import { type CounterRows, Counting, countsAt, Taken, windowOf } from '../counting.ts';
import {
  type CounterReading,
  type Counters,
  type CounterUse,
  type Refusal,
  type Reservation,
  STATE_LIMITS,
} from '../state.ts';
import type { CounterRow } from '../windows.ts';

export interface MemoryCounter {
  readonly row: CounterRow;
  readonly window: Pick<CounterUse, 'sliding' | 'windowMs'>;
  /** {@link CounterUse.sessionOf}; undefined for counters of an earlier process. */
  readonly owner: string | undefined;
}

export interface MemoryCountersOptions {
  log: Log;
  maxCounters?: number;
  /** Milliseconds since the epoch. */
  clock?: () => number;
}

export class MemoryCounters implements Counters {
  readonly #counting: Counting;
  readonly #clock: () => number;

  constructor({ log, maxCounters = STATE_LIMITS.maxCounters, clock = Date.now }: MemoryCountersOptions) {
    this.#counting = new Counting(new MemoryRows(), maxCounters, log);
    this.#clock = clock;
  }

  reserve<Use extends CounterUse>(uses: readonly Use[], now: number = this.#clock()): Reservation | Refusal<Use> {
    const tickets = this.#counting.take(uses, now);
    return Array.isArray(tickets) ? new Taken(this.#counting, uses, tickets) : tickets;
  }

  read<Use extends CounterUse>(uses: readonly Use[], now: number = this.#clock()): CounterReading<Use> {
    return this.#counting.read(uses, now);
  }
}

export class MemoryRows implements CounterRows {
  readonly #changed: Set<string> | undefined;
  readonly #counters = new Map<string, MemoryCounter>();
  /** How many counters of sessions each principal has. */
  readonly #owned = new Map<string, number>();

  /** `changed` receives the id of every counter that is saved or removed. */
  constructor(changed?: Set<string>) {
    this.#changed = changed;
  }

  get(id: string): MemoryCounter | undefined {
    return this.#counters.get(id);
  }

  find(id: string): CounterRow | undefined {
    return this.#counters.get(id)?.row;
  }

  save(id: string, { sliding, windowMs, sessionOf }: CounterUse, row: CounterRow): void {
    if (!this.#counters.has(id)) this.add(id, { row, window: { sliding, windowMs }, owner: sessionOf });
    this.#changed?.add(id);
  }

  add(id: string, counter: MemoryCounter): void {
    this.#counters.set(id, counter);
    this.#own(counter.owner, 1);
  }

  size(): number {
    return this.#counters.size;
  }

  sizeOf(owner: string): number {
    return this.#owned.get(owner) ?? 0;
  }

  mostOwned(): number {
    return Math.max(0, ...this.#owned.values());
  }

  soonestEnd(): number | undefined {
    let soonest = Number.POSITIVE_INFINITY;
    for (const { row, window } of this.#counters.values()) {
      soonest = Math.min(soonest, windowOf(window).endsAt(row, window.windowMs));
    }
    return Number.isFinite(soonest) ? soonest : undefined;
  }

  sweep(now: number): void {
    for (const [id, { row, window, owner }] of this.#counters) {
      if (countsAt(row, window, now)) continue;
      this.#counters.delete(id);
      this.#changed?.add(id);
      this.#own(owner, -1);
    }
  }

  #own(owner: string | undefined, more: number): void {
    if (owner === undefined) return;
    const owned = this.sizeOf(owner) + more;
    if (owned > 0) this.#owned.set(owner, owned);
    else this.#owned.delete(owner);
  }
}
