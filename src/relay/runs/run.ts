/**
 * One run of an agent that outlives its client's request: its call, what it asks, and how it stands.
 *
 * Invariants: it ends once; what it asks is asked once, of the client that follows it; its record is written before its client learns
 * its id, and when it ends.
 * @module
 */
import type { AgentRunRef } from '../../core/agent-call.ts';
import type { Ask } from '../../core/call.ts';
import type { Caller } from '../../core/caller.ts';
import { isShutdown, SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { shortenTo } from '../../core/text.ts';
import { Denied } from '../../policy/denied.ts';
import { isObject, type JsonObject, type Notification, type RequestId } from '../../wire/jsonrpc.ts';
import { RelayCall } from '../call.ts';
import { failureResult } from '../tool-failures.ts';
import type { Channel } from '../types.ts';
import type { Said } from './said.ts';
import { isOver, LEASE_MS, type ResumePlace, type RunRecord, type RunStatus, type StoredRuns } from './stored-runs.ts';

/** Sends the call, and resolves with the result of the tool. */
export type Execute = (call: RelayCall) => Promise<JsonObject>;

/** The client request that follows a run at the moment. */
export interface Follower {
  channel: Channel;
  /** Legacy clients are asked on the stream of a request; others see what is open. */
  asks: boolean;
}

export interface RunOptions {
  record: RunRecord;
  caller: Caller;
  stored: StoredRuns;
  /** Whether a client can be asked. */
  canBeAsked: boolean;
  progressToken: RequestId | undefined;
  /** Ceiling of the whole run, in milliseconds. */
  maxRunMs: number;
  /** What the agent says, for endpoints that stream it. Undefined: its progress is for the client that follows, and no text. */
  said?: Said | undefined;
  /** The run has ended: it is forgotten where it was not kept. */
  onEnd(run: Run): void;
  /** Another process has taken it over. */
  onTaken(): void;
}

const MAX_MESSAGE = 500;
/** How long pieces take at most to reach readers in other processes. */
const ON_ITS_WAY_MS = 2_000;
/** A record is written no more often for progress. */
const SAVE_EVERY_MS = 5_000;

export class Run implements Channel {
  readonly record: RunRecord;
  readonly call: RelayCall;
  readonly said: Said | undefined;
  /** Resolves when it has ended. Never rejects. */
  readonly ended: Promise<void>;
  /** What is open, by the key of `inputRequests`. */
  readonly #asks = new Map<string, { ask: Ask; answer: (result: JsonObject) => void }>();
  readonly #stored: StoredRuns;
  readonly #options: RunOptions;
  readonly #end = Promise.withResolvers<void>();
  readonly #listeners = new Set<() => void>();
  readonly #deadline: NodeJS.Timeout;
  readonly #lease: NodeJS.Timeout;
  #follower: Follower | undefined;
  /** Its client knows its id: it is kept, and goes on without the client. */
  #isKept = false;
  /** Its record is the next process's. */
  #isLetGo = false;
  #lastAsk = 0;
  /** What the process before asked: asked again, it has the same key for its client. */
  readonly #askedBefore: [key: string, ask: unknown][];
  #savedAt = 0;
  /** Where another process could read on, oldest first. */
  #places: (ResumePlace & { at: number })[] = [];
  #error: unknown;

  constructor(options: RunOptions) {
    const { record, caller, stored, canBeAsked, progressToken, maxRunMs } = options;
    this.record = record;
    this.#options = options;
    this.#askedBefore = Object.entries(record.asks ?? {});
    record.asks = undefined;
    if (record.resume) this.#places = [{ ...record.resume, at: Date.now() }];
    this.#stored = stored;
    this.said = options.said;
    this.ended = this.#end.promise;
    // Progress is what the run says of itself, also where its client did not ask for it.
    this.call = new RelayCall(caller, this, progressToken ?? record.id);
    this.call.ceilingMs = maxRunMs;
    this.call.onBegan = (agent, ref) => this.#began(agent, ref);
    this.call.onLent = (keyId) => {
      this.record.lent = keyId;
      if (this.#isKept) void this.#save();
    };
    if (canBeAsked) this.call.asker = (ask) => this.#ask(ask);
    this.#deadline = setTimeout(() => {
      this.call.abort(new SwitchboardError('SWB_CALL_TIMEOUT', `The run took over ${Math.round(maxRunMs / 1000)} s.`));
    }, maxRunMs);
    this.#lease = setInterval(() => this.#isKept && this.#save(), LEASE_MS / 3);
    this.#deadline.unref();
    this.#lease.unref();
  }

  /** The error it ended with, where it ended with one. */
  get error(): unknown {
    return this.#error;
  }

  get isOver(): boolean {
    return isOver(this.record.status);
  }

  /** It is over, or goes on at its server without this process. */
  get hasEnded(): boolean {
    return this.isOver || this.#isLetGo;
  }

  /** Runs to the end. Never rejects. */
  async run(execute: Execute): Promise<void> {
    try {
      const result = await new Promise<JsonObject>((resolve, reject) => {
        this.call.onAbort(reject);
        execute(this.call).then(resolve, reject);
      });
      if (result.isError === true) this.record.message = shortenTo(said(result), MAX_MESSAGE);
      this.#ends(result.isError === true ? 'failed' : 'completed', result);
    } catch (error) {
      this.#error = error;
      if (isShutdown(error) && this.call.lasting) this.#letGo();
      else this.#fails(error);
    }
  }

  #fails(error: unknown): void {
    if (error instanceof Denied) {
      this.record.message = error.message;
      this.#ends('failed', error.toolResult());
      return;
    }
    const isKnown = error instanceof SwitchboardError || error instanceof UpstreamError;
    const message = isKnown ? error.message : 'The gateway failed on this run. Its log has the details.';
    const shown = isKnown ? failureResult(error) : failureResult(new SwitchboardError('SWB_INTERNAL', message));
    const isCancelled = error instanceof SwitchboardError && error.code === 'SWB_CANCELLED';
    this.record.message = message;
    this.#ends(isCancelled ? 'cancelled' : 'failed', shown);
  }

  #ends(status: RunStatus, result: JsonObject): void {
    if (this.isOver) return;
    const { record } = this;
    record.status = status;
    record.result = result;
    this.#over();
    this.#note();
    this.#end.resolve();
    this.#options.onEnd(this);
    this.#changed();
  }

  /** The gateway ends; the run goes on at its server, and another process finds it by its record. */
  #letGo(): void {
    this.#isLetGo = true;
    this.#over();
    this.#end.resolve();
    this.#changed();
  }

  #over(): void {
    clearTimeout(this.#deadline);
    clearInterval(this.#lease);
    this.record.updatedAt = Date.now();
    for (const { answer } of [...this.#asks.values()]) answer({ action: 'cancel' });
    this.#asks.clear();
    this.call.settle();
  }

  /** From now on it goes on without its client. `brief`: as in the record. Resolves when the record is written. */
  keep(brief = false): Promise<void> {
    this.#isKept = true;
    this.record.brief = brief || undefined;
    return this.#save();
  }

  get isKept(): boolean {
    return this.#isKept;
  }

  /** The gateway ends. What only the connection of its client follows ends with that; the client of any other finds it again. */
  leave(reason: Error): void {
    if (this.said && !this.#isKept) this.call.ceilingMs = undefined;
    this.call.abort(reason);
  }

  cancel(reason: string): void {
    this.call.abort(new SwitchboardError('SWB_CANCELLED', reason));
  }

  // Channel

  notify(sent: Notification): void {
    const isProgress = sent.method === 'notifications/progress';
    if (!isProgress || this.#options.progressToken !== undefined) this.#follower?.channel.notify(sent);
    if (!isProgress) return;
    const { message } = sent.params ?? {};
    if (typeof message !== 'string' || message === '') return;
    this.said?.add(message);
    if (message.trim() === '') return;
    this.record.message = shortenTo(message.replace(/\s+/g, ' ').trim(), MAX_MESSAGE);
    this.record.updatedAt = Date.now();
    if (this.#isKept && Date.now() - this.#savedAt > SAVE_EVERY_MS) void this.#save();
  }

  /** Notifications, and questions where it can be asked, go to this follower. Returns what ends that. */
  follow(follower: Follower): () => void {
    this.#follower = follower;
    if (follower.asks) for (const key of this.#asks.keys()) this.#put(key);
    return () => {
      if (this.#follower === follower) this.#follower = undefined;
    };
  }

  /** Calls `listener` when its status changes. Returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** As a task's `inputRequests`. */
  inputRequests(): JsonObject | undefined {
    if (this.#asks.size === 0) return undefined;
    return Object.fromEntries([...this.#asks].map(([key, { ask }]) => [key, shownAsk(ask)]));
  }

  /** Takes answers. Keys that are not open are ignored. */
  answer(responses: JsonObject): void {
    for (const [key, { answer }] of [...this.#asks]) {
      const response = responses[key];
      if (isObject(response)) answer(response);
    }
  }

  #ask(ask: Ask): Promise<JsonObject> {
    return new Promise((resolve, reject) => {
      const key = this.#keyOf(ask);
      const close = (): void => {
        if (this.#asks.delete(key)) this.#set(this.#asks.size === 0 ? 'working' : 'input_required');
      };
      const answer = (result: JsonObject): void => {
        // What the agent says next is about the answer.
        if (!this.isOver && !this.#isLetGo) this.said?.begin(this.said.section + 1);
        close();
        resolve(result);
      };
      this.#asks.set(key, { ask, answer });
      ask.signal?.addEventListener('abort', () => {
        close();
        reject(new SwitchboardError('SWB_ASK_REFUSED', 'The question was withdrawn.'));
      });
      this.#set('input_required');
      if (this.#follower?.asks) this.#put(key);
    });
  }

  #keyOf(ask: Ask): string {
    const same = JSON.stringify(shownAsk(ask));
    const before = this.#askedBefore.findIndex(([, asked]) => JSON.stringify(asked) === same);
    const [known] = before === -1 ? [] : this.#askedBefore.splice(before, 1);
    if (known) return known[0];
    let key: string;
    do key = `${ask.method.replace('/', '-')}-${++this.#lastAsk}`;
    while (this.#asks.has(key) || this.#askedBefore.some(([taken]) => taken === key));
    return key;
  }

  /** Puts an open question to the client that follows. What that cannot answer stays open for the next one. */
  #put(key: string): void {
    const open = this.#asks.get(key);
    const { channel } = this.#follower ?? {};
    if (!open || !channel?.ask) return;
    channel.ask(open.ask).then(open.answer, () => {});
  }

  #set(status: RunStatus): void {
    if (this.isOver || this.#isLetGo) return;
    this.record.status = status;
    this.record.asks = keptAsks(this.inputRequests());
    this.record.updatedAt = Date.now();
    this.#note();
    this.#changed();
  }

  /** How it stands has changed: readers elsewhere look once the record says so. */
  #note(): void {
    if (this.#isKept) void this.#save().then(() => this.said?.stir());
  }

  #began(agent: RunRecord['agent'], ref: AgentRunRef): void {
    this.record.agent = agent;
    this.record.ref = ref;
    this.record.resume = this.#resumeAt(ref);
    if (this.#isKept) void this.#save();
  }

  /** Where the next process resumes: a little before this place, so that it says again, under the same numbers, what may not have reached readers elsewhere. */
  #resumeAt(ref: AgentRunRef): ResumePlace | undefined {
    const { said, call } = this;
    // Where policy screens progress, pieces get their numbers only after it: the adapter's place says nothing of them.
    const isCounted = call.screen === undefined && call.decision?.screensNotifications !== true;
    if (!said || !isCounted || ref.continues !== true) {
      this.#places = [];
      return undefined;
    }
    if (this.#places[0]?.section !== said.section) this.#places = [];
    const now = Date.now();
    this.#places.push({ ref, ...placeOf(said), at: now });
    while ((this.#places[1]?.at ?? now) <= now - ON_ITS_WAY_MS) this.#places.shift();
    const [first] = this.#places;
    return first && { ref: first.ref, section: first.section, count: first.count };
  }

  async #save(): Promise<void> {
    this.#savedAt = Date.now();
    this.record.leaseUntil = Date.now() + LEASE_MS;
    if (this.said) this.record.said = placeOf(this.said);
    if (await this.#stored.save({ ...this.record })) return;
    // This process stood still for longer than the lease: the run is the other one's, and goes on at its server.
    this.#options.onTaken();
    this.call.abort(new SwitchboardError('SWB_SHUTTING_DOWN', 'Another replica of the gateway follows this run now.'));
  }
}

const placeOf = ({ section, count }: Said): { section: number; count: number } => ({ section, count });

/** What a failed call says first. */
function said({ content }: JsonObject): string {
  const [first] = Array.isArray(content) ? content : [];
  return isObject(first) && typeof first.text === 'string' ? first.text.replace(/\s+/g, ' ').trim() : 'It failed.';
}

const shownAsk = ({ method, params }: Ask): JsonObject => (params === undefined ? { method } : { method, params });

const MAX_ASKS_BYTES = 64 * 1024;

const keptAsks = (asks: JsonObject | undefined): JsonObject | undefined =>
  asks && Buffer.byteLength(JSON.stringify(asks)) <= MAX_ASKS_BYTES ? asks : undefined;
