/**
 * One turn with an agent for a client of another protocol than MCP: its text as it is made, its questions one at a time, and
 * its end. The turn is a run of the relay, so it can go on while no client follows it, and it is found again by its id: in another
 * request, in another replica, and after a restart. Every reader of it gets the same pieces of text, in whichever process; a restart alone
 * loses those that were said before it, which the answer has.
 * @module
 */
import type { AgentCallParams, AgentCallResult } from '../../core/agent-call.ts';
import type { Caller } from '../../core/caller.ts';
import { within } from '../../core/deadline.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import type { View } from '../../federation/types.ts';
import { DENIAL_META } from '../../policy/denied.ts';
import type { AgentName } from '../../relay/agents/direct-call.ts';
import type { AgentRelay } from '../../relay/relay.ts';
import type { Run } from '../../relay/runs/run.ts';
import type { Said } from '../../relay/runs/said.ts';
import type { Hearing } from '../../relay/runs/shared-said.ts';
import { isOver, type RunRecord } from '../../relay/runs/stored-runs.ts';
import { LATEST_LEGACY } from '../../wire/eras.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

export type AgentRuns = AgentRelay['runs'];

export interface AgentTurnOptions {
  relay: AgentRelay;
  identity: Identity;
  view: View;
  agent: AgentName;
  /** Without the agent. */
  params: Omit<AgentCallParams, 'agent'>;
  /** The protocol, as the caller's client is named in events and logs. */
  client: string;
}

/** A question of the agent. `key` tells it from the others that the same process asks for the run. */
export interface Question {
  key: string;
  /** Of the elicitation. */
  params: JsonObject;
}

/** What a turn comes to next. */
export type TurnEvent =
  /** `index`: which piece of its section it is. */
  | { type: 'text'; text: string; index: number }
  | { type: 'question'; question: Question }
  | { type: 'ended'; result: AgentCallResult }
  | { type: 'failed'; error: Error };

/** How often a run that another process reads is looked at, in milliseconds. */
const LOOK_EVERY_MS = 1_000;
/** How long another process may take to send what was said. */
const PATIENCE_MS = 2_000;

/** How long the state may be away while the turn is followed. */
const STATE_PATIENCE_MS = 30_000;

export class AgentTurn {
  /** Of the run. */
  readonly id: string;
  readonly #runs: AgentRuns;
  readonly #caller: Caller;
  readonly #answered = new Set<string>();
  /** The run, where this process reads it. */
  #run: Run | undefined;
  /** What it says, where another process reads it. */
  #hearing: Hearing | undefined;
  #said: Said | undefined;
  /** Where the reader is in what was said; undefined: at its end, wherever that is. */
  #at: { section: number; index: number } | undefined;
  #stopListening: (() => void) | undefined;
  #stopWatching: (() => void) | undefined;
  #isRunOver = false;
  #hasLeft = false;
  #stirred = false;
  #wake: (() => void) | undefined;

  constructor(runs: AgentRuns, caller: Caller, id: string) {
    this.id = id;
    this.#runs = runs;
    this.#caller = caller;
    this.#adopt();
  }

  /** Rejects where policy or the server's absence keeps the turn from beginning. */
  static async begin({ relay, identity, view, agent, params, client }: AgentTurnOptions): Promise<AgentTurn> {
    const caller = callerOf(identity, client);
    const request = {
      jsonrpc: '2.0' as const,
      id: 1,
      method: 'agents/call',
      params: { ...params, stream: true, _meta: { progressToken: 'text' } },
    };
    const run = await relay.beginAgent({ caller, view, request, channel: { notify() {} } }, agent);
    const turn = new AgentTurn(relay.runs, caller, run.record.id);
    turn.readFrom(0);
    return turn;
  }

  /** The turn of an earlier request; undefined where it is not this identity's, or is kept no longer. */
  static async find(runs: AgentRuns, identity: Identity, client: string, id: string): Promise<AgentTurn | undefined> {
    const caller = callerOf(identity, client);
    return (await runs.find(id, caller)) && new AgentTurn(runs, caller, id);
  }

  /** {@link next} begins with the first piece of this section: 0, and one more for each answer of the client. */
  readFrom(section: number): void {
    this.#at = { section, index: 0 };
  }

  /** The section that {@link next} is in. */
  get section(): number {
    return this.#at?.section ?? this.#said?.section ?? 0;
  }

  /** All that was said in the section that is read is known here: nothing was lost with a process. */
  get isWhole(): boolean {
    return this.#said?.isWhole ?? false;
  }

  /** From now on it goes on without its client. `brief`: what comes of it is kept elsewhere. Resolves when it would survive a restart. */
  async keep({ brief = false } = {}): Promise<void> {
    await this.#run?.keep(brief);
  }

  /** The section that the agent speaks in now. Rejects when the state cannot be read. */
  async current(): Promise<number> {
    const record = await this.record();
    return record ? this.#sectionOf(record) : 0;
  }

  /** Resolves when its run is over; undefined where another process reads that. */
  get over(): Promise<void> | undefined {
    return this.#adopt()?.ended;
  }

  /** How it stands. Rejects when the state cannot be read. */
  async record(): Promise<RunRecord | undefined> {
    const run = this.#adopt();
    if (run && (!this.#isRunOver || isOver(run.record.status))) return run.record;
    return this.#runs.find(this.id, this.#caller);
  }

  /** What it waits for now. */
  async question(): Promise<Question | undefined> {
    const record = await this.record();
    return record && this.#questionIn(record);
  }

  /** What was said since the last answer; {@link next} goes on after it. None where the turn is over. */
  async soFar(): Promise<readonly string[]> {
    const record = await this.record();
    if (!record || isOver(record.status)) return [];
    this.#listen(record);
    if (this.#hearing) await within(this.#hearing.known, PATIENCE_MS, () => undefined);
    const said = this.#said;
    this.#at = said && { section: said.section, index: said.count };
    return said?.from(0) ?? [];
  }

  /** What comes next. After a question nothing comes until {@link answer}. Rejects when the state cannot be read for long. */
  async next(): Promise<TurnEvent> {
    for (;;) {
      this.#stirred = false;
      const said = this.#nextPiece();
      if (said) return { type: 'text', text: said.piece, index: said.index };
      const record = await this.#recordSoon();
      if (this.#hasLeft) return failed('SWB_CANCELLED', 'This reader has left.');
      if (!record) return failed('SWB_UNKNOWN_TASK', 'This run is not known any more.');
      this.#listen(record);
      const question = this.#questionIn(record);
      if (question || isOver(record.status)) await this.#heardAll(record);
      if (this.#hasPiece()) continue;
      if (isOver(record.status)) {
        this.leave();
        return outcomeOf(record, record === this.#run?.record ? this.#run.error : undefined);
      }
      if (question) return { type: 'question', question };
      if (this.#isRunOver && this.#runs.isClosed) {
        // It goes on at its server, and another process reads it.
        this.leave();
        return failed('SWB_SHUTTING_DOWN', 'The gateway is shutting down.');
      }
      await this.#stirs();
    }
  }

  /** How it stands, once the state can be read: it may be away for a moment, and the run goes on. */
  async #recordSoon(): Promise<RunRecord | undefined> {
    const deadline = Date.now() + STATE_PATIENCE_MS;
    for (;;) {
      try {
        return await this.record();
      } catch (error) {
        if (this.#hasLeft) return undefined;
        if (!isStateError(error) || Date.now() > deadline) throw error;
        await this.#stirs();
      }
    }
  }

  /** The client's answer to the question: the result of an elicitation. Another process's run hears it soon. */
  async answer({ key }: Question, result: JsonObject): Promise<void> {
    const record = await this.record();
    if (!record) return;
    this.#answered.add(asked(record, key));
    this.readFrom(this.#sectionOf(record));
    this.#runs.answer(record, { [key]: result });
    if (this.#at) this.#at.section++;
  }

  /** The client knows the question: {@link next} waits for what comes of an answer to it, from any client. */
  async pass({ key }: Question): Promise<void> {
    const record = await this.record();
    if (record) this.#answered.add(asked(record, key));
  }

  async cancel(reason: string): Promise<void> {
    this.#run?.cancel(reason);
    const record = await this.record();
    if (record) await this.#runs.cancel(record);
  }

  /** This reader follows it no more. What {@link next} waits for ends. */
  leave(): void {
    this.#hasLeft = true;
    this.#stopListening?.();
    this.#stopListening = undefined;
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.#hearing?.close();
    this.#hearing = undefined;
    this.#stir();
  }

  /** The run of this process, which may have become its own just now. */
  #adopt(): Run | undefined {
    const run = this.#runs.live(this.id, this.#caller);
    if (!run || run === this.#run) return this.#run;
    this.#run = run;
    this.#isRunOver = false;
    if (run.said) this.#hear(run.said);
    this.#stopWatching?.();
    this.#stopWatching = run.onChange(() => this.#stir());
    void run.ended.then(() => {
      this.#isRunOver = true;
      this.#stir();
    });
    return run;
  }

  /** Listens to the process that reads the run, where that is another one. */
  #listen({ owner, status, said }: RunRecord): void {
    if (this.#hasLeft || !said || (this.#run && !this.#isRunOver)) return;
    if (isOver(status) && !this.#hearing) return;
    if (!this.#hearing) {
      this.#hearing = this.#runs.hear(this.id);
      this.#hear(this.#hearing.said);
    }
    this.#hearing.from(owner.replica);
  }

  #hear(said: Said): void {
    this.#stopListening?.();
    this.#said = said;
    this.#stopListening = said.onChange(() => this.#stir());
  }

  #nextPiece(): ReturnType<Said['next']> {
    const said = this.#said;
    if (!said) return undefined;
    this.#at ??= { section: said.section, index: said.count };
    if (said.section > this.#at.section) this.readFrom(said.section);
    if (said.section < this.#at.section) return undefined;
    const next = said.next(this.#at.index);
    if (next) this.#at.index = next.index + 1;
    return next;
  }

  #hasPiece(): boolean {
    const said = this.#said;
    if (!said || !this.#at) return false;
    return said.section > this.#at.section || said.next(this.#at.index) !== undefined;
  }

  /** Waits for what was said before this, where it is still on its way from another process. */
  async #heardAll({ said }: RunRecord): Promise<void> {
    const { known, said: heard } = this.#hearing ?? {};
    if (!said || !heard || said.section < this.section) return;
    const isKnown = (): boolean => heard.section > said.section || heard.count >= said.count;
    const deadline = Date.now() + PATIENCE_MS;
    if (known) await within(known, PATIENCE_MS, () => undefined);
    while (!isKnown() && !this.#hasLeft && Date.now() < deadline) await this.#stirs(deadline - Date.now());
  }

  #questionIn(record: RunRecord): Question | undefined {
    for (const [key, ask] of Object.entries(this.#runs.asksOf(record) ?? {})) {
      if (!isObject(ask) || this.#answered.has(asked(record, key))) continue;
      return { key, params: isObject(ask.params) ? ask.params : {} };
    }
    return undefined;
  }

  #sectionOf({ said }: RunRecord): number {
    const own = this.#isRunOver ? undefined : this.#run?.said;
    return (own ?? said)?.section ?? 0;
  }

  #stir(): void {
    this.#stirred = true;
    this.#wake?.();
  }

  /** Resolves when there may be something new. */
  async #stirs(ms = LOOK_EVERY_MS): Promise<void> {
    const isHere = this.#run !== undefined && !this.#isRunOver;
    if (!this.#stirred) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      // A process that has the run tells at once; how one elsewhere stands is looked at now and then.
      const timer = isHere ? undefined : setTimeout(resolve, ms);
      await promise;
      clearTimeout(timer);
    }
    this.#stirred = false;
  }
}

/** A process that takes a run over asks anew, and may use the same key. */
const asked = ({ owner }: RunRecord, key: string): string => `${owner.replica} ${key}`;

const failed = (code: 'SWB_UNKNOWN_TASK' | 'SWB_SHUTTING_DOWN' | 'SWB_CANCELLED', message: string): TurnEvent => ({
  type: 'failed',
  error: new SwitchboardError(code, message),
});

/** How a run that is over has ended. `error`: where this process saw it fail. */
export function outcomeOf({ status, result = {}, message }: RunRecord, error?: unknown): TurnEvent {
  if (error instanceof Error) return { type: 'failed', error };
  if (status === 'completed' && result.isError !== true) return { type: 'ended', result: agentResultOf(result) };
  const meta = isObject(result._meta) ? result._meta : {};
  const [said] = Array.isArray(result.content) ? result.content : [];
  const why = message ?? (isObject(said) && typeof said.text === 'string' ? said.text : 'The agent failed.');
  if (status === 'cancelled') return { type: 'failed', error: new SwitchboardError('SWB_CANCELLED', why) };
  const code = DENIAL_META in meta ? 'SWB_DENIED' : 'SWB_AGENT_FAILED';
  return { type: 'failed', error: new SwitchboardError(code, why) };
}

/** The result of an agent's tool as the answer it was made of. Its first block is the text. */
function agentResultOf({ content, structuredContent }: JsonObject): AgentCallResult {
  const parts = Array.isArray(content) ? content.slice(1) : [];
  const made = isObject(structuredContent) ? structuredContent : { status: 'completed', text: '' };
  return { ...made, ...(parts.length > 0 ? { content: parts } : {}) } as unknown as AgentCallResult;
}

/** How long what is about a run is kept, in milliseconds: while the run may take, and after its end. */
export const keptFor = ({ limits }: AgentRuns): number => Math.max(limits.keepRunsMs, limits.maxRunMs);

const isStateError = (error: unknown): boolean => error instanceof SwitchboardError && error.code === 'SWB_STATE';

/** Several callers of one principal share its sessions with servers, as clients of the same key do. */
export function callerOf(identity: Identity, client: string): Caller {
  return {
    key: `${identity.principal}\n${client}`,
    principal: identity.principal,
    identity,
    era: 'legacy',
    protocolVersion: LATEST_LEGACY,
    capabilities: { elicitation: { form: {}, url: {} } },
    clientInfo: { name: client, version: '1' },
    logLevel: undefined,
    sessionId: undefined,
  };
}
