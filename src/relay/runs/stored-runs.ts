/**
 * Records of agent runs in the state: what a run is, whose, how it stands, and how it ended. A run is found again after a
 * restart, and by every process on the same state.
 * @module
 */
import { hostname } from 'node:os';
import type { AgentRunRef } from '../../core/agent-call.ts';
import type { Log } from '../../core/log.ts';
import type { JsonValue, KeyValue } from '../../state/state.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

export type RunStatus = 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled';

/** Times are milliseconds since the epoch. */
export interface RunRecord {
  id: string;
  principal: string;
  grant: string | undefined;
  /** The tool that was called, as its client names it. */
  tool: string;
  /** The agent, once it is known which one: server and key. */
  agent: { server: string; key: string } | undefined;
  /** What the server calls the run; undefined where it cannot be found again. */
  ref: AgentRunRef | undefined;
  status: RunStatus;
  /** The last progress, or why it failed. */
  message: string | undefined;
  createdAt: number;
  updatedAt: number;
  /** How long it is kept after it has ended. */
  keepMs: number;
  /** The result of the tool, once it has ended with one; cut away where it is too long to be kept. */
  result: JsonObject | undefined;
  /** The process that reads it at the server. */
  owner: { replica: string; pid: number; host: string };
  /** Until then the owner is taken for alive, where it cannot be seen. */
  leaseUntil: number;
}

const NAMESPACE = 'agent-runs';
const CLAIMS = 'agent-run-claims';
export const LEASE_MS = 60_000;
const CLAIM_MS = 30_000;
/** Of a result, as JSON. Values of the state have a bound. */
const MAX_RESULT_BYTES = 512 * 1024;

/** The gateways of this process that are open. */
const HERE = new Set<string>();

export class StoredRuns {
  readonly #kv: KeyValue;
  readonly #log: Log;
  readonly #owner: RunRecord['owner'];

  constructor(kv: KeyValue, replica: string, log: Log) {
    this.#kv = kv;
    this.#log = log;
    this.#owner = { replica, pid: process.pid, host: hostname() };
    HERE.add(replica);
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

  /** Never rejects: a run whose record cannot be written goes on, and is lost with the process. */
  async save(record: RunRecord): Promise<void> {
    const hasEnded = isOver(record.status);
    const bytes = record.result ? Buffer.byteLength(JSON.stringify(record.result)) : 0;
    const kept = bytes > MAX_RESULT_BYTES ? { ...record, result: tooLong(bytes) } : record;
    const expiresIn = hasEnded ? record.keepMs : undefined;
    try {
      await this.#kv.set(NAMESPACE, record.id, kept as unknown as JsonValue, expiresIn);
    } catch (error) {
      this.#log.warn({ err: error, run: record.id }, 'A run could not be kept: a restart forgets it.');
    }
  }

  async delete(id: string): Promise<void> {
    await this.#kv.delete(NAMESPACE, id).catch(() => false);
  }

  /** Whether the process that reads this run is gone. */
  isOrphan({ status, owner, leaseUntil }: RunRecord): boolean {
    if (isOver(status) || owner.replica === this.#owner.replica) return false;
    if (owner.host === this.#owner.host) {
      const isHere = owner.pid === process.pid;
      if (isHere ? !HERE.has(owner.replica) : !isAlive(owner.pid)) return true;
    }
    return leaseUntil < Date.now();
  }

  close(): void {
    HERE.delete(this.#owner.replica);
  }

  /** True to one process alone, which takes the run over. */
  claim({ id }: RunRecord): Promise<boolean> {
    return this.#kv.setIfAbsent(CLAIMS, id, this.#owner.replica, CLAIM_MS);
  }
}

export const isOver = (status: RunStatus): boolean => status !== 'working' && status !== 'input_required';

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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
