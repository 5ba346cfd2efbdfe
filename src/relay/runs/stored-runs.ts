/**
 * Records of agent runs in the state: what a run is, whose, how it stands, and how it ended. A run is found again after a
 * restart, and by every process on the same state.
 * @module
 */
import type { AgentRunRef } from '../../core/agent-call.ts';
import type { ScopedEntry } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import { isGone, type Owner, ownerHere, ownerLeft } from '../../core/owner.ts';
import type { JsonValue, KeyValue } from '../../state/state.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

export type RunStatus = 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled';

/** An entry as scopes of access tokens see it. */
export type RunSubject = Pick<ScopedEntry, 'server' | 'section' | 'namespaced' | 'tool'>;

/** A `ref` with `continues`, and how many pieces the run had when the adapter reported it: the next piece has number `count`. */
export interface ResumePlace {
  ref: AgentRunRef;
  section: number;
  count: number;
}

/** Times are milliseconds since the epoch. */
export interface RunRecord {
  id: string;
  principal: string;
  grant: string | undefined;
  /** The tool that was called, as its client names it. */
  tool: string;
  /** The protocol whose endpoint began it; undefined for MCP. */
  via?: string | undefined;
  /** What the call was about, as far as scopes depend on it; undefined in records from before that was noted. */
  subject?: RunSubject | undefined;
  /** The agent, or the tool whose calls last, once it is known which one: server and key. */
  agent: { server: string; key: string; isTool?: true } | undefined;
  /** What the server calls the run; undefined where it cannot be found again. */
  ref: AgentRunRef | undefined;
  /** The id of the key that was lent for it, which ends with it. */
  lent: string | undefined;
  status: RunStatus;
  /** The last progress, or why it failed. */
  message: string | undefined;
  /** What it asks, as a task's `inputRequests`; undefined where nothing is open, or it is too long to be kept. */
  asks: JsonObject | undefined;
  /** How much the agent has said; undefined where that is not kept. */
  said?: { section: number; count: number } | undefined;
  /** Where another process reads on; undefined where the number of pieces at `ref` is not known. */
  resume?: ResumePlace | undefined;
  createdAt: number;
  updatedAt: number;
  /** How long it is kept after it has ended. */
  keepMs: number;
  /** What comes of it is kept elsewhere: once it has ended it is there for those that follow it, and not for long. */
  brief?: boolean | undefined;
  /** The result of the tool, once it has ended with one; cut away where it is too long to be kept. */
  result: JsonObject | undefined;
  /** The process that reads it at the server. */
  owner: Owner;
  /** Until then the owner is taken for alive, where it cannot be seen. */
  leaseUntil: number;
}

/** How long those that follow a brief run may take to read its end, in milliseconds. */
const BRIEF_MS = 60_000;
const NAMESPACE = 'agent-runs';
const CLAIMS = 'agent-run-claims';
export const LEASE_MS = 60_000;
const CLAIM_MS = 30_000;
/** Of a result, as JSON. Values of the state have a bound. */
const MAX_RESULT_BYTES = 512 * 1024;

export class StoredRuns {
  readonly #kv: KeyValue;
  readonly #log: Log;
  readonly #owner: RunRecord['owner'];

  constructor(kv: KeyValue, replica: string, log: Log) {
    this.#kv = kv;
    this.#log = log;
    this.#owner = ownerHere(replica);
  }

  get owner(): RunRecord['owner'] {
    return this.#owner;
  }

  async get(id: string): Promise<RunRecord | undefined> {
    return recordOf(await this.#kv.get(NAMESPACE, id));
  }

  async all(): Promise<RunRecord[]> {
    const entries = await this.#kv.entries(NAMESPACE);
    return entries.flatMap(([, value]) => recordOf(value) ?? []);
  }

  /**
   * Resolves with false where another process has taken the run over: then nothing is written. Never rejects: a run whose record cannot
   * be written goes on, and is lost with the process.
   */
  async save(record: RunRecord): Promise<boolean> {
    try {
      const kept = await this.get(record.id);
      if (kept && kept.owner.replica !== record.owner.replica) return false;
      await this.#write(record);
    } catch (error) {
      this.#log.warn({ err: error, run: record.id }, 'A run could not be kept: a restart forgets it.');
    }
    return true;
  }

  /** Makes this process the owner of a run that it has claimed. */
  async take(record: RunRecord): Promise<void> {
    record.owner = this.#owner;
    record.leaseUntil = Date.now() + LEASE_MS;
    await this.#write(record);
  }

  async #write(record: RunRecord): Promise<void> {
    const bytes = record.result ? Buffer.byteLength(JSON.stringify(record.result)) : 0;
    const kept = bytes > MAX_RESULT_BYTES ? { ...record, result: tooLong(bytes) } : record;
    const expiresIn = isOver(record.status) ? keptAfter(record) : undefined;
    await this.#kv.set(NAMESPACE, record.id, kept as unknown as JsonValue, expiresIn);
  }

  async delete(id: string): Promise<void> {
    await this.#kv.delete(NAMESPACE, id).catch(() => false);
  }

  /** Whether the process that reads this run is gone. */
  isOrphan({ status, owner, leaseUntil }: RunRecord): boolean {
    if (isOver(status) || owner.replica === this.#owner.replica) return false;
    return isGone(owner) || leaseUntil < Date.now();
  }

  close(): void {
    ownerLeft(this.#owner.replica);
  }

  /** True to one process alone, which takes the run over. */
  claim({ id }: RunRecord): Promise<boolean> {
    return this.#kv.setIfAbsent(CLAIMS, id, this.#owner.replica, CLAIM_MS);
  }
}

export const isOver = (status: RunStatus): boolean => status !== 'working' && status !== 'input_required';

/** How long this run is kept after it has ended, in milliseconds. */
export const keptAfter = ({ keepMs, brief }: RunRecord): number => (brief ? Math.min(keepMs, BRIEF_MS) : keepMs);

const tooLong = (bytes: number): JsonObject => ({
  content: [
    { type: 'text', text: `The result has ${bytes} bytes: too long to be kept beyond the process that received it.` },
  ],
  isError: true,
});

function recordOf(value: unknown): RunRecord | undefined {
  const isRecord = isObject(value) && typeof value.id === 'string' && typeof value.principal === 'string';
  return isRecord ? (value as unknown as RunRecord) : undefined;
}
