/**
 * Counters in SQLite, exact over all processes.
 *
 * A process that is the only one counting counts in memory, for about a microsecond a call, and writes what changed once
 * a second: its crash forgets the last second. As soon as another process wants to count, both count in the database:
 * each reservation is a transaction, about 15 µs, synchronous unless the other one writes at that moment. A process that
 * finds itself the only one left returns to memory. A database that fails (a full disk, a damaged table) does not stop
 * calls: the process counts on in memory, with a warning, until the database can be written again.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { type CounterRows, Counting, Taken, windowOf, windowOfId } from '../counting.ts';
import { type MemoryCounter, MemoryRows } from '../memory/counters.ts';
import type { Bus, CounterReading, Counters, CounterUse, Refusal, Reservation } from '../state.ts';
import type { CounterRow } from '../windows.ts';
import type { Database } from './database.ts';
import type { ProcessLock } from './process-lock.ts';

/** `row` is the row's numbers as 64-bit floats. */
export const COUNTERS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS counters (
    id TEXT PRIMARY KEY, owner TEXT, ends_at REAL NOT NULL, row BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS counters_by_owner ON counters (owner) WHERE owner IS NOT NULL`;

export interface SqliteCountersOptions {
  db: Database;
  /** Held alone by a process that counts in memory, shared by those that count in the database. */
  lock: ProcessLock;
  bus: Bus;
  log: Log;
  maxCounters: number;
  /** Milliseconds since the epoch. */
  clock: () => number;
  lockWaitMs: number;
  /** How often a process that shares looks whether it is the only one left. */
  tryAloneEveryMs?: number | undefined;
}

/** A message of this topic asks the process that counts in memory to share. */
const SHARE = 'counters:share';
const WRITE_EVERY_MS = 1_000;
/** More would hold up calls for longer than 20 ms. */
const MAX_ROWS_A_WRITE = 4_000;
const TRY_ALONE_EVERY_MS = 5_000;
const ASK_AGAIN_MS = 1_000;

const NOTHING_TAKEN: Reservation = { granted: true, commit() {}, rollback() {} };

export class SqliteCounters implements Counters {
  readonly #options: SqliteCountersOptions;
  readonly #db: Database;
  readonly #log: Log;
  readonly #rows: SqliteRows;
  readonly #inDatabase: Counting;
  /** Ids of counters in memory that are not written yet. */
  readonly #changed = new Set<string>();
  /** The counters, while they are in memory. */
  #memory: MemoryRows | undefined;
  #inMemory: Counting | undefined;
  /** Whether this process holds the lock with others. */
  #sharing = false;
  /** Transactions that wait for another process. */
  #waiting = 0;
  #joining: Promise<void> | undefined;
  #writing: Promise<boolean> | undefined;
  #stopListening: (() => void) | undefined;
  #writeTimer: NodeJS.Timeout | undefined;
  #aloneTimer: NodeJS.Timeout | undefined;
  #reported = false;
  /**
   * What the database held of each counter when it failed: this process counts in memory, beside others perhaps, and
   * adds to the database only what it has counted since.
   */
  #failedAt: Map<string, CounterRow> | undefined;

  constructor(options: SqliteCountersOptions) {
    this.#options = options;
    this.#db = options.db;
    this.#log = options.log;
    this.#rows = new SqliteRows(options.db);
    this.#inDatabase = new Counting(this.#rows, options.maxCounters, options.log);
  }

  reserve<Use extends CounterUse>(
    uses: readonly Use[],
    now: number = this.#options.clock(),
  ): Reservation | Refusal<Use> | Promise<Reservation | Refusal<Use>> {
    if (uses.length === 0) return NOTHING_TAKEN;
    if (this.#inMemory) return this.#taken(uses, this.#take(this.#inMemory, uses, now));
    const tickets = this.#count((counting) => this.#take(counting, uses, now));
    return tickets instanceof Promise ? tickets.then((each) => this.#taken(uses, each)) : this.#taken(uses, tickets);
  }

  read<Use extends CounterUse>(
    uses: readonly Use[],
    now: number = this.#options.clock(),
  ): CounterReading<Use> | Promise<CounterReading<Use>> {
    return this.#count((counting) => counting.read(uses, now));
  }

  /** For {@link Taken}. */
  giveBack(uses: readonly CounterUse[], tickets: readonly number[]): void {
    const given = this.#count((counting) => counting.giveBack(uses, tickets));
    if (this.#changed.size > 0) this.#writeLater();
    if (given instanceof Promise) {
      given.catch((error: unknown) => this.#log.warn({ err: error }, 'A reservation could not be given back.'));
    }
  }

  /** Writes what is not written yet. Never rejects. */
  async close(): Promise<void> {
    clearInterval(this.#aloneTimer);
    clearTimeout(this.#writeTimer);
    this.#stopListening?.();
    while ((this.#writing || this.#changed.size > 0) && (await this.#write()));
    this.#options.lock.close();
  }

  #take<Use extends CounterUse>(counting: Counting, uses: readonly Use[], now: number): number[] | Refusal<Use> {
    const tickets = counting.take(uses, now);
    if (this.#changed.size > 0) this.#writeLater();
    return tickets;
  }

  #taken<Use extends CounterUse>(uses: readonly Use[], tickets: number[] | Refusal<Use>): Reservation | Refusal<Use> {
    return Array.isArray(tickets) ? new Taken(this, uses, tickets) : tickets;
  }

  #count<T>(work: (counting: Counting) => T): T | Promise<T> {
    try {
      if (this.#inMemory) return work(this.#inMemory);
      if (!this.#sharing && !this.#join()) return this.#joined().then(() => this.#count(work));
      if (this.#inMemory) return work(this.#inMemory);
      const counted = this.#db.transact(() => work(this.#inDatabase));
      if (!(counted instanceof Promise)) return counted;
      this.#waiting++;
      return counted.finally(() => {
        this.#waiting--;
      });
    } catch (error) {
      return work(this.#fail(error));
    }
  }

  /** Gets the lock, alone if possible; false when another process holds it alone. */
  #join(): boolean {
    const { lock, bus } = this.#options;
    this.#stopListening ??= bus.subscribe(SHARE, () => void this.#handOver());
    if (lock.tryAlone()) this.#countInMemory();
    else this.#share();
    return this.#sharing || this.#memory !== undefined;
  }

  #share(): void {
    this.#sharing = this.#options.lock.tryShared();
    if (!this.#sharing || this.#aloneTimer !== undefined) return;
    this.#aloneTimer = setInterval(() => this.#tryAlone(), this.#options.tryAloneEveryMs ?? TRY_ALONE_EVERY_MS);
    this.#aloneTimer.unref();
  }

  #joined(): Promise<void> {
    this.#joining ??= this.#joinLater().finally(() => {
      this.#joining = undefined;
    });
    return this.#joining;
  }

  async #joinLater(): Promise<void> {
    const { bus, lockWaitMs } = this.#options;
    const began = performance.now();
    for (let asked = Number.NEGATIVE_INFINITY; ; await delay(2 + 3 * Math.random())) {
      const now = performance.now();
      try {
        if (this.#join()) return;
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (now - began > lockWaitMs)
        throw new SwitchboardError('SWB_STATE', 'The state folder stays locked by another process.');
      if (now - asked < ASK_AGAIN_MS) continue;
      asked = now;
      bus.publish(SHARE, null);
    }
  }

  #countInMemory(): void {
    this.#sharing = false;
    this.#memory = new MemoryRows(this.#changed);
    this.#inMemory = new Counting(this.#memory, this.#options.maxCounters, this.#log);
    this.#rows.copyTo(this.#memory);
  }

  /** Another process wants to count too. */
  async #handOver(): Promise<void> {
    if (!this.#memory) return;
    while (this.#writing || this.#changed.size > 0) {
      if (await this.#write()) continue;
      // Others may have more luck with the database; this process counts for itself.
      this.#failedAt = this.#rowsNow();
      this.#attempt(() => void this.#options.lock.tryShared());
      return;
    }
    // Nothing waits from here on, so that no call is counted in memory any more.
    this.#leaveMemory();
    this.#attempt(() => this.#share());
  }

  #leaveMemory(): void {
    this.#failedAt = undefined;
    this.#memory = undefined;
    this.#inMemory = undefined;
  }

  #tryAlone(): void {
    if (!this.#sharing || this.#waiting > 0) return;
    this.#sharing = false;
    this.#attempt(() => void this.#join());
  }

  /** Where no call is there to receive an error. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What this process counted is written: unless the counters cannot be read, it counts with the others again. */
  #recover(): void {
    try {
      this.#rows.copyTo(new MemoryRows());
    } catch {
      return;
    }
    this.#leaveMemory();
    this.#reported = false;
  }

  #writeLater(): void {
    if (this.#writeTimer !== undefined) return;
    this.#writeTimer = setTimeout(async () => {
      await this.#write();
      this.#writeTimer = undefined;
      if (this.#changed.size > 0) this.#writeLater();
      else if (this.#failedAt) this.#recover();
    }, WRITE_EVERY_MS);
    this.#writeTimer.unref();
  }

  /** Writes some of what changed in memory. False when it failed. */
  #write(): Promise<boolean> {
    this.#writing ??= this.#writeSome().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeSome(): Promise<boolean> {
    const memory = this.#memory;
    const ids = [...this.#changed].slice(0, MAX_ROWS_A_WRITE);
    for (const id of ids) this.#changed.delete(id);
    const before = this.#failedAt;
    const written = new Map<string, CounterRow>();
    try {
      await this.#db.transact(() => {
        for (const id of ids) {
          const counter = memory?.get(id);
          if (!before) this.#rows.copy(id, counter);
          else if (counter) {
            this.#rows.add(id, counter, before.get(id));
            written.set(id, [...counter.row]);
          }
        }
      });
      for (const [id, row] of written) before?.set(id, row);
      return true;
    } catch (error) {
      for (const id of ids) this.#changed.add(id);
      this.#report(error);
      return false;
    }
  }

  #fail(error: unknown): Counting {
    this.#report(error);
    try {
      this.#countInMemory();
    } catch {
      // What cannot be read counts from nothing.
    }
    this.#failedAt = this.#rowsNow();
    return this.#inMemory as Counting;
  }

  /** All rows as they are in the database; none where they cannot be read. */
  #rowsNow(): Map<string, CounterRow> {
    const rows = new Map<string, CounterRow>();
    try {
      for (const [id, { row }] of this.#rows.all()) rows.set(id, row);
    } catch {
      rows.clear();
    }
    return rows;
  }

  #report(error: unknown): void {
    if (!this.#reported)
      this.#log.warn({ err: error }, 'The counts of limits could not be written: a restart forgets them.');
    this.#reported = true;
  }
}

export class SqliteRows implements CounterRows {
  readonly #sql;

  constructor(db: Database) {
    this.#sql = {
      get: db.prepare('SELECT row FROM counters WHERE id = ?'),
      add: db.prepare('INSERT INTO counters (id, owner, ends_at, row) VALUES (?, ?, ?, ?)'),
      update: db.prepare('UPDATE counters SET ends_at = ?, row = ? WHERE id = ?'),
      remove: db.prepare('DELETE FROM counters WHERE id = ?'),
      sweep: db.prepare('DELETE FROM counters WHERE ends_at <= ?'),
      all: db.prepare('SELECT id, owner, row FROM counters'),
      size: db.prepare('SELECT count(*) AS n FROM counters'),
      sizeOf: db.prepare('SELECT count(*) AS n FROM counters WHERE owner = ?'),
      most: db.prepare(
        'SELECT max(n) AS n FROM (SELECT count(*) AS n FROM counters WHERE owner IS NOT NULL GROUP BY owner)',
      ),
      soonest: db.prepare('SELECT min(ends_at) AS n FROM counters'),
    };
  }

  find(id: string): CounterRow | undefined {
    const found = this.#sql.get.get(id);
    return found && rowOf(found.row);
  }

  /** A counter of nothing needs no place. */
  save(id: string, use: SavedUse, row: CounterRow): void {
    const window = windowOf(use);
    if (window.total(row) === 0) {
      this.#sql.remove.run(id);
      return;
    }
    const bytes = new Uint8Array(Float64Array.from(row).buffer);
    const endsAt = window.endsAt(row, use.windowMs);
    if (this.#sql.update.run(endsAt, bytes, id).changes === 0)
      this.#sql.add.run(id, use.sessionOf ?? null, endsAt, bytes);
  }

  /** Makes the counter what it is in memory. */
  copy(id: string, counter: MemoryCounter | undefined): void {
    if (counter) this.save(id, { ...counter.window, sessionOf: counter.owner }, counter.row);
    else this.#sql.remove.run(id);
  }

  /** Adds to the counter what it has in memory beyond `before`. */
  add(id: string, { row, window, owner }: MemoryCounter, before: CounterRow | undefined): void {
    const merged = windowOf(window).merged(this.find(id), row, before, window.windowMs);
    this.save(id, { ...window, sessionOf: owner }, merged);
  }

  *all(): Generator<[id: string, counter: MemoryCounter]> {
    for (const { id, owner, row } of this.#sql.all.iterate()) {
      const window = windowOfId(String(id));
      if (window) yield [String(id), { row: rowOf(row), window, owner: owner === null ? undefined : String(owner) }];
    }
  }

  copyTo(memory: MemoryRows): void {
    for (const [id, counter] of this.all()) memory.add(id, counter);
  }

  size(): number {
    return Number(this.#sql.size.get()?.n);
  }

  sizeOf(owner: string): number {
    return Number(this.#sql.sizeOf.get(owner)?.n);
  }

  mostOwned(): number {
    return Number(this.#sql.most.get()?.n ?? 0);
  }

  soonestEnd(): number | undefined {
    return (this.#sql.soonest.get()?.n as number | null) ?? undefined;
  }

  sweep(now: number): void {
    this.#sql.sweep.run(now);
  }
}

type SavedUse = Pick<CounterUse, 'sliding' | 'windowMs'> & { readonly sessionOf?: string | undefined };

const rowOf = (blob: unknown): CounterRow => {
  const { buffer, byteOffset, byteLength } = blob as Uint8Array;
  return [...new Float64Array(buffer.slice(byteOffset, byteOffset + byteLength))];
};
