/**
 * The rules of counting, over rows that an implementation keeps: all uses of a call or none, the refusal that lasts
 * longest, no more counters than there are places. Synchronous: the implementation sees to it that nothing else changes
 * the rows meanwhile.
 * @module
 */
import type { Log } from '../core/log.ts';
import type { CounterReading, CounterUse, Refusal, Reservation } from './state.ts';
import { CALENDAR, type CounterRow, SLIDING, type Window } from './windows.ts';

export interface CounterRows {
  /** The row as last saved. A change counts once it is saved. */
  find(id: string): CounterRow | undefined;
  save(id: string, use: CounterUse, row: CounterRow): void;
  /** The number of counters, and of those of sessions of one principal. */
  size(): number;
  sizeOf(owner: string): number;
  /** Of the principal with most counters of sessions. */
  mostOwned(): number;
  /** Removes counters whose window is over. */
  sweep(now: number): void;
  /** When the first window ends; undefined when there is none. */
  soonestEnd(): number | undefined;
}

export const windowOf = ({ sliding }: Pick<CounterUse, 'sliding'>): Window => (sliding ? SLIDING : CALENDAR);

/** Kind and length of the window belong to the id: a window that is changed on reload is another counter. */
export function idOf(use: CounterUse): string {
  let id = ids.get(use);
  if (id === undefined) {
    id = `${use.sliding ? 's' : 'c'}${use.windowMs} ${use.key}`;
    ids.set(use, id);
  }
  return id;
}

/** Most uses are the same object for every call. */
const ids = new WeakMap<CounterUse, string>();

const ID = /^([cs])(\d+(?:\.\d+)?) /;

/** The window an id speaks of; undefined when it is no id of a counter. */
export function windowOfId(id: string): Pick<CounterUse, 'sliding' | 'windowMs'> | undefined {
  const [, kind, windowMs] = ID.exec(id) ?? [];
  return Number(windowMs) > 0 ? { sliding: kind === 's', windowMs: Number(windowMs) } : undefined;
}

/** A sweep costs time for every counter there is, so there is one this often at most. */
const SWEEP_MS = 60_000;
const SWEEP_WHEN_FULL_MS = 1_000;
const NONE: readonly never[] = [];

export class Counting {
  readonly #rows: CounterRows;
  readonly #maxCounters: number;
  readonly #log: Log;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #reportedFull = false;

  constructor(rows: CounterRows, maxCounters: number, log: Log) {
    this.#rows = rows;
    this.#maxCounters = maxCounters;
    this.#log = log;
  }

  /** Takes all uses and returns a ticket for each, or takes nothing. */
  take<Use extends CounterUse>(uses: readonly Use[], now: number): number[] | Refusal<Use> {
    // Looked up once each: every call under a limit comes here.
    const ids = uses.map(idOf);
    const refusal = this.#refusal(uses, ids, now);
    if (refusal) return refusal;
    return uses.map((use, at) => {
      const id = ids[at] as string;
      const window = windowOf(use);
      const row = this.#find(use, id, now) ?? window.create(use.windowMs, now);
      const ticket = window.add(row, use.windowMs, use.amount, now);
      this.#rows.save(id, use, row);
      return ticket;
    });
  }

  giveBack(uses: readonly CounterUse[], tickets: readonly number[]): void {
    for (const [at, use] of uses.entries()) {
      const row = this.#rows.find(idOf(use));
      if (row === undefined) continue;
      windowOf(use).giveBack(row, tickets[at] as number, use.amount);
      this.#rows.save(idOf(use), use, row);
    }
  }

  read<Use extends CounterUse>(uses: readonly Use[], now: number): CounterReading<Use> {
    const ids = uses.map(idOf);
    const counts = uses.map((use, at) => {
      const row = this.#find(use, ids[at] as string, now);
      const used = row === undefined ? 0 : windowOf(use).total(row);
      return {
        use,
        used,
        endsAt: row === undefined || used === 0 ? undefined : windowOf(use).endsAt(row, use.windowMs),
      };
    });
    return { refusal: this.#refusal(uses, ids, now), counts };
  }

  #find(use: CounterUse, id: string, now: number): CounterRow | undefined {
    const row = this.#rows.find(id);
    if (row !== undefined && windowOf(use).advance(row, use.windowMs, now)) this.#rows.save(id, use, row);
    return row;
  }

  #refusal<Use extends CounterUse>(
    uses: readonly Use[],
    ids: readonly string[],
    now: number,
  ): Refusal<Use> | undefined {
    let refusal: Refusal<Use> | undefined;
    let missing: readonly Use[] = NONE;
    for (let at = 0; at < uses.length; at++) {
      const use = uses[at] as Use;
      const id = ids[at] as string;
      const amount = amountOf(id, uses, ids);
      if (exceeds(use, amount)) return refused(use, 'too-much', undefined, now);
      const row = this.#find(use, id, now);
      if (row === undefined) {
        if (ids.indexOf(id) === at) missing = [...missing, use];
      } else if (!(windowOf(use).total(row) + amount <= use.max)) {
        const resetsAt = windowOf(use).fallsTo(row, use.windowMs, use.max - amount);
        if (refusal?.resetsAt === undefined || resetsAt > refusal.resetsAt) {
          refusal = refused(use, 'reached', resetsAt, now);
        }
      }
    }
    if (refusal || missing.length === 0) return refusal;
    if (this.#hasRoomFor(missing, now)) {
      this.#reportedFull = false;
      return undefined;
    }
    if (!this.#reportedFull) {
      this.#reportedFull = true;
      this.#log.warn({}, 'No more counts of limits can be kept: calls that need one are denied.');
    }
    return refused(uses[0] as Use, 'full', this.#rows.soonestEnd(), now);
  }

  #hasRoomFor(missing: readonly CounterUse[], now: number): boolean {
    const full = this.#isFullFor(missing);
    // The distance, since the clock may have been set back.
    if (Math.abs(now - this.#sweptAt) < (full ? SWEEP_WHEN_FULL_MS : SWEEP_MS)) return !full;
    this.#sweptAt = now;
    this.#rows.sweep(now);
    return !full || !this.#isFullFor(missing);
  }

  /**
   * Counters of sessions, which clients open at will, leave half of the places to everything and everyone else. When all
   * places are taken, others are admitted beyond them, by as many as the principal with most has of those.
   */
  #isFullFor(missing: readonly CounterUse[]): boolean {
    const rows = this.#rows;
    const ofSessions = missing.filter(({ sessionOf }) => sessionOf !== undefined);
    const owner = ofSessions[0]?.sessionOf;
    const own = owner === undefined ? 0 : rows.sizeOf(owner) + ofSessions.length;
    if (own > this.#maxCounters / 2) return true;
    const excess = rows.size() + missing.length - this.#maxCounters;
    if (excess <= 0) return false;
    const most = rows.mostOwned();
    return own >= most || excess > most;
  }
}

/** What was taken, until it is committed or given back. */
export class Taken implements Reservation {
  readonly granted = true;
  readonly #from: Pick<Counting, 'giveBack'>;
  readonly #uses: readonly CounterUse[];
  #tickets: readonly number[] | undefined;

  constructor(from: Pick<Counting, 'giveBack'>, uses: readonly CounterUse[], tickets: readonly number[]) {
    this.#from = from;
    this.#uses = uses;
    this.#tickets = tickets;
  }

  commit(): void {
    this.#tickets = undefined;
  }

  rollback(): void {
    const tickets = this.#tickets;
    this.#tickets = undefined;
    if (tickets !== undefined) this.#from.giveBack(this.#uses, tickets);
  }
}

/** Advances the row to `now`; whether anything of it counts. */
export function countsAt(row: CounterRow, use: Pick<CounterUse, 'sliding' | 'windowMs'>, now: number): boolean {
  const window = windowOf(use);
  window.advance(row, use.windowMs, now);
  return window.endsAt(row, use.windowMs) > now && window.total(row) > 0;
}

/** Whether the uses are refused for good because of this one, whatever is counted. */
export const isTooMuch = (use: CounterUse, uses: readonly CounterUse[]): boolean =>
  exceeds(use, amountOf(idOf(use), uses));

/** `amount`: what the call adds to the counter of this use. */
const exceeds = (use: CounterUse, amount: number): boolean => !(use.amount >= 0 && amount <= use.max && use.max > 0);

/**
 * What one call adds to a counter in several places has to fit as a whole, whichever place is looked at. `ids`: those of
 * the uses, where they are known.
 */
export function amountOf(id: string, uses: readonly CounterUse[], ids?: readonly string[]): number {
  let amount = 0;
  for (let at = 0; at < uses.length; at++) {
    const use = uses[at] as CounterUse;
    if ((ids ? ids[at] : idOf(use)) === id) amount += use.amount;
  }
  return amount;
}

export function refused<Use extends CounterUse>(
  use: Use,
  why: Refusal['why'],
  resetsAt: number | undefined,
  now: number,
): Refusal<Use> {
  const retryAfterMs = resetsAt === undefined ? undefined : Math.max(1, Math.ceil(resetsAt - now));
  return { granted: false, use, why, resetsAt, retryAfterMs };
}
