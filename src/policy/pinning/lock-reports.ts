/**
 * Logs differences to the lock file: each one once, and a bounded number per server.
 * @module
 */
import { basename } from 'node:path';
import type { Log } from '../../core/log.ts';
import type { LockConfig } from '../language/types.ts';
import { type LockChange, nameOf } from './compare.ts';
import { differenceLines } from './differences.ts';
import type { Pin } from './pins.ts';

/** Differences of one server that are reported in full. */
const MAX_REPORTS = 50;
const MAX_SERVERS = 10_000;

export class LockReports {
  readonly #log: Log;
  readonly #file: string;
  readonly #denies: boolean;
  /** By server: kind, hash and key. */
  readonly #reported = new Map<string, Set<string>>();

  constructor({ mode, file }: LockConfig, log: Log) {
    this.#log = log;
    this.#file = basename(file);
    this.#denies = mode === 'deny';
  }

  unlocked(server: string): void {
    if (!this.#isNew(server, 'server')) return;
    const consequence = this.#denies ? 'Nothing of it is shown or can be called' : 'Nothing of it is compared';
    this.#log.warn(
      { server },
      `Server ${JSON.stringify(server)} is not in ${this.#file}. ${consequence} until \`switchboard lock\` has accepted it.`,
    );
  }

  /** `before` undefined: it is new. */
  differs(server: string, kind: LockChange['kind'], key: string, before: Pin | undefined, after: Pin): void {
    if (!this.#isNew(server, `${kind} ${after.hash} ${key}`)) return;
    if (this.#reported.get(server)?.size === MAX_REPORTS) {
      this.#log.warn(
        { server },
        'More differences to the lock file are not reported: `switchboard lock --check` shows all.',
      );
      return;
    }
    const what = `${nameOf(kind, key)} of server ${JSON.stringify(server)}`;
    const how = before === undefined ? `is not in ${this.#file}` : `is not as ${this.#file} has it`;
    const consequence = this.#denies
      ? ' It is hidden until `switchboard lock` has accepted it.'
      : ' `switchboard lock` accepts it.';
    const diff = before === undefined ? [] : differenceLines(before, after);
    this.#log.warn(
      { server, kind, key, change: before === undefined ? 'new' : 'changed' },
      [`${what} ${how}.${consequence}`, ...diff.map((line) => `  ${line}`)].join('\n'),
    );
  }

  #isNew(server: string, what: string): boolean {
    let reported = this.#reported.get(server);
    if (reported === undefined) {
      if (this.#reported.size >= MAX_SERVERS) this.#reported.clear();
      reported = new Set();
      this.#reported.set(server, reported);
    }
    if (reported.size >= MAX_REPORTS || reported.has(what)) return false;
    reported.add(what);
    return true;
  }
}
