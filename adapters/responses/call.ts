/**
 * `agents/call`: one response, and one more for each round of approvals the client gives.
 * @module
 */
import type { AgentAttachParams, AgentCallResult } from '../../src/core/agent-call.ts';
import type { Call, LentAccess } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { isGlob } from '../../src/core/globs.ts';
import type { Log } from '../../src/core/log.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { LENT_NAME } from '../shared/lent.ts';
import type { ConfiguredAgent } from './agents.ts';
import type { Reader, ResponsesApi } from './api.ts';
import { BackgroundResponse, type KnownResponse } from './background.ts';
import { agentFailure } from './failure.ts';
import type { TurnInput } from './input.ts';
import { type ApprovalRequest, approvalAnswer, readResponse } from './result.ts';
import type { Threads } from './threads.ts';

/** Rounds of approvals in one call. */
const MAX_ROUNDS = 8;
/** A longer id of an item is not noted. */
const MAX_ITEM_ID = 200;

export interface CallContext {
  api: ResponsesApi;
  log: Log;
  threads: Threads;
  agent: ConfiguredAgent;
  /** Responses in the background, for the upstream to end when it is closed. */
  running: Set<BackgroundResponse>;
}

export function callAgent(context: CallContext, turn: TurnInput, call: Call): Promise<AgentCallResult> {
  return converse(context, turn, call, undefined);
}

/** A response in the background that an earlier process of the gateway began. */
export function attachAgent(
  context: CallContext,
  { agent, run, stream }: Pick<AgentAttachParams, 'agent' | 'run' | 'stream'>,
  call: Call,
): Promise<AgentCallResult> {
  const { responseId, threadId, after, ...said } = run;
  if (typeof responseId !== 'string') {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'run must be what the call was told when it began.');
  }
  const thread = typeof threadId === 'string' ? threadId : undefined;
  const known = { id: responseId, after: typeof after === 'number' ? after : undefined };
  const turn = { agent, body: {}, threadId: thread, stream: stream !== false && call.wantsProgress };
  return converse(context, turn, call, known, said);
}

/** `began`: the response that there is already; `said`: where an earlier process was in what it says. */
async function converse(
  context: CallContext,
  turn: TurnInput,
  call: Call,
  began: KnownResponse | undefined,
  said: JsonObject = {},
): Promise<AgentCallResult> {
  const { threads, agent } = context;
  const { principal } = call.caller;
  const progress = progressOf(turn.stream ? call : undefined, said);
  const isNew = turn.threadId === undefined || began !== undefined;
  let previous = isNew ? undefined : await threads.latest(String(turn.threadId), principal);
  let thread = turn.threadId;
  let input = turn.body.input;
  const { lent } = call;
  const own = lent ? withKey(agent, lent) : agent.request;
  for (let round = 0; ; round++) {
    if (call.aborted) throw call.signal.reason;
    const body: JsonObject = {
      ...(agent.model === undefined ? {} : { model: agent.model }),
      ...turn.body,
      ...own,
      input,
      stream: true,
      ...(previous === undefined ? {} : { previous_response_id: previous }),
    };
    const response = await respond(
      context,
      turn,
      call,
      { body, thread, began: round === 0 ? began : undefined },
      progress,
    );
    const { result, approvals } = readResponse(response);
    if (response.store !== false && typeof response.id === 'string') {
      thread ??= response.id;
      await threads.advance(thread, response.id, principal);
      result.threadId = thread;
      previous = response.id;
    }
    const answers = approvals.length > 0 && round < MAX_ROUNDS ? await ask(call, approvals) : undefined;
    if (!answers || result.threadId === undefined)
      return result.status === 'interrupted' ? waiting(result, turn) : result;
    input = answers;
  }
}

/** A lent key is that of a remote MCP server among the tools. Mastra drops the tools of a request without a word, as its source shows. */
function withKey({ name, request }: ConfiguredAgent, { url, key, tools }: LentAccess): JsonObject {
  if (request?.agent_id !== undefined) {
    throw new SwitchboardError(
      'SWB_NOT_SUPPORTED',
      `Agent '${name}' has its own tools alone: its server has no place for a key here. Nothing was called.`,
    );
  }
  const before = Array.isArray(request?.tools) ? request.tools : [];
  const allowed = tools.some(isGlob) ? {} : { allowed_tools: tools };
  const lent = { type: 'mcp', server_label: LENT_NAME, server_url: url, authorization: key, require_approval: 'never' };
  return { ...request, tools: [...before, { ...lent, ...allowed }] };
}

async function respond(
  { api, log, running }: CallContext,
  { agent }: TurnInput,
  call: Call,
  { body, thread, began }: { body: JsonObject; thread: string | undefined; began: KnownResponse | undefined },
  progress: Progress,
): Promise<JsonObject> {
  const heard = (event: JsonObject): void => {
    if (event.type === 'error') throw agentFailure(agent, event.error ?? event);
    progress.event(event);
  };
  const { place } = progress;
  const goesOn = body.background === true || began !== undefined;
  const begin = (reader: Reader, hear: typeof heard) => api.respond(reader, body, hear);
  const response = goesOn
    ? await new BackgroundResponse({ api, log, call, thread, running, onEvent: heard, place }, began).read(
        began === undefined ? begin : undefined,
      )
    : await api.respond(call, body, heard);
  if (response.status === 'failed') throw agentFailure(agent, response.error);
  if (response.status === 'cancelled') {
    throw new SwitchboardError('SWB_AGENT_FAILED', `The response of agent '${agent}' was cancelled at its server.`);
  }
  // Mastra's form of a model that failed: nothing came, and nothing says why.
  const empty = Array.isArray(response.output) && response.output.length === 0;
  if (response.status === 'incomplete' && empty && !isObject(response.incomplete_details)) {
    throw new SwitchboardError('SWB_AGENT_FAILED', `Agent '${agent}' ended without an answer, and without saying why.`);
  }
  return response;
}

/** What is said, as progress of the call. */
interface Progress {
  event(event: JsonObject): void;
  place(): JsonObject;
}

/** Without a call nothing is sent. `from`: a place of an earlier process. */
function progressOf(call: Call | undefined, from: JsonObject): Progress {
  let progress = Number(from.sent) || 0;
  let item: unknown = from.item;
  const event = ({ type, delta, item_id }: JsonObject): void => {
    if (!call) return;
    if (type !== 'response.output_text.delta' && type !== 'response.refusal.delta') return;
    if (typeof delta !== 'string' || delta === '') return;
    const another = item !== undefined && item !== item_id;
    item = item_id;
    progress++;
    const message = another ? `\n\n${delta}` : delta;
    call.notify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress, message } });
  };
  const place = () => ({
    sent: progress,
    ...(typeof item === 'string' && item.length <= MAX_ITEM_ID ? { item } : {}),
  });
  return { event, place };
}

/** One form with a decision for each tool call. Undefined when the client cannot be asked or does not accept. */
async function ask(call: Call, approvals: readonly ApprovalRequest[]): Promise<JsonObject[] | undefined> {
  if (!call.canAsk('elicitation/create')) return undefined;
  const field = (i: number): string => (approvals.length === 1 ? 'approve' : `approve_${i + 1}`);
  const properties = Object.fromEntries(
    approvals.map(({ name }, i) => [field(i), { type: 'boolean', title: `Approve ${name}`, default: false }]),
  );
  const message = approvals
    .map(({ name, server, arguments: args }) => `The agent wants to call ${name} of ${server} with ${args}.`)
    .join('\n');
  const requestedSchema = { type: 'object', properties, required: Object.keys(properties) };
  try {
    const answer = await call.ask({ method: 'elicitation/create', params: { message, requestedSchema } });
    const { content } = answer;
    if (answer.action !== 'accept' || !isObject(content)) return undefined;
    return approvals.map(({ id }, i) => approvalAnswer(id, content[field(i)] === true));
  } catch (error) {
    if (error instanceof SwitchboardError && error.code === 'SWB_ASK_REFUSED') return undefined;
    throw error;
  }
}

function waiting(result: AgentCallResult, { agent }: TurnInput): AgentCallResult {
  const where = result.threadId === undefined ? 'the same conversation' : `threadId '${result.threadId}'`;
  const how = `The agent waits for the results or approvals in interrupts. To go on, call '${agent}' again with ${where} and options.input.`;
  return { ...result, text: result.text === '' ? how : `${result.text}\n\n${how}` };
}
