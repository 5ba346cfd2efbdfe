/**
 * A lock between processes on an empty database: one holds it alone, or several share it. The operating system releases
 * what a process held when it ends, however it ends.
 * @module
 */
import type { DatabaseSync } from 'node:sqlite';
import { createPrivate, isBusy, sqlite } from './database.ts';

export class ProcessLock {
  readonly #db: DatabaseSync;

  constructor(file: string) {
    createPrivate(file);
    this.#db = new (sqlite().DatabaseSync)(file);
  }

  /** Gives up what this process holds. False when any other process holds the lock; then this one holds nothing. */
  tryAlone(): boolean {
    return this.#try('BEGIN EXCLUSIVE');
  }

  /** As {@link tryAlone}; false when another process holds it alone. */
  tryShared(): boolean {
    return this.#try('BEGIN; SELECT count(*) FROM sqlite_schema');
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #try(begin: string): boolean {
    try {
      if (this.#db.isTransaction) this.#db.exec('COMMIT');
      this.#db.exec(begin);
      return true;
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      return false;
    }
  }
}
