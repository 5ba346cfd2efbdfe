/**
 * Counts on disk: written a moment after they change and on close, read at start. Nothing waits for it: a reservation only
 * notes that there is something to write.
 *
 * A crash loses what was counted since the last write: a second of it, or twenty times as long as a write takes where that
 * is more. Beyond 4 MiB the counts whose windows end first are left out. Gateways that share a folder count for themselves,
 * and the last one to write is what the next one reads.
 * @module
 */
import type { Log } from '../../core/log.ts';
import type { JsonValue, StateStore } from '../../state/store.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import type { CountRow } from './count.ts';
import { type CounterTable, isRow } from './counter-table.ts';

const NAMESPACE = 'counters';
const FORMAT = 1;

export interface SnapshotLimits {
  /** Least time between two writes. */
  everyMs: number;
  /** Of all pages, and of one. A value of the store is at most 1 MiB. */
  maxChars: number;
  maxPageChars: number;
}

export const SNAPSHOT_LIMITS: SnapshotLimits = {
  everyMs: 1_000,
  maxChars: 4 * 1024 * 1024,
  maxPageChars: 256 * 1024,
};

/** After a write that failed, and as a share of time that writing may take. */
const RETRY_MS = 30_000;
const REST = 20;

type Row = [id: string, row: CountRow];

export class Snapshots {
  readonly #store: StateStore;
  readonly #shelf: CounterTable;
  readonly #log: Log;
  readonly #limits: SnapshotLimits;
  readonly #clock: () => number;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #dirty = false;
  #restMs: number;
  #pages = 0;
  #closed = false;
  readonly #said = new Set<string>();

  constructor(
    store: StateStore,
    shelf: CounterTable,
    log: Log,
    clock: () => number,
    limits: SnapshotLimits = SNAPSHOT_LIMITS,
  ) {
    this.#store = store;
    this.#shelf = shelf;
    this.#log = log;
    this.#limits = limits;
    this.#clock = clock;
    this.#restMs = limits.everyMs;
  }

  /** Fills the shelf with what still counts. What cannot be read is told and starts empty. */
  async load(): Promise<void> {
    try {
      const pages = await this.#store.entries(NAMESPACE);
      this.#pages = pages.length;
      const rows = pages.map(([, page]) => rowsOf(page));
      const now = this.#clock();
      for (const [id, row] of rows.flat()) this.#shelf.restore(id, row, now);
    } catch (error) {
      this.#log.warn({ err: error }, 'The counts of limits could not be read: they start at nothing.');
    }
  }

  changed(): void {
    this.#dirty = true;
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => this.#write(), this.#restMs);
    this.#timer.unref();
  }

  /** Writes what is not written yet. What changes from now on is lost. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    if (this.#dirty) await this.#writePages();
  }

  #write(): void {
    this.#writing = this.#writePages().then((took) => {
      this.#restMs = took === undefined ? RETRY_MS : Math.max(this.#limits.everyMs, took * REST);
      this.#timer = undefined;
      if (this.#dirty) this.changed();
    });
  }

  /** How long it took, or undefined when it failed. */
  async #writePages(): Promise<number | undefined> {
    const began = performance.now();
    this.#dirty = false;
    try {
      const pages = this.#paged(this.#clock());
      for (const [at, rows] of pages.entries()) {
        await this.#store.set(NAMESPACE, `page-${at}`, { format: FORMAT, counts: rows } as unknown as JsonValue);
      }
      for (let at = pages.length; at < this.#pages; at++) await this.#store.delete(NAMESPACE, `page-${at}`);
      this.#pages = pages.length;
      return performance.now() - began;
    } catch (error) {
      this.#dirty = true;
      this.#once('The counts of limits could not be written: a restart forgets them.', { err: error });
      return undefined;
    }
  }

  #paged(now: number): Row[][] {
    const rows = [...this.#shelf.rows(now)].sort(([, , one], [, , other]) => other - one);
    const pages: Row[][] = [];
    let page: Row[] = [];
    let pageChars = 0;
    let chars = 0;
    for (const [id, row] of rows) {
      const size = id.length + row.length * 18 + 8;
      if (chars + size > this.#limits.maxChars) {
        this.#once('There are more counts of limits than are written: a restart forgets the shortest.', {
          counts: rows.length,
        });
        break;
      }
      if (page.length === 0 || pageChars + size > this.#limits.maxPageChars) {
        page = [];
        pages.push(page);
        pageChars = 0;
      }
      page.push([id, row]);
      pageChars += size;
      chars += size;
    }
    return pages;
  }

  #once(message: string, fields: object): void {
    if (this.#said.has(message)) return;
    this.#said.add(message);
    this.#log.warn(fields, message);
  }
}

/** Throws when it is not what is written here. */
function rowsOf(page: JsonValue): Row[] {
  if (!isObject(page) || page.format !== FORMAT || !Array.isArray(page.counts)) throw new Error('not a page of counts');
  return page.counts.map((pair: unknown): Row => {
    if (!Array.isArray(pair) || pair.length !== 2) throw new Error('not a count');
    const [id, row] = pair as [unknown, unknown];
    const numbers = Array.isArray(row) && row.every((item) => typeof item === 'number' && Number.isFinite(item));
    if (typeof id !== 'string' || !numbers || !isRow(id, row)) throw new Error('not a count');
    return [id, row];
  });
}
