/**
 * `agents/call` and `agents/describe`: one turn with an agent, and the input requests in it.
 *
 * Every call uses `/stream`, whose events show that the run goes on; with `stream: true` the client receives them as progress.
 * Closing the connection aborts the model (measured).
 * @module
 */

import type { AgentAttachParams, AgentCallParams, AgentCallResult } from '../../src/core/agent-call.ts';
import type { Call, LentAccess } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { handedOver, LENT_NAME } from '../shared/lent.ts';
import { Answer } from './answer.ts';
import type { MastraApi } from './api.ts';
import { requiresApproval } from './approval.ts';
import { definitions, describeAgent } from './catalog.ts';
import { agentFailed, agentRefused, expectObject, parseBody } from './errors.ts';
import { decide, interruptOf } from './interrupts.ts';
import { type AgentRequest, agentRequest, type Continuation } from './options.ts';
import { type AgentTurn, readGenerate, TurnReader } from './turn.ts';
import type { WaitingRuns } from './waiting.ts';

/** Most input requests of one call; the next one is returned as an interrupt. */
const MAX_ROUNDS = 32;
/** Waiting tool calls that a description shows. */
const MAX_WAITING = 10;

/** Members of an agent's default options that describe its behaviour and hold no instructions. */
const SHOWN_DEFAULTS = ['maxSteps', 'toolChoice', 'activeTools', 'requireToolApproval'];

export async function callAgent(of: AgentsOf, params: AgentCallParams, call: Call): Promise<AgentCallResult> {
  const request = agentRequest(params, call.caller);
  const { agent } = request;
  // An agent without memory would drop the thread without a word: no id is promised to its client.
  const remembers = request.threadId === undefined || (await of.hasMemory(agent, call)) !== false;
  if (!remembers) {
    request.threadId = undefined;
    if (request.body) delete request.body.memory;
  }
  return converse(of, request, call);
}

/**
 * A run that an earlier process of the gateway asked about: what it waits for is asked again. One that did not wait has ended with
 * its reader.
 */
export async function attachAgent(
  of: AgentsOf,
  { agent, run }: Pick<AgentAttachParams, 'agent' | 'run'>,
  call: Call,
): Promise<AgentCallResult> {
  const { runId, threadId } = isObject(run) ? run : {};
  if (typeof runId !== 'string') {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'run must be what the call was told when it began.');
  }
  const pending = await of.waiting.ofRun(agent, runId, call);
  if (pending.length === 0) {
    throw new SwitchboardError(
      'SWB_AGENT_FAILED',
      'The gateway was restarted while this run went on, and its server cannot be asked for it again.',
    );
  }
  const request: AgentRequest = { agent, stream: true, threadId, body: undefined, continuation: undefined };
  const turn = { runId, finishReason: undefined, usage: undefined, output: undefined, pending };
  return converse(of, request, call, turn);
}

/** `found`: the turn that an earlier process had read. */
async function converse(
  { api, waiting }: AgentsOf,
  request: AgentRequest,
  call: Call,
  found?: AgentTurn,
): Promise<AgentCallResult> {
  const { agent, continuation, threadId } = request;
  const { principal } = call.caller;
  const run = new Run(api, request, call);
  /** Passes a decision on, once; undefined when it was taken already. */
  const goOn = async (decision: Continuation): Promise<AgentTurn | undefined> => {
    const { runId, toolCallId } = decision;
    if (!(await waiting.take(agent, runId, toolCallId, call))) return undefined;
    try {
      return await run.continue(decision);
    } catch (error) {
      if (!run.hasLeft) await waiting.giveBack(agent, runId, toolCallId, principal);
      throw error;
    }
  };
  let turn = found ?? (continuation ? await goOn(continuation) : await run.start());
  if (!turn) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `Agent '${agent}' of server '${api.name}' has no such tool call waiting: it was decided already, it is not yours, or the ids are wrong.`,
    );
  }
  for (let round = 0; turn.pending.length > 0; round++) {
    const [first] = turn.pending;
    // Before the client is asked: it may leave, and another one of its principal can decide.
    await waiting.add(agent, principal, turn.pending);
    if (first && call.lasting) call.began?.({ runId: first.runId, ...(threadId === undefined ? {} : { threadId }) });
    const decision =
      first && round < MAX_ROUNDS ? await decide(call, `Agent '${agent}' of server '${api.name}'`, first) : undefined;
    if (!decision) break;
    const next = await goOn(decision);
    if (!next) {
      throw new SwitchboardError('SWB_INVALID_PARAMS', `Another client has decided what agent '${agent}' waited for.`);
    }
    turn = next;
  }
  return result(turn, run.answer, threadId);
}

export interface AgentsOf {
  api: MastraApi;
  waiting: WaitingRuns;
  /** Undefined: the server does not say. */
  hasMemory(agent: string, call: Call): Promise<boolean | undefined>;
}

/** Routes that answer as a whole, by the routes that stream. */
const WITHOUT_STREAM: Readonly<Record<string, string>> = {
  stream: 'generate',
  'approve-tool-call': 'approve-tool-call-generate',
  'decline-tool-call': 'decline-tool-call-generate',
};

/** One run of an agent over all its turns. */
class Run {
  readonly answer: Answer;
  readonly #api: MastraApi;
  readonly #request: AgentRequest;
  readonly #call: Call;
  #progress = 0;
  #hasLeft = false;

  constructor(api: MastraApi, request: AgentRequest, call: Call) {
    this.#api = api;
    this.#request = request;
    this.#call = call;
    const tell = (message?: string): void => {
      if (request.stream) this.#tell(message);
    };
    this.answer = new Answer({ onText: tell, onActivity: tell }, api.maxReplyBytes);
  }

  /** Whether the last request has left. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  start(): Promise<AgentTurn> {
    return this.#stream('stream', this.#request.body ?? {});
  }

  continue({ action, ...rest }: Continuation): Promise<AgentTurn> {
    if (!('data' in rest)) return this.#stream(`${action}-tool-call`, rest);
    const { data, ...ids } = rest;
    return this.#stream('resume-stream', { ...ids, resumeData: data });
  }

  async #stream(route: string, body: JsonObject): Promise<AgentTurn> {
    const { agent } = this.#request;
    const reader = new TurnReader(this.answer);
    this.#hasLeft = false;
    const onEvent = (event: unknown): void => reader.read(event);
    const started = (): void => {
      this.#hasLeft = true;
    };
    const path = ['agents', agent, route];
    const sent = withKey(body, this.#call.lent);
    const refusal = await this.#api.stream(this.#call, path, sent, onEvent, started).catch(explainSize);
    const whole = this.#request.stream ? undefined : WITHOUT_STREAM[route];
    // Nothing has run: the server, or a proxy before it, has no such route.
    if (refusal?.status === 404 && whole !== undefined) return this.#generate(whole, sent);
    if (refusal) throw refusal.status === 200 ? this.#notMastra() : agentRefused(this.#api.name, agent, refusal);
    const turn = reader.end();
    if ('failed' in turn) throw agentFailed(this.#api.name, agent, turn.failed);
    return turn;
  }

  /** For servers whose streams cannot be reached: the whole answer at once. */
  async #generate(route: string, body: JsonObject): Promise<AgentTurn> {
    const { agent } = this.#request;
    const reply = await this.#api.post(this.#call, ['agents', agent, route], body).catch(explainSize);
    if (reply.status !== 200) throw agentRefused(this.#api.name, agent, reply);
    const parsed = parseBody(reply.body);
    if (!isObject(parsed)) throw this.#notMastra();
    const turn = readGenerate(parsed, this.answer);
    if ('failed' in turn) throw agentFailed(this.#api.name, agent, turn.failed);
    return turn;
  }

  #tell(message: string | undefined): void {
    const params = { progress: ++this.#progress, ...(message === undefined ? {} : { message }) };
    this.#call.notify({ jsonrpc: '2.0', method: 'notifications/progress', params });
  }

  #notMastra(): SwitchboardError {
    return new SwitchboardError(
      'SWB_UPSTREAM_PROTOCOL',
      `Server '${this.#api.name}' does not answer like a Mastra server.`,
    );
  }
}

/** Agents read a lent key as `requestContext.get('switchboard')`. */
const withKey = (body: JsonObject, lent: LentAccess | undefined): JsonObject =>
  lent ? { ...body, requestContext: { [LENT_NAME]: handedOver(lent) } } : body;

/** 1 MB of prompt came back as 15 MB, or as one event of 9 MB (measured): the cause is not what the reader expects. */
function explainSize(error: unknown): never {
  if (!(error instanceof SwitchboardError) || error.code !== 'SWB_REPLY_TOO_LARGE') throw error;
  throw new SwitchboardError(
    'SWB_REPLY_TOO_LARGE',
    `${error.message} Mastra repeats the conversation many times in a reply: shorter messages make it smaller.`,
  );
}

function result(turn: AgentTurn, answer: Answer, threadId: string | undefined): AgentCallResult {
  const { runId, finishReason, usage, output, pending } = turn;
  const value: AgentCallResult = { status: pending.length > 0 ? 'interrupted' : 'completed', ...answer.members() };
  if (threadId !== undefined) value.threadId = threadId;
  if (runId !== undefined) value.runId = runId;
  if (finishReason !== undefined) value.finishReason = finishReason;
  if (usage !== undefined) value.usage = usage;
  if (output !== undefined) value.output = output;
  if (pending.length > 0) value.interrupts = pending.map(interruptOf);
  return value;
}

/** An agent without its system prompt and instructions. */
export async function describeAgentOf(
  { api, waiting, hasMemory }: AgentsOf,
  id: string,
  call: Call,
): Promise<JsonObject> {
  const reply = await api.getFor(call, ['agents', id]);
  if (reply.status !== 200) throw agentRefused(api.name, id, reply);
  const agent = expectObject(api.name, reply);
  const members = (value: unknown): [string, JsonObject][] => (isObject(value) ? definitions(value) : []);

  const value = describeAgent(id, agent);
  value.tools = members(agent.tools).map(([name, tool]) => {
    const described: JsonObject = { name, requiresApproval: requiresApproval(tool) };
    if (typeof tool.description === 'string') described.description = tool.description;
    return described;
  });
  const agents = members(agent.agents).map(([name]) => name);
  if (agents.length > 0) value.agents = agents;
  const workflows = members(agent.workflows).map(([name]) => name);
  if (workflows.length > 0) value.workflows = workflows;
  const memory = await hasMemory(id, call);
  if (memory !== undefined) value.memory = memory;
  const defaults = shownDefaults(agent.defaultOptions);
  if (defaults) value.defaultOptions = defaults;
  const pending = await waiting.of(id, call);
  if (pending.length > 0) value.waiting = pending.slice(0, MAX_WAITING).map(interruptOf);
  return value;
}

/** `supportsMemory` of the agent is true for all of them (measured); the memory route knows. Undefined: it did not say. */
export async function askMemory(api: MastraApi, agent: string, call: Call): Promise<boolean | undefined> {
  const reply = await api.getFor(call, ['memory', 'status'], `agentId=${encodeURIComponent(agent)}`);
  const body = reply.status === 200 ? parseBody(reply.body) : undefined;
  return isObject(body) && typeof body.result === 'boolean' ? body.result : undefined;
}

function shownDefaults(defaults: unknown): JsonObject | undefined {
  if (!isObject(defaults)) return undefined;
  const shown: JsonObject = {};
  for (const name of SHOWN_DEFAULTS) if (defaults[name] !== undefined) shown[name] = defaults[name];
  if (isObject(defaults.modelSettings)) {
    // Numbers only: the settings can also hold headers.
    const numbers = Object.entries(defaults.modelSettings).filter(([, setting]) => typeof setting === 'number');
    if (numbers.length > 0) shown.modelSettings = Object.fromEntries(numbers);
  }
  return Object.keys(shown).length > 0 ? shown : undefined;
}
