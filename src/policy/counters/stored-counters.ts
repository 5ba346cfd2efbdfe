/**
 * Counters in this process. Single-threaded and synchronous, so a reservation is all-or-nothing without a lock.
 * @module
 */
import type { Log } from '../../core/log.ts';
import type { LimitUse } from '../types.ts';
import type { Reserved } from './count.ts';
import { type CounterTable, idOf } from './counter-table.ts';
import type { Counters, Look, Refusal, Reservation } from './counters.ts';
import type { Snapshots } from './snapshots.ts';

export interface CounterLimits {
  /** Most counts kept at one time. */
  maxCounts: number;
}

export const COUNTER_LIMITS: CounterLimits = { maxCounts: 100_000 };

const NOTHING_TAKEN: Reservation = { granted: true, commit() {}, rollback() {} };

export class StoredCounters implements Counters {
  readonly #shelf: CounterTable;
  readonly #log: Log;
  readonly #snapshots: Snapshots | undefined;
  readonly #clock: () => number;
  #saidFull = false;

  /** `snapshots` has loaded into `shelf` what was there. */
  constructor(shelf: CounterTable, log: Log, clock: () => number, snapshots: Snapshots | undefined) {
    this.#shelf = shelf;
    this.#log = log;
    this.#snapshots = snapshots;
    this.#clock = clock;
  }

  reserve(uses: readonly LimitUse[], now: number = this.#clock()): Reservation | Refusal {
    if (uses.length === 0) return NOTHING_TAKEN;
    const ids = uses.map(idOf);
    return this.#refusal(uses, ids, now) ?? this.#take(uses, ids, now);
  }

  look(uses: readonly LimitUse[], now: number = this.#clock()): Look {
    const ids = uses.map(idOf);
    const counts = uses.map((use, at) => {
      const count = this.#shelf.find(ids[at] as string, now);
      const used = count?.total ?? 0;
      return { use, used, endsAt: count === undefined || used === 0 ? undefined : count.endsAt };
    });
    return { refusal: this.#refusal(uses, ids, now), counts };
  }

  async close(): Promise<void> {
    await this.#snapshots?.close();
  }

  #refusal(uses: readonly LimitUse[], ids: readonly string[], now: number): Refusal | undefined {
    let refusal: Refusal | undefined;
    const missing: LimitUse[] = [];
    for (const [at, use] of uses.entries()) {
      const id = ids[at] as string;
      // What one call adds to a count in several places has to fit as a whole, whichever place is looked at.
      const amount = addedTo(id, uses, ids);
      if (!(use.amount >= 0 && amount <= use.max && use.max > 0)) return refused(use, 'too-much', undefined, now);
      const count = this.#shelf.find(id, now);
      if (count === undefined) {
        if (ids.indexOf(id) === at) missing.push(use);
      } else if (!(count.total + amount <= use.max)) {
        const resetsAt = count.fallsTo(use.max - amount);
        if (refusal?.resetsAt === undefined || resetsAt > refusal.resetsAt) {
          refusal = refused(use, 'reached', resetsAt, now);
        }
      }
    }
    if (refusal !== undefined) return refusal;
    if (missing.length === 0) return undefined;
    if (!this.#shelf.hasRoomFor(missing, now)) return this.#full(uses, now);
    this.#saidFull = false;
    return undefined;
  }

  #take(uses: readonly LimitUse[], ids: readonly string[], now: number): Reservation {
    const held = uses.map((use, at) => {
      const id = ids[at] as string;
      return (this.#shelf.find(id, now) ?? this.#shelf.make(id, use, now)).add(use.amount, now);
    });
    this.#snapshots?.changed();
    return new Taken(held, this.#snapshots);
  }

  #full(uses: readonly LimitUse[], now: number): Refusal {
    if (!this.#saidFull) {
      this.#saidFull = true;
      this.#log.warn(
        { counts: this.#shelf.size },
        'No more counts of limits can be kept: calls that need one are denied.',
      );
    }
    return refused(uses[0] as LimitUse, 'full', this.#shelf.soonest, now);
  }
}

class Taken implements Reservation {
  readonly granted = true;
  #held: readonly Reserved[] | undefined;
  readonly #snapshots: Snapshots | undefined;

  constructor(held: readonly Reserved[], snapshots: Snapshots | undefined) {
    this.#held = held;
    this.#snapshots = snapshots;
  }

  commit(): void {
    this.#held = undefined;
  }

  rollback(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    for (const each of held) each.giveBack();
    this.#snapshots?.changed();
  }
}

function addedTo(id: string, uses: readonly LimitUse[], ids: readonly string[]): number {
  let amount = 0;
  for (let at = 0; at < uses.length; at++) if (ids[at] === id) amount += (uses[at] as LimitUse).amount;
  return amount;
}

function refused(use: LimitUse, why: Refusal['why'], resetsAt: number | undefined, now: number): Refusal {
  const retryAfterMs = resetsAt === undefined ? undefined : Math.max(1, Math.ceil(resetsAt - now));
  return { granted: false, use, why, resetsAt, retryAfterMs };
}
