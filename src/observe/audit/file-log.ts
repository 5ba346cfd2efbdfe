/**
 * The audit in a file. A record costs the text of a line and nothing else: lines are kept for 90 ms or until
 * there are 64 KiB of them, then appended together. A crash (SIGKILL, a fault of the machine) loses at most
 * those and the requests that wait for their record (`pending-records.ts`), and the system's own cache if the machine itself goes: nothing is synced.
 *
 * Records that cannot be written are kept, up to a bound; beyond it they are lost and counted by principal, and a line with
 * their numbers is written once the file works again. Calls never wait and never fail for their audit.
 * @module
 */

import { within } from '../../core/deadline.ts';
import type { Log } from '../../core/log.ts';
import { Shares } from '../../core/shares.ts';
import { AppendFile } from './append-file.ts';
import { auditLine, gapLine, operationLine } from './line.ts';
import type { AuditCounters, AuditLog, AuditOperation, AuditRecord } from './record.ts';
import { CHUNK, Lines } from './waiting-lines.ts';

export interface AuditConfig {
  /** Absolute path. */
  file: string;
  /** The file is moved aside at this size. */
  maxBytes: number;
  /** How many moved files are kept. */
  keep: number;
}

export interface AuditTiming {
  /** Longest time a line waits before it is written. */
  flushMs: number;
  /** Between attempts while the file cannot be written, and least time between two looks at whether it was moved. */
  retryMs: number;
  /** Longest wait of `close`. */
  closeMs: number;
  /** UTF-16 units of lines that wait, beyond which records are lost: first those of the principal with most. */
  maxWaiting: number;
}

/** Together with the wait for its record (`pending-records.ts`) a line is written within 100 ms. */
export const AUDIT_TIMING: AuditTiming = { flushMs: 90, retryMs: 1000, closeMs: 2000, maxWaiting: 4 * 1024 * 1024 };

/** Principals whose lost records are counted by name. */
const MAX_COUNTED = 1_000;
const OTHERS = '*';

/**
 * Opens nothing yet: a file that cannot be opened is logged when the first line is written. Each gateway has a file of its
 * own: two gateways that move one file aside would lose lines. Files hold at most `maxBytes`, or one write of
 * 64 KiB where that is more.
 */
export const openAuditFile = (config: AuditConfig, log: Log, timing: AuditTiming = AUDIT_TIMING): AuditLog =>
  new FileAuditLog(config, log, timing);

class FileAuditLog implements AuditLog {
  readonly counters: AuditCounters = { written: 0, dropped: 0, failures: 0 };
  readonly #log: Log;
  readonly #timing: AuditTiming;
  readonly #file: AppendFile;
  /** Oldest first. */
  readonly #lines: Lines[] = [];
  /** UTF-16 units of all of them. */
  #waiting = 0;
  /** UTF-16 units that wait, by principal: a slow disk costs the principal its records that makes most of them. */
  readonly #shares: Shares;
  /** What a failed write left: whole lines, older than all others. */
  #unwritten: Buffer | undefined;
  /** What {@link #unwritten} is the end of. */
  #taken: Lines | undefined;
  #spare: Lines | undefined;
  #unwrittenRecords = 0;
  /** Records lost since the last line that counts them. */
  #gap: { since: string; lost: Map<string, number> } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  /** The log has a line that the file cannot be written, and none yet that it can be again. */
  #broken = false;
  #closed = false;

  constructor(config: AuditConfig, log: Log, timing: AuditTiming) {
    this.#log = log;
    this.#timing = timing;
    this.#shares = new Shares(timing.maxWaiting, timing.maxWaiting);
    this.#file = new AppendFile({ ...config, recheckMs: timing.retryMs });
  }

  write(record: AuditRecord): void {
    this.#add(record.principal, auditLine(record));
  }

  writeOperation(operation: AuditOperation): void {
    this.#add(operation.operator, operationLine(operation));
  }

  #add(principal: string, line: string): void {
    if (this.#closed || !this.#shares.tryTake(principal, line.length)) {
      this.#lose(principal);
      return;
    }
    if (!this.#lines.at(-1)?.add(line, principal)) {
      const lines = this.#emptyLines();
      lines.add(line, principal);
      this.#lines.push(lines);
    }
    this.#waiting += line.length;
    if (this.#flushing !== undefined) return;
    if (this.#waiting >= CHUNK && !this.#broken) this.#flush();
    else this.#schedule(this.#broken ? this.#timing.retryMs : this.#timing.flushMs);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    await within(this.#finish(), this.#timing.closeMs, () => undefined);
    const left = this.#lines.reduce((sum, { records }) => sum + records, this.#unwrittenRecords);
    if (left === 0) return;
    this.counters.dropped += left;
    this.#log.error({ records: left }, 'The last records of the audit could not be written and are lost.');
  }

  async #finish(): Promise<void> {
    await this.#flushing;
    if (this.#waiting > 0 || this.#unwritten !== undefined || this.#gap !== undefined) {
      this.#flush();
      await this.#flushing;
    }
    await this.#file.close();
  }

  #lose(principal: string): void {
    this.counters.dropped++;
    this.#gap ??= { since: new Date().toISOString(), lost: new Map() };
    const { lost } = this.#gap;
    // Principals beyond those that are counted by name are counted together.
    const name = lost.has(principal) || lost.size < MAX_COUNTED ? principal : OTHERS;
    lost.set(name, (lost.get(name) ?? 0) + 1);
    // A disk that does not answer fails no write: its operator learns of it here.
    if (!this.#broken && !this.#closed) this.#report(undefined);
  }

  #schedule(ms: number): void {
    this.#timer ??= setTimeout(() => this.#flush(), ms).unref();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing ??= this.#writeAll().then(() => {
      this.#flushing = undefined;
      const isMore = this.#waiting > 0 || this.#unwritten !== undefined;
      if (isMore && !this.#closed) this.#schedule(this.#broken ? this.#timing.retryMs : this.#timing.flushMs);
    });
  }

  /** Until so little waits that it can wait for more, or a write fails: under load each small write costs calls their time. */
  async #writeAll(): Promise<void> {
    for (;;) {
      if (this.#unwritten === undefined) this.#take();
      const chunk = this.#unwritten as Buffer | undefined;
      if (chunk === undefined) break;
      const records = this.#unwrittenRecords;
      const { done, error } = await this.#file.append(chunk);
      const rest = chunk.subarray(done);
      const left = error === undefined ? 0 : countLines(rest);
      this.counters.written += records - left;
      this.#unwritten = left === 0 ? undefined : rest;
      this.#unwrittenRecords = left;
      if (left === 0) {
        this.#spare = this.#taken;
        this.#taken = undefined;
      }
      if (error !== undefined) {
        this.counters.failures++;
        this.#report(error);
        return;
      }
      if (this.#unwritten === undefined && this.#waiting < CHUNK && this.#gap === undefined && !this.#closed) break;
    }
    if (this.#broken) {
      this.#broken = false;
      this.#log.info({ ...this.counters }, 'The audit can be written again.');
    }
  }

  /** Takes the oldest lines that wait. Records that are lost are younger than all of them. */
  #take(): void {
    const lines = this.#lines.shift() ?? (this.#gap && this.#emptyLines());
    if (!lines) return;
    for (const [principal, length] of lines.shares()) this.#shares.give(principal, length);
    this.#waiting -= lines.length;
    if (this.#lines.length === 0 && this.#gap !== undefined) {
      const { since, lost } = this.#gap;
      const dropped = lost.values().reduce((sum, each) => sum + each, 0);
      // Where there is no room it is the next to be written.
      if (lines.put(gapLine({ time: new Date().toISOString(), dropped, since }, lost))) this.#gap = undefined;
    }
    this.#taken = lines;
    this.#unwritten = lines.bytes;
    this.#unwrittenRecords = lines.records;
  }

  #emptyLines(): Lines {
    const spare = this.#spare;
    this.#spare = undefined;
    spare?.clear();
    return spare ?? new Lines();
  }

  /** Once, until it works again. */
  #report(error: unknown): void {
    if (this.#broken) return;
    this.#broken = true;
    const message = 'The audit cannot be written. Records are kept for a while, then lost and counted.';
    this.#log.error(error === undefined ? { reason: 'The disk is too slow.' } : { err: error }, message);
  }
}

function countLines(text: Buffer): number {
  let count = 0;
  for (let at = text.indexOf(0x0a); at !== -1; at = text.indexOf(0x0a, at + 1)) count++;
  return count;
}
