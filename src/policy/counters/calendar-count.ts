/**
 * Counts of calendar windows: they begin at multiples of their length since 1970-01-01T00:00Z, so a minute begins with
 * its first second and a day at midnight UTC. Up to twice `max` may pass around the edge of two windows, as published.
 * @module
 */
import type { Count, CountRow, Reserved } from './count.ts';

export class CalendarCount implements Count {
  total: number;
  readonly #windowMs: number;
  #start: number;
  /** Which window, however the clock is set: what is held of an earlier one cannot be given back. */
  #generation = 0;

  constructor(windowMs: number, now: number, row?: CountRow) {
    this.#windowMs = windowMs;
    this.#start = row?.[0] ?? startOf(windowMs, now);
    this.total = row?.[1] ?? 0;
  }

  get endsAt(): number {
    return this.#start + this.#windowMs;
  }

  advance(now: number): void {
    const start = startOf(this.#windowMs, now);
    if (start > this.#start) {
      this.#start = start;
      this.total = 0;
      this.#generation++;
    } else if (start < this.#start - this.#windowMs) {
      this.#start = start;
    }
  }

  add(amount: number): Reserved {
    this.total += amount;
    const generation = this.#generation;
    return {
      giveBack: () => {
        if (generation === this.#generation) this.total = Math.max(0, this.total - amount);
      },
    };
  }

  fallsTo(): number {
    return this.endsAt;
  }

  row(): CountRow {
    return [this.#start, this.total];
  }

  static isRow(row: CountRow): boolean {
    return row.length === 2 && Number.isSafeInteger(row[0]) && row[1] !== undefined && row[1] >= 0;
  }
}

const startOf = (windowMs: number, now: number): number => Math.floor(now / windowMs) * windowMs;
