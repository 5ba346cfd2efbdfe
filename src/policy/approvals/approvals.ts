/**
 * The approvals of a gateway: claimed by calls, decided by people. Records in the state let several gateways share them;
 * a message on the bus tells the others that records have changed.
 *
 * Invariants: one approval lets one call through, also when many claim it at once, when the gateway crashes, and when
 * gateways share a state; a call that no person approves in time is not approved.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { Listeners } from '../../core/listeners.ts';
import type { Log } from '../../core/log.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import type { State } from '../../state/state.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { oneLine } from './shown.ts';
import {
  fingerprintOf,
  fromRecord,
  isLive,
  MAX_BY,
  MAX_NOTE,
  newApproval,
  type StoredApproval,
  toRecord,
} from './stored-approvals.ts';
import { ApprovalTable } from './table.ts';
import {
  APPROVAL_LIMITS,
  type Approval,
  type ApprovalLimits,
  type ApprovalRequest,
  type ApprovalState,
  type Approvals,
  type Claim,
  type Decision,
} from './types.ts';

export interface ApprovalsOptions {
  log: Log;
  /** Default: in memory. */
  state?: Pick<State, 'kv' | 'bus' | 'replica'> | undefined;
  limits?: Partial<ApprovalLimits>;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** The namespace of the records, and the topic of messages about them. */
const APPROVALS = 'approvals';
/** The namespace of decisions, each made once among all gateways on the state. */
const DECISIONS = 'approval-decisions';
/** New approvals are written together: a client can make many. */
const WRITE_AFTER_MS = 100;
const RETRY_AFTER_MS = 5_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

export async function openApprovals(options: ApprovalsOptions): Promise<Approvals> {
  const approvals = new SharedApprovals(options);
  await approvals.load();
  return approvals;
}

class SharedApprovals implements Approvals {
  readonly #log: Log;
  readonly #state: NonNullable<ApprovalsOptions['state']>;
  readonly #limits: ApprovalLimits;
  readonly #now: () => number;
  readonly #table: ApprovalTable;
  readonly #listeners: Listeners<[Approval]>;
  /** Ids whose record is not yet what the table says. */
  readonly #unwritten = new Set<string>();
  /** Decisions that are being written: the next one about the same approval waits for them. */
  readonly #deciding = new Map<string, Promise<unknown>>();
  /** Approvals that are being given back: the next call that spends one of them waits for it. */
  readonly #restoring = new Map<string, Promise<void>>();
  #stopListening: (() => void) | undefined;
  #stopWatching: (() => void) | undefined;
  #writeTimer: NodeJS.Timeout | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor({ log, state = memoryState(log), limits = {}, now = Date.now }: ApprovalsOptions) {
    this.#log = log;
    this.#state = state;
    this.#limits = { ...APPROVAL_LIMITS, ...limits };
    this.#now = now;
    this.#table = new ApprovalTable(this.#limits);
    this.#listeners = new Listeners(log);
  }

  /** Takes up the live records; what cannot be read, or has expired, is removed. */
  async load(): Promise<void> {
    const { kv, bus, replica } = this.#state;
    this.#stopListening = bus.subscribe(APPROVALS, (ids, from) => {
      if (from === replica) return;
      this.#refresh(ids as string[]).catch((error: unknown) => {
        this.#log.warn({ err: error }, 'The approvals could not be read from the state.');
      });
    });
    this.#stopWatching = bus.onGap(() => {
      this.#refresh(undefined).catch((error: unknown) => {
        this.#log.warn({ err: error }, 'The approvals could not be read from the state.');
      });
    });
    for (const [id, record] of await kv.entries(APPROVALS)) {
      const stored = fromRecord(id, record);
      if (!stored)
        this.#log.warn({ approval: id.slice(0, 64) }, 'An approval in the state could not be read; it is dropped.');
      if (!stored || !this.#holds(stored)) await kv.delete(APPROVALS, id);
      else if (!this.#table.isFull) this.#table.put(stored);
    }
    this.#expireLater();
  }

  claim(request: ApprovalRequest): Claim {
    const fingerprint = fingerprintOf(request);
    this.#sweep();
    const known = this.#table.find(fingerprint);
    if (!known) return this.#request(request, fingerprint);
    const { approval } = known;
    if (approval.state === 'denied') {
      return { status: 'denied', approval, by: approval.by ?? 'unknown', note: approval.note };
    }
    return approval.state === 'approved' ? this.#spend(known) : { status: 'pending', approval };
  }

  list(): Approval[] {
    this.#sweep();
    return this.#table.all().map(({ approval }) => approval);
  }

  get(id: string): Approval | undefined {
    this.#sweep();
    return this.#table.get(id)?.approval;
  }

  async decide(id: string, decision: Decision): Promise<Approval> {
    while (this.#deciding.has(id)) await this.#deciding.get(id);
    this.#sweep();
    const pending = this.#requirePending(id);
    const decidedAt = this.#now();
    const decided = changed(pending, {
      state: decision.effect === 'approve' ? 'approved' : 'denied',
      by: oneLine(decision.by, MAX_BY) || 'unknown',
      note: oneLine(decision.note ?? '', MAX_NOTE) || undefined,
      decidedAt,
      expiresAt: decidedAt + pending.timeoutMs,
    });
    // No call relies on it before it is durable.
    const written = this.#decideOnce(decided);
    const settled = written.catch(() => {}).then(() => this.#deciding.delete(id));
    this.#deciding.set(id, settled);
    await written;
    this.#put(decided);
    this.#notifyOthers([id]);
    return decided.approval;
  }

  /**
   * Writes a decision. Rejects when another gateway on the same state has decided, also where its message is still on the
   * way. One that ends between the two writes leaves the call without an approval until it expires.
   */
  async #decideOnce(decided: StoredApproval): Promise<void> {
    const { kv } = this.#state;
    const { id, state, by, expiresAt } = decided.approval;
    if (!(await kv.setIfAbsent(DECISIONS, id, { state, by: by ?? null }, expiresAt - this.#now()))) {
      const made = await kv.get(DECISIONS, id);
      const { state, by } = (isObject(made) ? made : {}) as { state?: ApprovalState; by?: string };
      throw alreadyDecided(state ?? 'approved', by);
    }
    try {
      await this.#set(decided);
    } catch (error) {
      await kv.delete(DECISIONS, id).catch(() => {});
      throw error;
    }
  }

  refresh(): Promise<void> {
    return this.#refresh(undefined);
  }

  /** `ids`: only these. */
  async #refresh(ids: readonly string[] | undefined): Promise<void> {
    const { kv } = this.#state;
    const read = async (id: string): Promise<[string, unknown]> => [id, await kv.get(APPROVALS, id)];
    for (const [id, record] of ids ? await Promise.all(ids.map(read)) : await kv.entries(APPROVALS)) {
      if (this.#unwritten.has(id) || this.#deciding.has(id)) continue;
      const stored = fromRecord(id, record);
      if (!stored || !this.#holds(stored)) continue;
      const known = this.#table.get(id);
      if (known ? supersedes(stored.approval.state, known.approval.state) : !this.#table.isFull) this.#put(stored);
    }
    this.#sweep();
  }

  onChange(listener: (approval: Approval) => void): () => void {
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#sweep();
    this.#closed = true;
    this.#stopListening?.();
    this.#stopWatching?.();
    clearTimeout(this.#expiryTimer);
    clearTimeout(this.#writeTimer);
    await this.#write();
  }

  #holds(stored: StoredApproval): boolean {
    return isLive(stored) && stored.approval.expiresAt > this.#now();
  }

  #request(request: ApprovalRequest, fingerprint: string): Claim {
    const stored = newApproval(request, fingerprint, this.#now(), this.#limits.argumentBytes);
    for (const gone of this.#table.add(stored)) this.#writeLater(gone);
    const { approval } = stored;
    this.#writeLater(approval.id);
    this.#listeners.emit(approval);
    this.#expireLater();
    return { status: 'pending', approval };
  }

  /** Spent here and now; in the state as soon as `durable` resolves. */
  #spend(given: StoredApproval): Claim {
    const { id } = given.approval;
    const spent = changed(given, { state: 'spent' }, this.#now());
    this.#put(spent);
    this.#unwritten.delete(id);
    const remove = (): Promise<boolean> => this.#state.kv.delete(APPROVALS, id);
    const removed = this.#restoring.get(id)?.then(remove) ?? remove();
    const durable = removed.then((first) => {
      if (!first) {
        throw new SwitchboardError('SWB_APPROVAL_DECIDED', 'This approval has been used by another call already.');
      }
    });
    // A caller that does not wait for it is no fault of the process.
    durable.catch(() => {});
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      if (given.approval.expiresAt <= this.#now()) return;
      this.#put(given);
      // Another gateway that spent it first has the right to it, and a record in doubt is not used again.
      const restored = removed
        .then((first) => (first ? this.#set(given) : Promise.reject()))
        .then(
          () => this.#notifyOthers([id]),
          () => this.#table.get(id) === given && this.#put(spent),
        )
        .then(() => {
          if (this.#restoring.get(id) === restored) this.#restoring.delete(id);
        });
      this.#restoring.set(id, restored);
    };
    return { status: 'approved', approval: spent.approval, durable, release };
  }

  #requirePending(id: string): StoredApproval {
    const stored = this.#table.get(id);
    if (!stored) throw new SwitchboardError('SWB_UNKNOWN_APPROVAL', 'There is no approval of this id.');
    const { state, by } = stored.approval;
    if (state === 'pending') return stored;
    if (state === 'expired') {
      throw new SwitchboardError('SWB_APPROVAL_EXPIRED', 'It has expired. The caller has to try again first.', {
        data: { state },
      });
    }
    throw alreadyDecided(state, by);
  }

  #put(stored: StoredApproval): void {
    this.#table.put(stored);
    this.#listeners.emit(stored.approval);
    this.#expireLater();
  }

  #sweep(): void {
    for (const { approval } of this.#table.sweep(this.#now())) {
      this.#writeLater(approval.id);
      this.#listeners.emit(approval);
    }
  }

  /** Listeners learn of an expiry when it happens. */
  #expireLater(): void {
    clearTimeout(this.#expiryTimer);
    const live = this.#table.all().filter(isLive);
    if (this.#closed || live.length === 0) return;
    const soonest = Math.min(...live.map(({ approval }) => approval.expiresAt)) - this.#now();
    this.#expiryTimer = setTimeout(
      () => {
        this.#sweep();
        this.#expireLater();
      },
      Math.min(Math.max(soonest, 1), MAX_TIMER_MS),
    );
    this.#expiryTimer.unref();
  }

  /** Durable when it resolves. */
  #set(stored: StoredApproval): Promise<void> {
    const { id } = stored.approval;
    this.#unwritten.delete(id);
    return this.#state.kv.set(APPROVALS, id, toRecord(stored));
  }

  #writeLater(id: string): void {
    this.#unwritten.add(id);
    if (!this.#closed) this.#writeAfter(WRITE_AFTER_MS);
  }

  #writeAfter(ms: number): void {
    if (this.#writeTimer !== undefined) return;
    this.#writeTimer = setTimeout(() => {
      this.#writeTimer = undefined;
      void this.#write();
    }, ms);
    this.#writeTimer.unref();
  }

  /** Makes the records what the table says: live approvals have one, others have none. */
  async #write(): Promise<void> {
    const { kv } = this.#state;
    const ids = [...this.#unwritten];
    const now = ids.map((id) => this.#table.get(id));
    const results = await Promise.allSettled(
      ids.map((id, at) => {
        const stored = now[at];
        return stored && isLive(stored) ? kv.set(APPROVALS, id, toRecord(stored)) : kv.delete(APPROVALS, id);
      }),
    );
    let failure: PromiseRejectedResult | undefined;
    for (const [at, result] of results.entries()) {
      const id = ids[at] as string;
      if (result.status === 'rejected') failure = result;
      else if (this.#table.get(id) === now[at]) this.#unwritten.delete(id);
    }
    if (ids.length > 0) this.#notifyOthers(ids);
    if (!failure || this.#closed) return;
    this.#log.warn(
      { err: failure.reason },
      'Approvals could not be written; those that wait would not survive a restart.',
    );
    this.#writeAfter(RETRY_AFTER_MS);
  }

  #notifyOthers(ids: string[]): void {
    this.#state.bus.publish(APPROVALS, ids);
  }
}

const alreadyDecided = (state: ApprovalState, by: string | undefined): SwitchboardError =>
  new SwitchboardError(
    'SWB_APPROVAL_DECIDED',
    `It was ${state === 'spent' ? 'approved and used' : state} already, by ${by ?? 'unknown'}.`,
    { data: { state } },
  );

const changed = (stored: StoredApproval, changes: Partial<Approval>, endedAt?: number): StoredApproval => ({
  ...stored,
  endedAt,
  approval: { ...stored.approval, ...changes },
});

/** Whether what another gateway wrote goes further than what is known here. A denial goes further than an approval. */
const supersedes = (stored: ApprovalState, known: ApprovalState): boolean =>
  known === 'pending' ? stored !== 'pending' : known === 'approved' && stored === 'denied';
