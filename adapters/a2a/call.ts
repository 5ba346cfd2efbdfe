/**
 * `agents/call`: one turn with an A2A agent: a message, and one more after each answer of the client.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { AgentAttachParams, AgentCallResult } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hash.ts';
import type { Log } from '../../src/core/log.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { handedOver, LENT_NAME } from '../shared/lent.ts';
import { publicMessage } from '../shared/sanitize.ts';
import type { A2aApi } from './api.ts';
import { answerOf, questionOf } from './asks.ts';
import type { AgentCard, AgentInterface } from './card.ts';
import type { TurnInput } from './input.ts';
import { type A2aEvent, isInterrupted, type Part } from './messages.ts';
import type { ContextOwners } from './owners.ts';
import { shown, textOf } from './parts.ts';
import { sendMessage } from './requests.ts';
import { type RunEnd, TaskRun } from './run.ts';

/** Rounds of questions in one call. A task that asks more often is continued with another call. */
const MAX_ROUNDS = 8;
const MAX_OUTPUT_BYTES = 65_536;
const AUTHORIZED: Part = { text: 'The authorization was given.' };

export interface CallContext {
  api: A2aApi;
  to: AgentInterface;
  card: AgentCard;
  log: Log;
  owners: ContextOwners;
  /** Tasks in flight, for the upstream to end when it is closed. */
  runs: Set<TaskRun>;
}

export async function callAgent(context: CallContext, turn: TurnInput, call: Call): Promise<AgentCallResult> {
  const { owners } = context;
  const { principal } = call.caller;
  if (turn.contextId !== undefined) await owners.require('context', turn.contextId, principal);
  if (turn.taskId !== undefined) await owners.require('task', turn.taskId, principal);
  if (call.aborted) throw call.signal.reason;
  return converse(context, turn, call);
}

/** A task that an earlier process of the gateway began: it has gone on at the agent. */
export function attachAgent(context: CallContext, params: Pick<AgentAttachParams, 'agent' | 'run'>, call: Call) {
  const { taskId, contextId } = params.run;
  if (typeof taskId !== 'string') {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'run must be what the call was told when it began.');
  }
  const turn: TurnInput = {
    agent: params.agent,
    parts: [],
    contextId: typeof contextId === 'string' ? contextId : undefined,
    taskId,
    metadata: undefined,
    idempotencyKey: undefined,
    stream: call.wantsProgress,
  };
  return converse(context, turn, call);
}

async function converse(context: CallContext, turn: TurnInput, call: Call): Promise<AgentCallResult> {
  const { owners } = context;
  const { principal } = call.caller;
  let end = await oneRun(context, turn, call, turn.parts);
  for (let round = 0; ; round++) {
    if ('message' in end) {
      await owners.note('context', end.message.contextId, principal);
      return answered(end.message.contextId ?? turn.contextId, shown([], end.message));
    }
    const { taskId, contextId, status } = end;
    await owners.note('context', contextId, principal);
    await owners.note('task', taskId, principal);
    if (!isInterrupted(status.state)) return finished(turn, end);
    const answer = round < MAX_ROUNDS ? await answerOf(call, status) : undefined;
    if (!answer) return interrupted(turn, end);
    const next: TurnInput = { ...turn, contextId, taskId, idempotencyKey: undefined };
    end = await oneRun(context, next, call, answer.length > 0 ? answer : [AUTHORIZED]);
  }
}

async function oneRun(context: CallContext, turn: TurnInput, call: Call, parts: Part[]): Promise<RunEnd> {
  const { api, to, card, log, runs } = context;
  const { streaming } = card;
  const run = new TaskRun({ api, to, streaming, log, call, onEvent: turn.stream ? progressOf(call) : ignore });
  runs.add(run);
  try {
    if (parts.length === 0 && turn.taskId !== undefined) return await run.follow(turn.taskId);
    const { contextId, taskId } = turn;
    const metadata = call.lent ? { ...turn.metadata, [LENT_NAME]: handedOver(call.lent) } : turn.metadata;
    const message = { messageId: messageId(turn, call), contextId, taskId, parts, metadata };
    return await run.send(sendMessage(to, message, streaming), taskId);
  } finally {
    // A task that is being cancelled still needs the connection.
    void run.over.finally(() => runs.delete(run));
  }
}

/** Agents may tell repeated messages by their id (A2A 1.0, 3.3.1): a key of the caller's gives the same id again. */
function messageId({ idempotencyKey }: TurnInput, { caller }: Call): string {
  if (idempotencyKey === undefined) return randomUUID();
  return sha256(JSON.stringify([caller.principal, idempotencyKey]));
}

const ignore = (): void => {};

/** Sends text of artifacts and of working states as it comes. */
function progressOf(call: Call): (event: A2aEvent) => void {
  let progress = 0;
  let artifact: string | undefined;
  return (event) => {
    let message = '';
    if (event.type === 'artifact') {
      message = textOf(event.artifact.parts);
      const another = artifact !== undefined && artifact !== event.artifact.id;
      if (message !== '') artifact = event.artifact.id;
      if (another && message !== '') message = `\n\n${message}`;
    } else if (event.type === 'status' && event.status.state === 'working' && event.status.message) {
      message = textOf(event.status.message.parts);
    }
    if (message === '') return;
    progress++;
    call.notify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress, message } });
  };
}

type TaskEnd = Exclude<RunEnd, { message: unknown }>;

function finished({ agent }: TurnInput, end: TaskEnd): AgentCallResult {
  const { taskId, contextId, status, artifacts } = end;
  if (status.state === 'completed') return { ...answered(contextId, shown(artifacts, status.message)), runId: taskId };
  const said = status.message ? textOf(status.message.parts) : '';
  const why = said === '' ? 'no reason given' : publicMessage(said);
  const words = {
    failed: `failed: ${why}`,
    rejected: `rejected the message: ${why}`,
    canceled: 'was cancelled by somebody else.',
  } as const;
  const what = words[status.state as keyof typeof words] ?? `ended in a state A2A does not have: ${why}`;
  throw new SwitchboardError('SWB_AGENT_FAILED', `Agent '${agent}' ${what}`, { data: { runId: taskId } });
}

function answered(contextId: string | undefined, { text, content, data }: ReturnType<typeof shown>): AgentCallResult {
  return {
    status: 'completed',
    text,
    ...(content.length > 0 ? { content } : {}),
    ...(contextId === undefined ? {} : { threadId: contextId }),
    ...outputOf(data),
  };
}

function interrupted({ agent }: TurnInput, { taskId, contextId, status, artifacts }: TaskEnd): AgentCallResult {
  const question = questionOf(status);
  const { text, content, data } = shown(artifacts, undefined);
  const asked = shown([], status.message);
  const again = `call '${agent}' again with options.taskId '${taskId}'`;
  const how =
    status.state === 'auth-required'
      ? `When the authorization is given, ${again}.`
      : `To go on, ${again} and the answer as the message.`;
  const interrupt: JsonObject = { id: taskId, reason: status.state, message: question, continueWith: [{ taskId }] };
  if (asked.data.length > 0) interrupt.data = asked.data;
  return {
    status: 'interrupted',
    text: [text, `The agent waits for an answer: ${question}\n${how}`].filter((each) => each !== '').join('\n\n'),
    ...(content.length + asked.content.length > 0 ? { content: [...content, ...asked.content] } : {}),
    ...(contextId === undefined ? {} : { threadId: contextId }),
    runId: taskId,
    finishReason: status.state,
    interrupts: [interrupt],
    ...outputOf(data),
  };
}

/** One data part is the output; several are a list of them. */
function outputOf(data: readonly unknown[]): { output?: unknown; omitted?: string[] } {
  if (data.length === 0) return {};
  const output = data.length === 1 ? data[0] : data;
  const bytes = Buffer.byteLength(JSON.stringify(output));
  if (bytes <= MAX_OUTPUT_BYTES) return { output };
  return { omitted: [`Data of ${bytes} bytes; at most ${MAX_OUTPUT_BYTES} are passed on.`] };
}
