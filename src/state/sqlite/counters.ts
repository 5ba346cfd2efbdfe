/**
 * Counters in SQLite, exact over all processes: each reservation is a transaction of its own, which takes about 10 µs
 * and is synchronous unless another process writes at that moment.
 *
 * A database that fails (a full disk, a table that somebody removed) does not stop calls: this process counts on in
 * memory, with a warning.
 * @module
 */
import type { Log } from '../../core/log.ts';
import { type CounterRows, Counting, countsAt, Taken, windowOf, windowOfId } from '../counting.ts';
import { MemoryCounters } from '../memory/counters.ts';
import type { CounterReading, Counters, CounterUse, Refusal, Reservation } from '../state.ts';
import type { CounterRow } from '../windows.ts';
import type { Database } from './database.ts';

/** `row` is the row's numbers as 64-bit floats. */
export const COUNTERS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS counters (
    id TEXT PRIMARY KEY, owner TEXT, window_ms REAL NOT NULL, ends_at REAL NOT NULL, row BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS counters_by_owner ON counters (owner) WHERE owner IS NOT NULL`;

export interface SqliteCountersOptions {
  log: Log;
  maxCounters: number;
  clock: () => number;
}

export class SqliteCounters implements Counters {
  readonly #db: Database;
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #maxCounters: number;
  readonly #rows: SqliteRows;
  readonly #counting: Counting;
  /** Once the database has failed. */
  #memory: MemoryCounters | undefined;

  constructor(db: Database, { log, maxCounters, clock }: SqliteCountersOptions) {
    this.#db = db;
    this.#log = log;
    this.#clock = clock;
    this.#maxCounters = maxCounters;
    this.#rows = new SqliteRows(db, maxCounters);
    this.#counting = new Counting(this.#rows, log);
  }

  reserve<Use extends CounterUse>(
    uses: readonly Use[],
    now: number = this.#clock(),
  ): Reservation | Refusal<Use> | Promise<Reservation | Refusal<Use>> {
    if (uses.length === 0) return NOTHING_TAKEN;
    const made = (tickets: number[] | Refusal<Use>): Reservation | Refusal<Use> =>
      Array.isArray(tickets) ? new Taken(this, uses, tickets) : tickets;
    if (this.#memory) return this.#memory.reserve(uses, now);
    try {
      const taken = this.#db.transact(() => this.#counting.take(uses, now));
      return taken instanceof Promise ? taken.then(made) : made(taken);
    } catch (error) {
      return this.#countInMemory(error).reserve(uses, now);
    }
  }

  read<Use extends CounterUse>(
    uses: readonly Use[],
    now: number = this.#clock(),
  ): CounterReading<Use> | Promise<CounterReading<Use>> {
    if (this.#memory) return this.#memory.read(uses, now);
    try {
      return this.#db.transact(() => this.#counting.read(uses, now));
    } catch (error) {
      return this.#countInMemory(error).read(uses, now);
    }
  }

  /** For {@link Taken}. */
  giveBack(uses: readonly CounterUse[], tickets: readonly number[]): void {
    const failed = (error: unknown): void => this.#log.warn({ err: error }, 'A reservation could not be given back.');
    if (this.#memory) return;
    try {
      const given = this.#db.transact(() => this.#counting.giveBack(uses, tickets));
      if (given instanceof Promise) given.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #countInMemory(error: unknown): MemoryCounters {
    this.#log.warn({ err: error }, 'The counts of limits could not be written: a restart forgets them.');
    this.#memory = new MemoryCounters({ log: this.#log, maxCounters: this.#maxCounters, clock: this.#clock });
    try {
      for (const [id, row] of this.#rows.all()) this.#memory.rows.restore(id, row, undefined, this.#clock());
    } catch {
      // What cannot be read either counts from nothing.
    }
    return this.#memory;
  }
}

const NOTHING_TAKEN: Reservation = { granted: true, commit() {}, rollback() {} };

/** Removing counters whose window is over costs time for every counter there is, so it is done this often at most. */
const SWEEP_MS = 60_000;
const SWEEP_WHEN_FULL_MS = 1_000;

export class SqliteRows implements CounterRows {
  readonly #max: number;
  readonly #sql;
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(db: Database, max: number) {
    this.#max = max;
    this.#sql = {
      get: db.prepare('SELECT row FROM counters WHERE id = ?'),
      add: db.prepare('INSERT OR IGNORE INTO counters (id, owner, window_ms, ends_at, row) VALUES (?, ?, ?, ?, ?)'),
      update: db.prepare('UPDATE counters SET ends_at = ?, row = ? WHERE id = ?'),
      all: db.prepare('SELECT id, row FROM counters'),
      size: db.prepare('SELECT count(*) AS n FROM counters'),
      owned: db.prepare('SELECT count(*) AS n FROM counters WHERE owner = ?'),
      soonest: db.prepare('SELECT min(ends_at) AS at FROM counters'),
      expire: db.prepare('DELETE FROM counters WHERE ends_at <= ?'),
      ahead: db.prepare('SELECT id, row FROM counters WHERE ends_at > ? + 2 * window_ms'),
      remove: db.prepare('DELETE FROM counters WHERE id = ?'),
    };
  }

  get soonestEnd(): number | undefined {
    return (this.#sql.soonest.get()?.at as number | null) ?? undefined;
  }

  find(id: string): CounterRow | undefined {
    const found = this.#sql.get.get(id);
    return found && rowOf(found.row);
  }

  save(id: string, use: Pick<CounterUse, 'sliding' | 'windowMs' | 'sessionOf'>, row: CounterRow): void {
    const window = windowOf(use);
    // What counts for nothing needs no place.
    if (window.total(row) === 0) {
      this.#sql.remove.run(id);
      return;
    }
    const bytes = new Uint8Array(Float64Array.from(row).buffer);
    const endsAt = window.endsAt(row, use.windowMs);
    if (this.#sql.update.run(endsAt, bytes, id).changes === 0)
      this.#sql.add.run(id, use.sessionOf ?? null, use.windowMs, endsAt, bytes);
  }

  hasRoomFor(missing: readonly CounterUse[], now: number): boolean {
    const full = this.#isFullFor(missing);
    if (Math.abs(now - this.#sweptAt) >= (full ? SWEEP_WHEN_FULL_MS : SWEEP_MS)) this.#sweep(now);
    return !full || !this.#isFullFor(missing);
  }

  *all(): Generator<[id: string, row: CounterRow]> {
    for (const { id, row } of this.#sql.all.iterate()) yield [String(id), rowOf(row)];
  }

  #isFullFor(missing: readonly CounterUse[]): boolean {
    if (count(this.#sql.size.get()) + missing.length > this.#max) return true;
    const ofSessions = missing.filter(({ sessionOf }) => sessionOf !== undefined);
    const [first] = ofSessions;
    if (first?.sessionOf === undefined) return false;
    return count(this.#sql.owned.get(first.sessionOf)) + ofSessions.length > this.#max / 2;
  }

  #sweep(now: number): void {
    this.#sweptAt = now;
    this.#sql.expire.run(now);
    // The clock was set back: these would keep their places until it is there again.
    for (const found of this.#sql.ahead.all(now)) {
      const id = String(found.id);
      const window = windowOfId(id);
      const row = rowOf(found.row);
      if (window && countsAt(row, window, now)) this.save(id, window, row);
      else this.#sql.remove.run(id);
    }
  }
}

const rowOf = (blob: unknown): CounterRow => {
  const { buffer, byteOffset, byteLength } = blob as Uint8Array;
  return [...new Float64Array(buffer.slice(byteOffset, byteOffset + byteLength))];
};

const count = (row: Record<string, unknown> | undefined): number => Number(row?.n ?? 0);
