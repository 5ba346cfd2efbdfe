/**
 * Keys and values in SQLite. Changes made in one turn of the event loop share a transaction, and so a flush to disk.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import {
  checkNamespace,
  encodeValue,
  type JsonValue,
  type KeyValue,
  namespaceFull,
  type StateLimits,
} from '../state.ts';
import { type Database, stateError } from './database.ts';

/** Keys are JSON text: SQLite ends texts at a NUL and knows no lone surrogates. */
export const KEY_VALUE_SCHEMA = `
  CREATE TABLE IF NOT EXISTS entries (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, expires_at REAL,
    UNIQUE (namespace, key)
  ) STRICT`;

interface Change {
  deletes: boolean;
  work: () => unknown;
  resolve(result: never): void;
  reject(error: unknown): void;
}

export class SqliteKeyValue implements KeyValue {
  readonly #db: Database;
  readonly #limits: StateLimits;
  #changes: Change[] = [];
  #writing: Promise<void> | undefined;
  readonly #sql;

  constructor(db: Database, limits: StateLimits) {
    this.#db = db;
    this.#limits = limits;
    const alive = '(expires_at IS NULL OR expires_at > ?)';
    this.#sql = {
      get: db.prepare(`SELECT value FROM entries WHERE namespace = ? AND key = ? AND ${alive}`),
      list: db.prepare(`SELECT key, value FROM entries WHERE namespace = ? AND ${alive} ORDER BY place`),
      size: db.prepare(
        'SELECT total(octet_length(key) + octet_length(value) + 8) AS size FROM entries WHERE namespace = ? AND key <> ?',
      ),
      put: db.prepare(`INSERT INTO entries (namespace, key, value, expires_at) VALUES (?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`),
      take: db.prepare('DELETE FROM entries WHERE namespace = ? AND key = ? RETURNING value'),
      expire: db.prepare('DELETE FROM entries WHERE namespace = ? AND expires_at <= ?'),
    };
  }

  async get(namespace: string, key: string): Promise<JsonValue | undefined> {
    checkNamespace(namespace);
    return this.#read(() => this.#get(namespace, JSON.stringify(key)));
  }

  async entries(namespace: string, prefix = ''): Promise<[string, JsonValue][]> {
    checkNamespace(namespace);
    const rows = this.#read(() => this.#sql.list.all(namespace, Date.now()));
    const all = rows.map(({ key, value }): [string, JsonValue] => [JSON.parse(String(key)), JSON.parse(String(value))]);
    return prefix === '' ? all : all.filter(([key]) => key.startsWith(prefix));
  }

  async set(namespace: string, key: string, value: JsonValue, expiresInMs?: number): Promise<void> {
    const text = encodeValue(namespace, key, value, this.#limits);
    await this.#change(namespace, () => this.#put(namespace, JSON.stringify(key), text, expiresInMs));
  }

  async setIfAbsent(namespace: string, key: string, value: JsonValue, expiresInMs?: number): Promise<boolean> {
    const text = encodeValue(namespace, key, value, this.#limits);
    return this.#change(namespace, () => {
      if (this.#get(namespace, JSON.stringify(key)) !== undefined) return false;
      this.#put(namespace, JSON.stringify(key), text, expiresInMs);
      return true;
    });
  }

  async take(namespace: string, key: string): Promise<JsonValue | undefined> {
    checkNamespace(namespace);
    return this.#change(namespace, () => parsed(this.#sql.take.get(namespace, JSON.stringify(key))), true);
  }

  async delete(namespace: string, key: string): Promise<boolean> {
    return (await this.take(namespace, key)) !== undefined;
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  #get(namespace: string, key: string): JsonValue | undefined {
    return parsed(this.#sql.get.get(namespace, key, Date.now()));
  }

  #put(namespace: string, key: string, text: string, expiresInMs: number | undefined): void {
    const { size } = this.#sql.size.get(namespace, key) as { size: number };
    const own = Buffer.byteLength(key) + Buffer.byteLength(text) + 8;
    if (size + own > this.#limits.maxNamespaceBytes) throw namespaceFull(this.#limits);
    this.#sql.put.run(namespace, key, text, expiresInMs === undefined ? null : Date.now() + expiresInMs);
  }

  #read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw stateError(error);
    }
  }

  #change<T>(namespace: string, work: () => T, deletes = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const change = (): T => {
        this.#sql.expire.run(namespace, Date.now());
        return work();
      };
      this.#changes.push({ deletes, work: change, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  async #write(): Promise<void> {
    // What else is changed in this turn goes with it.
    await undefined;
    while (this.#changes.length > 0) {
      const changes = this.#changes;
      this.#changes = [];
      try {
        this.#db.requireInPlace();
        const done = await this.#db.transact(() => changes.map(({ work }) => attempt(work)));
        if (changes.some(({ deletes }) => deletes)) this.#db.forgetDeleted();
        for (const [at, { resolve, reject }] of changes.entries()) {
          const result = done[at];
          if (result instanceof SwitchboardError) reject(result);
          else resolve(result as never);
        }
      } catch (error) {
        for (const { reject } of changes) reject(error);
      }
    }
    this.#writing = undefined;
  }
}

/** A change that is out of bounds fails alone; one that the database refuses fails the transaction. */
function attempt(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    if (error instanceof SwitchboardError) return error;
    throw error;
  }
}

const parsed = (row: Record<string, unknown> | undefined): JsonValue | undefined =>
  row === undefined ? undefined : (JSON.parse(String(row.value)) as JsonValue);
