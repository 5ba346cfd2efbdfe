/**
 * `agents/call` and `agents/describe`: one turn with an agent, and the input requests in it.
 *
 * With `stream`, /stream is used and its text sent as progress; without, /generate. Closing the connection aborts the
 * model for both (measured), so cancelling is the same for either.
 * @module
 */

import type { AgentCallParams, AgentCallResult } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Reply } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
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

/** Members of an agent's default options that describe its behaviour and hold no instructions. */
const SHOWN_DEFAULTS = ['maxSteps', 'toolChoice', 'activeTools', 'requireToolApproval'];

export async function callAgent(
  api: MastraApi,
  waiting: WaitingRuns,
  params: AgentCallParams,
  call: Call,
): Promise<Reply> {
  const request = agentRequest(params, call.caller);
  const { agent, continuation } = request;
  const { principal } = call.caller;
  if (continuation && !waiting.take(agent, principal, continuation.runId, continuation.toolCallId)) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `Agent '${agent}' of server '${api.name}' has no such tool call waiting: it was decided already, it is not yours, or the ids are wrong.`,
    );
  }

  const run = new Run(api, request, call);
  let turn = continuation ? await run.continue(continuation) : await run.start();
  for (let round = 0; turn.pending.length > 0; round++) {
    const [first] = turn.pending;
    const decision =
      first && round < MAX_ROUNDS ? await decide(call, `Agent '${agent}' of server '${api.name}'`, first) : undefined;
    if (!decision) {
      waiting.add(agent, principal, turn.pending);
      break;
    }
    turn = await run.continue(decision);
  }
  return { value: result(turn, request.threadId) };
}

/** One run of an agent over all its turns. */
class Run {
  readonly #api: MastraApi;
  readonly #request: AgentRequest;
  readonly #call: Call;
  #progress = 0;
  /** Text of earlier turns: a stream holds only new text, a reply of /generate all text so far (measured). */
  #text = '';

  constructor(api: MastraApi, request: AgentRequest, call: Call) {
    this.#api = api;
    this.#request = request;
    this.#call = call;
  }

  start(): Promise<AgentTurn> {
    const { stream, body = {} } = this.#request;
    return stream ? this.#stream('stream', body) : this.#generate('generate', body);
  }

  continue({ action, ...rest }: Continuation): Promise<AgentTurn> {
    if ('data' in rest) {
      const { data, ...ids } = rest;
      return this.#stream('resume-stream', { ...ids, resumeData: data });
    }
    return this.#request.stream
      ? this.#stream(`${action}-tool-call`, rest)
      : this.#generate(`${action}-tool-call-generate`, rest);
  }

  async #generate(route: string, body: JsonObject): Promise<AgentTurn> {
    const { agent } = this.#request;
    const reply = await this.#api.post(this.#call, ['agents', agent, route], body).catch(explainSize);
    if (reply.status !== 200) throw agentRefused(this.#api.name, agent, reply);
    const parsed = parseBody(reply.body);
    if (!isObject(parsed)) throw this.#notMastra();
    const turn = readGenerate(parsed);
    if ('failed' in turn) throw agentFailed(this.#api.name, agent, turn.failed);
    return turn;
  }

  async #stream(route: string, body: JsonObject): Promise<AgentTurn> {
    const { agent, stream } = this.#request;
    const notify = (message?: string): void => {
      if (!stream) return;
      const params = { progress: ++this.#progress, ...(message === undefined ? {} : { message }) };
      this.#call.notify({ jsonrpc: '2.0', method: 'notifications/progress', params });
    };
    const reader = new TurnReader({ onText: notify, onActivity: () => notify() }, this.#api.maxReplyBytes);
    const refusal = await this.#api
      .stream(this.#call, ['agents', agent, route], body, (event) => reader.read(event))
      .catch(explainSize);
    if (refusal) throw refusal.status === 200 ? this.#notMastra() : agentRefused(this.#api.name, agent, refusal);
    const turn = reader.end();
    if ('failed' in turn) throw agentFailed(this.#api.name, agent, turn.failed);
    this.#text += turn.text;
    return { ...turn, text: this.#text };
  }

  #notMastra(): SwitchboardError {
    return new SwitchboardError(
      'SWB_UPSTREAM_PROTOCOL',
      `Server '${this.#api.name}' does not answer like a Mastra server.`,
    );
  }
}

/** 1 MB of prompt came back as 15 MB, or as one event of 9 MB (measured): the cause is not what the reader expects. */
function explainSize(error: unknown): never {
  if (!(error instanceof SwitchboardError) || error.code !== 'SWB_REPLY_TOO_LARGE') throw error;
  throw new SwitchboardError(
    'SWB_REPLY_TOO_LARGE',
    `${error.message} Mastra repeats the conversation many times in a reply: shorter messages make it smaller.`,
  );
}

function result(turn: AgentTurn, threadId: string | undefined): AgentCallResult {
  const { text, runId, finishReason, usage, output, pending } = turn;
  const value: AgentCallResult = { status: pending.length > 0 ? 'interrupted' : 'completed', text };
  if (threadId !== undefined) value.threadId = threadId;
  if (runId !== undefined) value.runId = runId;
  if (finishReason !== undefined) value.finishReason = finishReason;
  if (usage !== undefined) value.usage = usage;
  if (output !== undefined) value.output = output;
  if (pending.length > 0) value.interrupts = pending.map(interruptOf);
  return value;
}

/** An agent without its system prompt and instructions. */
export async function describeAgentOf(api: MastraApi, params: JsonObject, call: Call): Promise<Reply> {
  const { agent: id } = params;
  if (typeof id !== 'string') throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.agent must be a string.');
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
  const memory = await hasMemory(api, id, call);
  if (memory !== undefined) value.memory = memory;
  const defaults = shownDefaults(agent.defaultOptions);
  if (defaults) value.defaultOptions = defaults;
  return { value };
}

/** `supportsMemory` of the agent is true for all of them (measured); the memory route knows. Undefined: it did not say. */
async function hasMemory(api: MastraApi, agent: string, call: Call): Promise<boolean | undefined> {
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
