/**
 * All counts by what they count, bounded in number. Those whose window is over make room first. Counts of sessions, which
 * clients open at will, leave half of the room to everything else and everybody else.
 * @module
 */
import type { LimitUse } from '../types.ts';
import { CalendarCount } from './calendar-count.ts';
import type { Count, CountRow } from './count.ts';
import { SlidingCount } from './sliding-count.ts';

/** Looking for counts that are over costs time for every count there is, so it is done this often at most. */
const SWEEP_MS = 60_000;
const SWEEP_WHEN_FULL_MS = 1_000;

const ID = /^([cs])(\d+(?:\.\d+)?) /;

/** Kind and length of the window belong to the id: a window that is changed on reload is another count. */
export function idOf(use: LimitUse): string {
  let id = ids.get(use);
  if (id === undefined) {
    id = `${use.sliding ? 's' : 'c'}${use.windowMs} ${use.key}`;
    ids.set(use, id);
  }
  return id;
}

/** Most uses are the same object for every call. */
const ids = new WeakMap<LimitUse, string>();

export class CounterTable {
  readonly #counts = new Map<string, Count>();
  readonly #max: number;
  /** Whose count of a session it is, by its id; and how many each has. Those of an earlier process are nobody's. */
  readonly #owners = new Map<string, string>();
  readonly #held = new Map<string, number>();
  #sweptAt = Number.NEGATIVE_INFINITY;
  /** The soonest end of a window that the last sweep saw. */
  #soonest: number | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#counts.size;
  }

  /** When room may be made, if there is none now. */
  get soonest(): number | undefined {
    return this.#soonest;
  }

  /** As it stands at `now`. */
  find(id: string, now: number): Count | undefined {
    const count = this.#counts.get(id);
    count?.advance(now);
    return count;
  }

  make(id: string, { sliding, windowMs, sessionOf }: LimitUse, now: number): Count {
    const count = sliding ? new SlidingCount(windowMs) : new CalendarCount(windowMs, now);
    this.#counts.set(id, count);
    if (sessionOf !== undefined) {
      this.#owners.set(id, sessionOf);
      this.#held.set(sessionOf, (this.#held.get(sessionOf) ?? 0) + 1);
    }
    return count;
  }

  /** Room for counts that one call needs and that are not there yet. */
  hasRoomFor(missing: readonly LimitUse[], now: number): boolean {
    const wasFull = this.#isFullFor(missing);
    // The distance, since the clock may have been set back.
    if (Math.abs(now - this.#sweptAt) >= (wasFull ? SWEEP_WHEN_FULL_MS : SWEEP_MS)) this.sweep(now);
    return !this.#isFullFor(missing);
  }

  #isFullFor(missing: readonly LimitUse[]): boolean {
    if (this.#counts.size + missing.length > this.#max) return true;
    const ofSessions = missing.filter(({ sessionOf }) => sessionOf !== undefined);
    const [first] = ofSessions;
    if (first?.sessionOf === undefined) return false;
    return (this.#held.get(first.sessionOf) ?? 0) + ofSessions.length > this.#max / 2;
  }

  #remove(id: string): void {
    this.#counts.delete(id);
    const owner = this.#owners.get(id);
    if (owner === undefined) return;
    this.#owners.delete(id);
    const left = (this.#held.get(owner) ?? 1) - 1;
    if (left > 0) this.#held.set(owner, left);
    else this.#held.delete(owner);
  }

  sweep(now: number): void {
    this.#sweptAt = now;
    this.#soonest = undefined;
    for (const [id, count] of this.#counts) {
      count.advance(now);
      if (count.endsAt <= now || count.total === 0) this.#remove(id);
      else this.#soonest = Math.min(this.#soonest ?? count.endsAt, count.endsAt);
    }
  }

  *rows(now: number): Generator<[id: string, row: CountRow, endsAt: number]> {
    for (const [id, count] of this.#counts) {
      count.advance(now);
      if (count.endsAt > now && count.total > 0) yield [id, count.row(), count.endsAt];
    }
  }

  /** Takes up a count that was written before; what is over, and what there is no room for, is left. */
  restore(id: string, row: CountRow, now: number): void {
    const count = countOf(id, row, now);
    if (count === undefined) return;
    count.advance(now);
    if (count.endsAt <= now || count.total === 0) return;
    const known = this.#counts.get(id);
    if (known === undefined ? this.#counts.size < this.#max : known.total < count.total) this.#counts.set(id, count);
  }
}

export function isRow(id: string, row: CountRow): boolean {
  const [, kind, windowMs] = ID.exec(id) ?? [];
  if (!(Number(windowMs) > 0)) return false;
  return kind === 's' ? SlidingCount.isRow(row) : CalendarCount.isRow(row);
}

function countOf(id: string, row: CountRow, now: number): Count | undefined {
  const [, kind, windowMs] = ID.exec(id) ?? [];
  if (windowMs === undefined) return undefined;
  return kind === 's' ? new SlidingCount(Number(windowMs), row) : new CalendarCount(Number(windowMs), now, row);
}
