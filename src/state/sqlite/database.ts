/**
 * One SQLite file that several processes use: opened private to its user, set aside when it is corrupt, written in
 * transactions that never block the event loop for another process.
 * @module
 */
import { closeSync, openSync, renameSync, statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';

export interface DatabaseOptions {
  file: string;
  /** `CREATE TABLE IF NOT EXISTS …`: run when the file is new, by two processes at once perhaps. */
  schema: string;
  /** Whether a commit is on disk when it returns. Otherwise it survives a crash of the process, not of the machine. */
  durable: boolean;
  log: Log;
  /** How long a transaction waits for other processes before it fails. */
  lockWaitMs: number;
}

const FORMAT = 1;
/** How long opening waits, synchronously: another process may be taking over old files. */
const OPEN_WAIT_MS = 10_000;
/** A transaction takes about 10 µs, so the lock is usually free at one of these tries. */
const TRIES_AT_ONCE = 8;

/** Result codes of SQLite. */
const BUSY = 5;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

/** Throws `SWB_STATE` when the file cannot be used. */
export function openDatabase(options: DatabaseOptions): Database {
  const { file, log } = options;
  try {
    createPrivate(file);
    const found = inodeOf(file);
    try {
      return new Database(options);
    } catch (error) {
      if (!isCorrupt(error) || inodeOf(file) !== found) throw error;
      const aside = setAside(file, 'corrupt');
      log.warn({ file, aside }, 'A state file could not be read; it was set aside and starts empty.');
      createPrivate(file);
      return new Database(options);
    }
  } catch (error) {
    if (error instanceof SwitchboardError) throw error;
    throw new SwitchboardError('SWB_STATE', `The state folder cannot be used (${codeOf(error)}).`, { cause: error });
  }
}

/** Starting empty would forget limits and approvals that the newer version still enforces. */
const newerFormat = (): SwitchboardError =>
  new SwitchboardError(
    'SWB_STATE',
    'The state folder was written by a newer version of agent-switchboard. Run that version, or set another gateway.stateDir.',
  );

export class Database {
  readonly #file: string;
  readonly #inode: number | undefined;
  readonly #db: DatabaseSync;
  readonly #lockWaitMs: number;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  readonly #checkpoint: StatementSync;
  readonly #log: Log;

  constructor({ file, schema, durable, lockWaitMs, log }: DatabaseOptions) {
    this.#file = file;
    this.#log = log;
    this.#lockWaitMs = lockWaitMs;
    this.#db = new (sqlite().DatabaseSync)(file, { timeout: OPEN_WAIT_MS });
    try {
      this.#db.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durable ? 'FULL' : 'OFF'}; PRAGMA secure_delete = ${durable}`,
      );
      const { user_version: format } = this.#db.prepare('PRAGMA user_version').get() as { user_version: number };
      const { quick_check: check } = this.#db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
      if (check !== 'ok') throw new CorruptFile(check);
      if (format > FORMAT) throw newerFormat();
      if (format === 0) this.#db.exec(`BEGIN IMMEDIATE; ${schema}; PRAGMA user_version = ${FORMAT}; COMMIT`);
      this.#db.exec('PRAGMA busy_timeout = 0');
    } catch (error) {
      this.#db.close();
      throw error;
    }
    this.#begin = this.prepare('BEGIN IMMEDIATE');
    this.#commit = this.prepare('COMMIT');
    this.#rollback = this.prepare('ROLLBACK');
    this.#checkpoint = this.prepare('PRAGMA wal_checkpoint(TRUNCATE)');
    this.#inode = inodeOf(file);
  }

  prepare(sql: string): StatementSync {
    return this.#db.prepare(sql);
  }

  /** Throws `SWB_STATE` when the file was removed or replaced: what is written to it now would be lost. */
  requireInPlace(): void {
    if (inodeOf(this.#file) === this.#inode) return;
    throw new SwitchboardError('SWB_STATE', 'The state could not be written: its file was removed or replaced.');
  }

  /**
   * Runs `work` in a transaction: at once, unless another process writes at this moment. Throws or rejects with what
   * `work` throws, and with `SWB_STATE` when the database fails or stays locked; then nothing was changed.
   */
  transact<T>(work: () => T): T | Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return this.#once(work);
      } catch (error) {
        if (!isBusy(error)) throw stateError(error);
        if (tries === TRIES_AT_ONCE) return this.#again(work);
      }
    }
  }

  /**
   * Leaves nothing of what was deleted in the files: it may be a credential. What was deleted stays deleted where that
   * fails (a full disk): the next one does it.
   */
  forgetDeleted(): void {
    try {
      this.#checkpoint.run();
    } catch (error) {
      this.#log.debug({ err: error }, 'Deleted entries are still in the log of the state.');
    }
  }

  /** Runs `work` in a transaction, and waits synchronously for other processes: for start only. */
  exclusively<T>(work: () => T): T {
    this.#db.exec(`PRAGMA busy_timeout = ${OPEN_WAIT_MS}`);
    try {
      return this.#once(work);
    } finally {
      this.#db.exec('PRAGMA busy_timeout = 0');
    }
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  async #again<T>(work: () => T): Promise<T> {
    const deadline = performance.now() + this.#lockWaitMs;
    for (;;) {
      await delay(1 + 4 * Math.random());
      try {
        return this.#once(work);
      } catch (error) {
        if (!isBusy(error)) throw stateError(error);
        if (performance.now() > deadline)
          throw new SwitchboardError('SWB_STATE', 'The state folder stays locked by another process.');
      }
    }
  }

  #once<T>(work: () => T): T {
    this.#begin.run();
    try {
      const result = work();
      this.#commit.run();
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#rollback.run();
      throw error;
    }
  }
}

/** An empty file that only its user can read, unless it is there. Opening one that is there would end SQLite's locks. */
export function createPrivate(file: string): void {
  try {
    closeSync(openSync(file, 'ax', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

class CorruptFile extends Error {}

/** Loads `node:sqlite` without its warning that it is experimental in Node 22; other warnings pass. */
export function sqlite(): typeof import('node:sqlite') {
  const emit = process.emitWarning;
  process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
    if (!String(warning).startsWith('SQLite is an experimental feature')) emit.call(process, warning, ...rest);
  }) as typeof emit;
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emit;
  }
}

/** Renames a file and what belongs to it; returns the new name. */
export function setAside(file: string, why: string): string {
  const aside = `${file}.${why}-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
  for (const part of ['', '-wal', '-shm']) {
    try {
      renameSync(file + part, aside + part);
    } catch (error) {
      // Not there, or another process was first.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return aside;
}

export function stateError(error: unknown): unknown {
  if (error instanceof SwitchboardError) return error;
  return new SwitchboardError('SWB_STATE', `The state could not be read or written (${codeOf(error)}).`, {
    cause: error,
  });
}

const inodeOf = (file: string): number | undefined => statSync(file, { throwIfNoEntry: false })?.ino;

/** The primary result code; extended codes have it in their lowest byte. */
const resultCode = (error: unknown): number => ((error as { errcode?: number }).errcode ?? 0) & 0xff;
export const isBusy = (error: unknown): boolean => resultCode(error) === BUSY;
const isCorrupt = (error: unknown): boolean =>
  error instanceof CorruptFile || [CORRUPT, NOT_A_DATABASE].includes(resultCode(error));

const codeOf = (error: unknown): string | undefined => {
  const { errstr, code } = error as { errstr?: string; code?: string };
  return errstr ?? code;
};
