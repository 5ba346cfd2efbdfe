/**
 * The runs of agents that outlive their clients' requests: as tasks of clients that know tasks, and as background runs of
 * `callAgent`. Bound to their principal, bounded in number and age, and found again after a restart.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import {
  grantIdentity,
  type Identity,
  LOCAL_IDENTITY,
  LOCAL_PRINCIPAL,
  type ScopedEntry,
} from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import type { Federation } from '../../federation/types.ts';
import type { ReplicaId } from '../../state/replica.ts';
import type { State } from '../../state/state.ts';
import { LATEST_LEGACY } from '../../wire/eras.ts';
import { isObject, type JsonObject, type RequestId } from '../../wire/jsonrpc.ts';
import type { Dispatcher } from '../dispatch.ts';
import type { Gate } from '../gate/gate.ts';
import { failureResult } from '../tool-failures.ts';
import { lostRun, readOn } from './read-on.ts';
import { type Execute, Run } from './run.ts';
import { Said } from './said.ts';
import { type Hearing, SharedSaid } from './shared-said.ts';
import { isOver, keptAfter, LEASE_MS, type RunRecord, type RunSubject, StoredRuns } from './stored-runs.ts';

export interface RunLimits {
  /** A call of a client that knows tasks becomes a task after this time, in milliseconds. */
  taskAfterMs: number;
  /** Longest a run may take. */
  maxRunMs: number;
  /** How long a run is kept after it has ended. */
  keepRunsMs: number;
  /** Runs of one principal that have not ended. */
  maxRuns: number;
}

export const RUN_LIMITS: RunLimits = {
  taskAfterMs: 10_000,
  maxRunMs: 6 * 60 * 60_000,
  keepRunsMs: 24 * 60 * 60_000,
  maxRuns: 32,
};

/** Of all principals together, and ended ones of one principal and protocol that are kept. */
const MAX_LIVE = 2_000;
const MAX_ENDED = 200;

/** How soon a run that another process reads may have changed. */
const LOOK_AGAIN_MS = 1_000;

/** More than a process says between two writes of its record. */
const UNSAVED_PIECES = 100_000;

const PREFIX = 'run_';
const TOPIC = 'agent-runs';

export interface RunsOptions {
  state: Pick<State, 'kv' | 'bus' | 'replica'>;
  federation: Federation;
  dispatcher: Dispatcher;
  log: Log;
  limits?: Partial<RunLimits> | undefined;
  gate: Gate | undefined;
  /** Ends the key that was lent for a run. */
  endKey?(id: string): Promise<void> | undefined;
}

export interface Begin {
  caller: Caller;
  /** The tool as its client names it. */
  tool: string;
  /** What the call is about. */
  subject: ScopedEntry;
  progressToken: RequestId | undefined;
  canBeAsked: boolean;
  /** Whether what the agent says is kept for readers of the run, in any process. */
  speaks?: boolean | undefined;
  /** As in the record. */
  via?: string | undefined;
  execute: Execute;
}

export class Runs {
  readonly limits: RunLimits;
  readonly #stored: StoredRuns;
  readonly #federation: Federation;
  readonly #dispatcher: Dispatcher;
  readonly #log: Log;
  readonly #bus: State['bus'];
  readonly #gate: Gate | undefined;
  readonly #endKey: RunsOptions['endKey'];
  readonly #live = new Map<string, Run>();
  /** Records of runs that ended in this process, oldest first, whose results may be too long for the state. */
  readonly #ended = new Map<string, RunRecord>();
  readonly #stopListening: () => void;
  readonly #said: SharedSaid;
  #closed = false;

  constructor({ state, federation, dispatcher, gate, log, limits, endKey }: RunsOptions) {
    this.#endKey = endKey;
    this.#gate = gate;
    this.limits = { ...RUN_LIMITS, ...limits };
    this.#stored = new StoredRuns(state.kv, String(state.replica), log);
    this.#federation = federation;
    this.#dispatcher = dispatcher;
    this.#log = log;
    this.#bus = state.bus;
    this.#stopListening = state.bus.subscribe(TOPIC, (message) => this.#heard(message));
    this.#said = new SharedSaid(state);
  }

  /** Runs of this process that have not ended. */
  get size(): number {
    return this.#live.size;
  }

  /** Whether an id is spelled like one of a run. */
  isRunId(id: string): boolean {
    return id.startsWith(PREFIX);
  }

  /** The replica that reads a run, which has what the run asks; undefined: any can tell of it. */
  async placeOf(id: string): Promise<ReplicaId | undefined> {
    if (this.#live.has(id)) return undefined;
    const record = await this.#stored.get(id);
    return record && !isOver(record.status) ? record.owner.replica : undefined;
  }

  /** Begins a run. Throws `SWB_QUEUE_FULL` when its principal has as many as it may. */
  begin({ caller, tool, via, subject, progressToken, canBeAsked, speaks, execute }: Begin): Run {
    const own = [...this.#live.values()].filter(({ record }) => record.principal === caller.principal);
    if (own.length >= this.limits.maxRuns || this.#live.size >= MAX_LIVE) {
      throw new SwitchboardError(
        'SWB_QUEUE_FULL',
        `There are ${own.length} runs of agents that have not ended, the most there may be. cancelRun ends one.`,
        { retryAfterMs: 5_000 },
      );
    }
    const now = Date.now();
    const record: RunRecord = {
      id: `${PREFIX}${randomBytes(18).toString('base64url')}`,
      principal: caller.principal,
      grant: caller.identity.grant,
      tool,
      via,
      subject: scopedOf(subject),
      agent: undefined,
      ref: undefined,
      lent: undefined,
      status: 'working',
      message: undefined,
      asks: undefined,
      createdAt: now,
      updatedAt: now,
      keepMs: this.limits.keepRunsMs,
      result: undefined,
      owner: this.#stored.owner,
      leaseUntil: now + LEASE_MS,
    };
    return this.#start(record, { caller, progressToken, canBeAsked, speaks, execute });
  }

  #start(
    record: RunRecord,
    { caller, progressToken, canBeAsked, speaks, execute }: Omit<Begin, 'tool' | 'via' | 'subject'>,
  ): Run {
    const said = speaks ? new Said(placeIn(record)) : undefined;
    const ended = said && this.#said.reads(record.id, said);
    const run = new Run({
      record,
      caller,
      stored: this.#stored,
      canBeAsked,
      progressToken,
      maxRunMs: this.limits.maxRunMs,
      said,
      onEnd: (run) => this.#over(run),
      onTaken: () => this.#ended.delete(record.id),
    });
    this.#live.set(record.id, run);
    void run.run(execute).then(() => {
      this.#live.delete(record.id);
      ended?.(run.isKept);
    });
    return run;
  }

  #over(run: Run): void {
    if (run.record.lent !== undefined) void this.#endKey?.(run.record.lent);
    if (!run.isKept) return;
    const { principal, id, brief, via } = run.record;
    this.#ended.set(id, run.record);
    // Those that are brief are many, and none takes room from those of another protocol.
    const own = [...this.#ended.values()].filter(
      (old) => old.principal === principal && old.brief === brief && old.via === via,
    );
    for (const old of own.slice(0, Math.max(0, own.length - MAX_ENDED))) {
      this.#ended.delete(old.id);
      void this.#stored.delete(old.id);
    }
    setTimeout(() => this.#ended.delete(id), keptAfter(run.record)).unref();
  }

  /** A run of this process. */
  live(id: string, caller: Pick<Caller, 'principal'>): Run | undefined {
    const run = this.#live.get(id);
    return run?.record.principal === caller.principal ? run : undefined;
  }

  /** What the agent says in a run that another process reads. */
  hear(id: string): Hearing {
    return this.#said.hear(id);
  }

  /** Whether this process begins and reads no more runs. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** What a run asks, as a task's `inputRequests`. */
  asksOf({ id, asks }: RunRecord): JsonObject | undefined {
    return this.#live.get(id)?.inputRequests() ?? asks;
  }

  /** How a run of this principal stands; another's does not exist. A run whose process is gone is taken over. */
  async find(id: string, { principal, identity }: Caller): Promise<RunRecord | undefined> {
    if (!this.isRunId(id) || id.length > 100) return undefined;
    const record = this.#live.get(id)?.record ?? this.#ended.get(id) ?? (await this.#stored.get(id));
    if (!record || record.principal !== principal || record.grant !== identity.grant) return undefined;
    if (!this.#stored.isOrphan(record)) return record;
    return (await this.#takeOver(record)) ?? record;
  }

  /** The runs of this caller that it finds by their ids, oldest first. */
  async ownedBy({ principal, identity }: Caller): Promise<RunRecord[]> {
    const records = new Map((await this.#stored.all()).map((record) => [record.id, record]));
    for (const [id, record] of this.#ended) records.set(id, record);
    for (const [id, run] of this.#live) if (run.isKept) records.set(id, run.record);
    return [...records.values()]
      .filter((record) => record.principal === principal && record.grant === identity.grant && !record.brief)
      .sort((a, b) => a.createdAt - b.createdAt);
  }

  /**
   * Resolves when the run has changed or ended, `ms` are over, or `signal` aborts. A run that another process reads is looked at again
   * after a second. Nothing is left behind at the run.
   */
  async changed(id: string, ms: number, signal?: AbortSignal): Promise<void> {
    const run = this.#live.get(id);
    const { promise, resolve } = Promise.withResolvers<void>();
    const waitMs = run ? ms : Math.min(ms, LOOK_AGAIN_MS);
    const timer = Number.isFinite(waitMs) ? setTimeout(resolve, waitMs).unref() : undefined;
    // A run that ends changes.
    const stop = run?.onChange(resolve);
    const left = (): void => resolve();
    signal?.addEventListener('abort', left);
    if (run?.hasEnded || signal?.aborted) resolve();
    await promise;
    clearTimeout(timer);
    stop?.();
    signal?.removeEventListener('abort', left);
  }

  /** Cancels it at its server, whichever process reads it. The record is that of its principal. */
  async cancel(record: RunRecord): Promise<void> {
    const run = this.#live.get(record.id);
    if (run) {
      run.cancel('The run was cancelled.');
      await run.ended;
    } else if (!isOver(record.status)) this.#bus.publish(TOPIC, { id: record.id, cancel: true });
  }

  /** Gives a run the answers to what it asks. */
  answer(record: RunRecord, responses: JsonObject): void {
    const run = this.#live.get(record.id);
    if (run) run.answer(responses);
    else this.#bus.publish(TOPIC, { id: record.id, responses: JSON.parse(JSON.stringify(responses)) });
  }

  #heard(message: unknown): void {
    if (!isObject(message) || typeof message.id !== 'string') return;
    const run = this.#live.get(message.id);
    if (message.cancel === true) run?.cancel('The run was cancelled.');
    else if (isObject(message.responses)) run?.answer(message.responses);
  }

  /** Takes over the runs of processes that are gone. Resolves with the keys lent for runs that go on. Never rejects. */
  async restore(): Promise<ReadonlySet<string> | undefined> {
    const lent = new Set<string>();
    try {
      for (const record of await this.#stored.all()) {
        if (!isOver(record.status) && record.lent !== undefined) lent.add(record.lent);
        if (this.#stored.isOrphan(record)) await this.#takeOver(record);
      }
      return lent;
    } catch (error) {
      this.#log.warn({ err: error }, 'Runs of agents from before could not be read.');
      return undefined;
    }
  }

  async #takeOver(record: RunRecord): Promise<RunRecord | undefined> {
    if (this.#closed || !(await this.#stored.claim(record))) return undefined;
    record.brief = undefined;
    // The run was answered and is in a new section, of which no place was recorded yet.
    if (record.resume?.section !== record.said?.section) record.resume = undefined;
    // Later places were noted too; what this process says begins at this one.
    if (record.resume) record.ref = record.resume.ref;
    const { agent, ref } = record;
    if (!agent || !ref) {
      this.#lost(record);
      await this.#stored.take(record);
      return record;
    }
    record.status = 'working';
    await this.#stored.take(record);
    const identity: Identity =
      record.grant === undefined && record.principal === LOCAL_PRINCIPAL
        ? LOCAL_IDENTITY
        : record.grant === record.principal
          ? grantIdentity(record.grant)
          : { principal: record.principal, grant: record.grant, claims: {} };
    const caller: Caller = {
      key: record.id,
      principal: record.principal,
      identity,
      inProcess: true,
      era: 'legacy',
      protocolVersion: LATEST_LEGACY,
      capabilities: { elicitation: { form: {} } },
      clientInfo: undefined,
      logLevel: undefined,
      sessionId: undefined,
    };
    const execute = readOn(
      { federation: this.#federation, dispatcher: this.#dispatcher, gate: this.#gate },
      record,
      agent,
    );
    const speaks = record.said !== undefined;
    const run = this.#start(record, { caller, progressToken: record.id, canBeAsked: true, speaks, execute });
    await run.keep();
    return record;
  }

  #lost(record: RunRecord): void {
    if (record.lent !== undefined) void this.#endKey?.(record.lent);
    const error = lostRun();
    record.status = 'failed';
    record.asks = undefined;
    record.message = error.message;
    record.updatedAt = Date.now();
    record.result = failureResult(error);
  }

  /** Ends the runs of identities that are not valid any more. */
  expel(isValid: (identity: Identity) => boolean, reason: Error): void {
    for (const run of [...this.#live.values()]) {
      const { caller } = run.call;
      if (caller.inProcess !== true && !isValid(caller.identity)) run.call.abort(reason);
    }
  }

  /** Lets go of every run: kept ones go on at their servers. */
  close(reason: Error): void {
    this.#closed = true;
    this.#stopListening();
    this.#said.close();
    for (const run of [...this.#live.values()]) run.leave(reason);
    this.#stored.close();
  }
}

/** The section and number of the first piece that this process will add. */
function placeIn({ said, resume }: RunRecord): ConstructorParameters<typeof Said>[0] {
  if (!said) return undefined;
  // The adapter reads on from this place: pieces that readers elsewhere have already get the numbers they had.
  if (resume) return { section: resume.section, first: resume.count, whole: false };
  // Readers elsewhere may have more pieces than the record counts: new numbers begin beyond all of those.
  return { section: said.section, first: said.count + UNSAVED_PIECES, whole: false };
}

const scopedOf = ({ server, section, namespaced, tool }: ScopedEntry): RunSubject => ({
  ...{ server, section, namespaced },
  ...(tool ? { tool: { namespaced: tool.namespaced } } : {}),
});
