/**
 * Approvals on disk: one record each, so that several gateways may share a state folder. New ones are written a moment
 * later and together; decisions, and that one is spent, before anything rests on them.
 *
 * Invariant: the changes of one record happen in the order they were asked for, and only live ones have a record.
 * @module
 */
import type { Log } from '../../core/log.ts';
import type { KeyValue } from '../../state/state.ts';
import { fromRecord, isLive, type StoredApproval, toRecord } from './stored-approvals.ts';

const NAMESPACE = 'approvals';
const WRITE_AFTER_MS = 100;
/** A folder that cannot be written to now is tried again then. */
const RETRY_AFTER_MS = 5_000;

export class ApprovalRecords {
  readonly #state: KeyValue;
  readonly #log: Log;
  /** The approval as it is when it is written. */
  readonly #current: (id: string) => StoredApproval | undefined;
  /** Whose record is to be made equal to what is current. */
  readonly #stale = new Set<string>();
  readonly #tails = new Map<string, Promise<unknown>>();
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;

  constructor(state: KeyValue, log: Log, current: (id: string) => StoredApproval | undefined) {
    this.#state = state;
    this.#log = log;
    this.#current = current;
  }

  /** The live ones. Records that cannot be read, or have run out, are removed. */
  async load(now: number): Promise<StoredApproval[]> {
    const live: StoredApproval[] = [];
    for (const [id, record] of await this.#state.entries(NAMESPACE)) {
      const kept = fromRecord(id, record);
      if (kept && isLive(kept) && kept.approval.expiresAt > now) live.push(kept);
      else await this.#state.delete(NAMESPACE, id);
      if (!kept)
        this.#log.warn({ approval: id.slice(0, 64) }, 'An approval in the state could not be read; it is dropped.');
    }
    return live;
  }

  /** Live ones as they are on disk, without those whose record is about to change. */
  async read(now: number): Promise<StoredApproval[]> {
    const found = await this.#state.entries(NAMESPACE);
    return found
      .filter(([id]) => !this.#stale.has(id) && !this.#tails.has(id))
      .map(([id, record]) => fromRecord(id, record))
      .filter((kept) => kept !== undefined)
      .filter((kept) => isLive(kept) && kept.approval.expiresAt > now);
  }

  /** Writes or removes the record a moment later. */
  later(id: string): void {
    this.#stale.add(id);
    this.#schedule(WRITE_AFTER_MS);
  }

  /** Durable when it resolves. */
  write(kept: StoredApproval): Promise<void> {
    const { id } = kept.approval;
    return this.#inOrder(id, () => this.#state.set(NAMESPACE, id, toRecord(kept)));
  }

  /** Removes it for good; false when somebody else has. Of all who ask, in all gateways, one is told true. */
  remove(id: string): Promise<boolean> {
    return this.#inOrder(id, () => {
      this.#stale.delete(id);
      return this.#state.delete(NAMESPACE, id);
    });
  }

  /** Writes it again if `removed` turns out true: who has lost it to somebody else has nothing to give back. */
  putBack(kept: StoredApproval, removed: Promise<boolean>): Promise<boolean> {
    const { id } = kept.approval;
    return this.#inOrder(id, async () => {
      if (!(await removed)) return false;
      await this.#state.set(NAMESPACE, id, toRecord(kept));
      return true;
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#flush();
    await Promise.all(this.#tails.values());
    // What failed is not tried again by a gateway that has ended.
    clearTimeout(this.#timer);
  }

  #schedule(ms: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#flush();
    }, ms);
    this.#timer.unref();
  }

  #flush(): Promise<void> {
    this.#flushing ??= this.#writeStale().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #writeStale(): Promise<void> {
    for (const id of this.#stale) {
      try {
        await this.#inOrder(id, async () => {
          if (!this.#stale.delete(id)) return;
          const kept = this.#current(id);
          if (kept && isLive(kept)) await this.#state.set(NAMESPACE, id, toRecord(kept));
          else await this.#state.delete(NAMESPACE, id);
        });
      } catch (error) {
        this.#stale.add(id);
        this.#log.warn({ err: error }, 'Approvals could not be written; those that wait would not survive a restart.');
        this.#schedule(RETRY_AFTER_MS);
        return;
      }
    }
  }

  #inOrder<T>(id: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#tails.get(id) ?? Promise.resolve()).then(work);
    const tail = done
      .catch(() => {})
      .then(() => {
        if (this.#tails.get(id) === tail) this.#tails.delete(id);
      });
    this.#tails.set(id, tail);
    return done;
  }
}
