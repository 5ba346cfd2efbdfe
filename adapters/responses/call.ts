/**
 * `agents/call`: one response, and one more for each round of approvals the client gives.
 * @module
 */
import type { AgentCallResult } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { ConfiguredAgent } from './agents.ts';
import type { ResponsesApi } from './api.ts';
import { agentFailure } from './failure.ts';
import type { TurnInput } from './input.ts';
import { type ApprovalRequest, approvalAnswer, readResponse } from './result.ts';
import type { Threads } from './threads.ts';

/** Rounds of approvals in one call. */
const MAX_ROUNDS = 8;

export interface CallContext {
  api: ResponsesApi;
  threads: Threads;
  agent: ConfiguredAgent;
}

export async function callAgent(context: CallContext, turn: TurnInput, call: Call): Promise<AgentCallResult> {
  const { threads, agent } = context;
  const { principal } = call.caller;
  const onEvent = turn.stream ? progressOf(call) : ignore;
  let previous = turn.threadId === undefined ? undefined : await threads.latest(turn.threadId, principal);
  let thread = turn.threadId;
  let input = turn.body.input;
  for (let round = 0; ; round++) {
    if (call.aborted) throw call.signal.reason;
    const body: JsonObject = {
      ...(agent.model === undefined ? {} : { model: agent.model }),
      ...turn.body,
      ...agent.request,
      input,
      stream: true,
      ...(previous === undefined ? {} : { previous_response_id: previous }),
    };
    const response = await respond(context, turn, call, body, onEvent);
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

async function respond(
  { api }: CallContext,
  { agent }: TurnInput,
  call: Call,
  body: JsonObject,
  onEvent: (event: JsonObject) => void,
): Promise<JsonObject> {
  const response = await api.respond(call, body, (event) => {
    if (event.type === 'error') throw agentFailure(agent, event.error ?? event);
    onEvent(event);
  });
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

const ignore = (): void => {};

function progressOf(call: Call): (event: JsonObject) => void {
  let progress = 0;
  let item: unknown;
  return ({ type, delta, item_id }) => {
    if (type !== 'response.output_text.delta' && type !== 'response.refusal.delta') return;
    if (typeof delta !== 'string' || delta === '') return;
    const another = item !== undefined && item !== item_id;
    item = item_id;
    progress++;
    const message = another ? `\n\n${delta}` : delta;
    call.notify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress, message } });
  };
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
