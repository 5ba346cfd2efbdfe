/**
 * The approvals of a gateway: claimed by calls, decided by people.
 *
 * Invariants: one approval lets one call through, also when many claim it at once, when the gateway crashes, and when
 * gateways share a state folder; what nobody has approved in time is not approved.
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import { Listeners } from '../../core/listeners.ts';
import type { Log } from '../../core/log.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import type { State } from '../../state/state.ts';
import { ApprovalRecords } from './records.ts';
import { oneLine } from './shown.ts';
import { fingerprintOf, isLive, MAX_BY, MAX_NOTE, newKept, type StoredApproval } from './stored-approvals.ts';
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
  /** Undefined: nothing survives a restart. */
  state?: State | undefined;
  limits?: Partial<ApprovalLimits>;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** How often, while some wait, it is looked whether they have expired or were decided by another gateway. */
const LOOK_EVERY_MS = 2_000;

export async function openApprovals({
  log,
  state = memoryState(log),
  limits = {},
  now = Date.now,
}: ApprovalsOptions): Promise<Approvals> {
  const store = new ApprovalStore(log, state, { ...APPROVAL_LIMITS, ...limits }, now);
  await store.load();
  return store;
}

class ApprovalStore implements Approvals {
  readonly #log: Log;
  readonly #limits: ApprovalLimits;
  readonly #now: () => number;
  readonly #table: ApprovalTable;
  readonly #records: ApprovalRecords;
  readonly #listeners: Listeners<[Approval]>;
  /** Decisions that are being written: the next one about the same approval waits for them. */
  readonly #deciding = new Map<string, Promise<unknown>>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(log: Log, state: State, limits: ApprovalLimits, now: () => number) {
    this.#log = log;
    this.#listeners = new Listeners(log);
    this.#limits = limits;
    this.#now = now;
    this.#table = new ApprovalTable(limits);
    this.#records = new ApprovalRecords(state.kv, log, (id) => this.#table.get(id));
  }

  async load(): Promise<void> {
    for (const kept of await this.#records.load(this.#now())) if (!this.#table.isFull) this.#table.put(kept);
    this.#look();
  }

  claim(request: ApprovalRequest): Claim {
    const fingerprint = fingerprintOf(request);
    this.#sweep();
    const known = this.#table.find(fingerprint);
    if (!known) return this.#ask(request, fingerprint);
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
    const kept = this.#requirePending(id);
    const decidedAt = this.#now();
    const note = oneLine(decision.note ?? '', MAX_NOTE);
    const decided = this.#as(kept, {
      state: decision.effect === 'approve' ? 'approved' : 'denied',
      by: oneLine(decision.by, MAX_BY) || 'unknown',
      note: note === '' ? undefined : note,
      decidedAt,
      expiresAt: decidedAt + kept.timeoutMs,
    });
    // Nothing rests on it before it is on disk.
    const written = this.#records.write(decided);
    const settled = written.catch(() => {}).then(() => this.#deciding.delete(id));
    this.#deciding.set(id, settled);
    await written;
    this.#change(decided);
    this.#log.info(
      { approval: id, by: decided.approval.by },
      `An approval was ${decision.effect === 'approve' ? 'given' : 'denied'}.`,
    );
    return decided.approval;
  }

  async refresh(): Promise<void> {
    for (const stored of await this.#records.read(this.#now())) {
      const { id, state } = stored.approval;
      const known = this.#table.get(id);
      if (!known) {
        if (this.#table.isFull) continue;
        this.#change(stored);
      } else if (isNews(known.approval.state, state) && !this.#deciding.has(id)) this.#change(stored);
    }
    this.#sweep();
    this.#look();
  }

  onChange(listener: (approval: Approval) => void): () => void {
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#sweep();
    await this.#records.close();
  }

  #ask(request: ApprovalRequest, fingerprint: string): Claim {
    const kept = newKept(request, fingerprint, this.#now(), this.#limits.argumentBytes);
    for (const gone of this.#table.add(kept)) this.#records.later(gone);
    const { approval } = kept;
    this.#records.later(approval.id);
    this.#listeners.emit(approval);
    this.#look();
    const { id, principal, server, name } = approval;
    this.#log.info({ approval: id, principal, server, name }, 'A call waits for approval.');
    return { status: 'pending', approval };
  }

  /** Spent here and now; on disk as soon as `kept` resolves. */
  #spend(given: StoredApproval): Claim {
    const { id } = given.approval;
    const spent = this.#as(given, { state: 'spent' }, this.#now());
    this.#change(spent);
    const removed = this.#records.remove(id);
    const kept = removed.then((first) => {
      if (!first) {
        throw new SwitchboardError('SWB_APPROVAL_DECIDED', 'This approval has been used by another call already.');
      }
    });
    // Whoever does not wait for it is told nothing, and must not be a fault of the process.
    kept.catch(() => {});
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      if (given.approval.expiresAt <= this.#now()) return;
      this.#change(given);
      this.#records.putBack(given, removed).then(
        (restored) => restored || this.#takeBack(id),
        // Its record is in doubt: it is not used again.
        () => this.#takeBack(id),
      );
    };
    return { status: 'approved', approval: spent.approval, kept, release };
  }

  #takeBack(id: string): void {
    const kept = this.#table.get(id);
    if (kept && isLive(kept)) this.#change(this.#as(kept, { state: 'spent' }, this.#now()));
  }

  #requirePending(id: string): StoredApproval {
    const kept = this.#table.get(id);
    if (!kept) throw new SwitchboardError('SWB_UNKNOWN_APPROVAL', 'There is no approval of this id.');
    const { state, by } = kept.approval;
    if (state === 'pending') return kept;
    if (state === 'expired') {
      throw new SwitchboardError('SWB_APPROVAL_EXPIRED', 'It has expired. The caller has to try again first.', {
        data: { state },
      });
    }
    const word = state === 'spent' ? 'approved and used' : state;
    throw new SwitchboardError('SWB_APPROVAL_DECIDED', `It was ${word} already, by ${by ?? 'unknown'}.`, {
      data: { state },
    });
  }

  #as(kept: StoredApproval, changes: Partial<Approval>, endedAt?: number): StoredApproval {
    return { ...kept, endedAt, approval: { ...kept.approval, ...changes } };
  }

  #change(kept: StoredApproval): void {
    this.#table.put(kept);
    this.#listeners.emit(kept.approval);
  }

  #sweep(): void {
    for (const { approval } of this.#table.sweep(this.#now())) {
      this.#records.later(approval.id);
      this.#listeners.emit(approval);
    }
  }

  /** Looks again and again while something is waited for. */
  #look(): void {
    if (this.#closed || this.#timer !== undefined || !this.#table.all().some(isLive)) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.refresh().catch((error: unknown) => {
        this.#log.warn({ err: error }, 'The approvals could not be read from the state.');
        this.#look();
      });
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }
}

/** Whether what another gateway wrote goes further than what is known here. A denial goes further than an approval. */
const isNews = (known: ApprovalState, stored: ApprovalState): boolean =>
  known === 'pending' ? stored !== 'pending' : known === 'approved' && stored === 'denied';
