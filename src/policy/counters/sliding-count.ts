/**
 * Counts of sliding windows: never more than `max` in any stretch of the window's length.
 *
 * Hits within one sixtieth of the window share a slot, and a slot counts until its last hit has left the window. So memory
 * is bounded (62 slots), hits further apart than that are counted exactly, and closer ones for at most one sixtieth of the
 * window too long. The error is on the safe side: refused a little longer, never admitted too early.
 * @module
 */
import type { Count, CountRow, Reserved } from './count.ts';

const SLOTS = 60;

interface Slot {
  first: number;
  last: number;
  amount: number;
  over: boolean;
}

export class SlidingCount implements Count {
  total = 0;
  readonly #windowMs: number;
  readonly #slotMs: number;
  /** Oldest first. */
  #slots: Slot[] = [];

  constructor(windowMs: number, row: CountRow = []) {
    this.#windowMs = windowMs;
    this.#slotMs = windowMs / SLOTS;
    for (let at = 0; at + 2 < row.length; at += 3) {
      const [first = 0, last = 0, amount = 0] = row.slice(at, at + 3);
      this.#slots.push({ first, last, amount, over: false });
      this.total += amount;
    }
  }

  get endsAt(): number {
    const newest = this.#slots.at(-1);
    return newest === undefined ? Number.NEGATIVE_INFINITY : newest.last + this.#windowMs;
  }

  advance(now: number): void {
    const newest = this.#slots.at(-1)?.last ?? now;
    if (now < newest - this.#windowMs) this.#move(now - newest);
    let gone = 0;
    for (const slot of this.#slots) {
      if (slot.last + this.#windowMs > now) break;
      slot.over = true;
      gone++;
    }
    if (gone === 0) return;
    this.#slots = this.#slots.slice(gone);
    // Summed anew, so that rounding does not add up.
    this.total = this.#slots.reduce((sum, { amount }) => sum + amount, 0);
  }

  add(amount: number, now: number): Reserved {
    const slot = this.#slotAt(now);
    slot.amount += amount;
    this.total += amount;
    return {
      giveBack: () => {
        if (slot.over) return;
        slot.amount = Math.max(0, slot.amount - amount);
        this.total = Math.max(0, this.total - amount);
      },
    };
  }

  fallsTo(room: number): number {
    let left = this.total;
    for (const slot of this.#slots) {
      left -= slot.amount;
      if (left <= room) return slot.last + this.#windowMs;
    }
    return this.endsAt;
  }

  row(): CountRow {
    return this.#slots.flatMap(({ first, last, amount }) => [first, last, amount]);
  }

  static isRow(row: CountRow): boolean {
    if (row.length === 0 || row.length % 3 !== 0 || row.length > 3 * (SLOTS + 2)) return false;
    let before = Number.NEGATIVE_INFINITY;
    for (let at = 0; at < row.length; at += 3) {
      const [first = Number.NaN, last = Number.NaN, amount = Number.NaN] = row.slice(at, at + 3);
      if (!(first >= before && last >= first && amount >= 0)) return false;
      before = last;
    }
    return true;
  }

  #slotAt(now: number): Slot {
    const newest = this.#slots.at(-1);
    // The clock was set back a little: what comes now counts as what came last.
    const at = newest === undefined ? now : Math.max(now, newest.last);
    if (newest !== undefined && at - newest.first < this.#slotMs) {
      newest.last = at;
      return newest;
    }
    const slot = { first: at, last: at, amount: 0, over: false };
    this.#slots.push(slot);
    return slot;
  }

  #move(by: number): void {
    for (const slot of this.#slots) {
      slot.first += by;
      slot.last += by;
    }
  }
}
