/**
 * Counters in this process: synchronous, so a reservation is all-or-none without a lock.
 * @module
 */
import type { Log } from '../../core/log.ts';
import { type CounterRows, Counting, countsAt, Taken, windowOf, windowOfId } from '../counting.ts';
import {
  type CounterReading,
  type Counters,
  type CounterUse,
  type Refusal,
  type Reservation,
  STATE_LIMITS,
} from '../state.ts';
import type { CounterRow } from '../windows.ts';

/** Removing counters whose window is over costs time for every counter there is, so it is done this often at most. */
const SWEEP_MS = 60_000;
const SWEEP_WHEN_FULL_MS = 1_000;

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
    this.#counting = new Counting(new MemoryRows(maxCounters), log);
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
  soonestEnd: number | undefined;
  readonly #max: number;
  readonly #changed: Set<string> | undefined;
  readonly #counters = new Map<string, MemoryCounter>();
  /** How many counters of sessions each principal has. */
  readonly #owned = new Map<string, number>();
  #sweptAt = Number.NEGATIVE_INFINITY;

  /** `changed` receives the id of every counter that is saved or removed, once until it is taken out of there. */
  constructor(max: number, changed?: Set<string>) {
    this.#max = max;
    this.#changed = changed;
  }

  find(id: string): CounterRow | undefined {
    return this.#counters.get(id)?.row;
  }

  save(id: string, { sliding, windowMs, sessionOf }: CounterUse, row: CounterRow): void {
    if (!this.#counters.has(id)) this.#add(id, { row, window: { sliding, windowMs }, owner: sessionOf });
    this.#changed?.add(id);
  }

  /** Counters of sessions, which clients open at will, leave half of the places to everything and everyone else. */
  hasRoomFor(missing: readonly CounterUse[], now: number): boolean {
    const full = this.#isFullFor(missing);
    // The distance, since the clock may have been set back.
    if (Math.abs(now - this.#sweptAt) >= (full ? SWEEP_WHEN_FULL_MS : SWEEP_MS)) this.#sweep(now);
    return !this.#isFullFor(missing);
  }

  /** Adds a counter kept elsewhere, if there is room. */
  restore(id: string, row: CounterRow, owner: string | undefined): void {
    const window = windowOfId(id);
    if (window !== undefined && this.#counters.size < this.#max) this.#add(id, { row, window, owner });
  }

  get(id: string): MemoryCounter | undefined {
    return this.#counters.get(id);
  }

  #isFullFor(missing: readonly CounterUse[]): boolean {
    if (this.#counters.size + missing.length > this.#max) return true;
    const ofSessions = missing.filter(({ sessionOf }) => sessionOf !== undefined);
    const [first] = ofSessions;
    if (first?.sessionOf === undefined) return false;
    return (this.#owned.get(first.sessionOf) ?? 0) + ofSessions.length > this.#max / 2;
  }

  #add(id: string, counter: MemoryCounter): void {
    this.#counters.set(id, counter);
    if (counter.owner !== undefined) this.#owned.set(counter.owner, (this.#owned.get(counter.owner) ?? 0) + 1);
  }

  #sweep(now: number): void {
    this.#sweptAt = now;
    this.soonestEnd = undefined;
    for (const [id, { row, window, owner }] of this.#counters) {
      if (countsAt(row, window, now)) {
        const endsAt = windowOf(window).endsAt(row, window.windowMs);
        this.soonestEnd = Math.min(this.soonestEnd ?? endsAt, endsAt);
        continue;
      }
      this.#counters.delete(id);
      this.#changed?.add(id);
      if (owner === undefined) continue;
      const left = (this.#owned.get(owner) ?? 1) - 1;
      if (left > 0) this.#owned.set(owner, left);
      else this.#owned.delete(owner);
    }
  }
}
