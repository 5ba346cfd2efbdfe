/**
 * What a turn with an agent comes to, as states, messages and artifacts of an A2A task.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type {
  Artifact,
  Message,
  Part,
  Task,
  TaskArtifactUpdateEvent,
  TaskState,
  TaskStatus,
  TaskStatusUpdateEvent,
} from '@a2a-js/sdk';
import type { AgentCallResult } from '../../../core/agent-call.ts';
import { AGENT_META } from '../../../core/agent-tool.ts';
import { SwitchboardError, toRpcError } from '../../../core/errors.ts';
import { isObject, type JsonObject } from '../../../wire/jsonrpc.ts';
import type { TurnEvent } from '../turn.ts';
import { answerParts, dataPart, textPart } from './content.ts';

/** `TaskState` of the SDK; its own enumeration is loaded with it. */
export const STATE = {
  SUBMITTED: 1,
  WORKING: 2,
  COMPLETED: 3,
  FAILED: 4,
  CANCELED: 5,
  INPUT_REQUIRED: 6,
  REJECTED: 7,
  AUTH_REQUIRED: 8,
} as const satisfies Record<string, TaskState>;

export const FINAL: ReadonlySet<TaskState> = new Set([STATE.COMPLETED, STATE.FAILED, STATE.CANCELED, STATE.REJECTED]);

export const ANSWER = 'answer';

/** Member of a task's metadata: the run it is, as `getRun` knows it. */
export const RUN_META = 'switchboard/run';

/** Whether a task is of this agent, as its metadata says. Those that name none are from before that was kept. */
export const isOf = (agent: string | undefined, { metadata }: Pick<Task, 'metadata'>): boolean =>
  agent === undefined || metadata?.[AGENT_META] === undefined || metadata[AGENT_META] === agent;

export function runOf({ metadata }: Pick<Task, 'metadata'>): string | undefined {
  const id = metadata?.[RUN_META];
  return typeof id === 'string' ? id : undefined;
}

export interface StateEvent {
  state: TaskState;
  parts?: Part[];
}

export type OutcomeEvent = { artifact: string; parts: Part[] } | StateEvent;

/** `sent`: what was streamed of the answer. It stands, unless the agent's answer is another text. */
export function outcomeEvents(outcome: Extract<TurnEvent, { type: 'ended' | 'failed' }>, sent: string): OutcomeEvent[] {
  return outcome.type === 'ended' ? endedEvents(outcome.result, sent) : [failedEvent(outcome.error)];
}

function endedEvents(result: AgentCallResult, sent: string): OutcomeEvent[] {
  const { status, text, interrupts } = result;
  if (status === 'interrupted') {
    const parts = [textPart(text), ...(interrupts ? [dataPart({ interrupts })] : [])];
    return [{ state: STATE.INPUT_REQUIRED, parts }];
  }
  const events: OutcomeEvent[] = [];
  const parts = answerParts(result);
  if (text !== '' && text !== sent) events.push({ artifact: ANSWER, parts: [textPart(text)] });
  if (parts.length > 0) events.push({ artifact: 'attachments', parts });
  return [...events, { state: STATE.COMPLETED }];
}

export function failedEvent(error: unknown): StateEvent {
  const { message } = toRpcError(error, 'legacy');
  const code = error instanceof SwitchboardError ? error.code : undefined;
  if (code === 'SWB_CANCELLED') return { state: STATE.CANCELED };
  return { state: code === 'SWB_DENIED' ? STATE.REJECTED : STATE.FAILED, parts: [textPart(message)] };
}

/** The question in words, and its form as data. */
export function questionEvent({ message, requestedSchema, mode, url }: JsonObject): Required<StateEvent> {
  const parts = [textPart(typeof message === 'string' ? message : 'The agent has a question.')];
  if (mode === 'url' && typeof url === 'string') parts.push(dataPart({ url }));
  else if (isObject(requestedSchema)) parts.push(dataPart({ requestedSchema }));
  return { state: mode === 'url' ? STATE.AUTH_REQUIRED : STATE.INPUT_REQUIRED, parts };
}

export function statusOf(task: Pick<Task, 'id' | 'contextId'>, state: TaskState, parts?: Part[]): TaskStatus {
  return { state, message: parts && agentMessage(task, parts), timestamp: new Date().toISOString() };
}

function agentMessage({ id, contextId }: Pick<Task, 'id' | 'contextId'>, parts: Part[]): Message {
  return {
    messageId: randomUUID(),
    contextId,
    taskId: id,
    role: 2,
    parts,
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  };
}

export const artifactOf = (artifactId: string, parts: Part[]): Artifact => ({
  ...{ artifactId, name: '', description: '', parts, metadata: undefined, extensions: [] },
});

/** `sent`: with pieces of the same artifact before this one. */
export const artifactEvent = (
  { id, contextId }: Pick<Task, 'id' | 'contextId'>,
  artifact: Artifact,
  sent: boolean,
): TaskArtifactUpdateEvent => ({
  ...{ taskId: id, contextId, artifact, append: sent, lastChunk: false, metadata: undefined },
});

export const statusEvent = (
  task: Pick<Task, 'id' | 'contextId'>,
  { state, parts }: StateEvent,
): TaskStatusUpdateEvent => ({
  ...{ taskId: task.id, contextId: task.contextId, status: statusOf(task, state, parts), metadata: undefined },
});

/** The task's artifacts with this one in place of the one of its id. */
export const withArtifact = ({ artifacts }: Pick<Task, 'artifacts'>, artifact: Artifact): Artifact[] => [
  ...artifacts.filter(({ artifactId }) => artifactId !== artifact.artifactId),
  artifact,
];

export function newTask(id: string, contextId: string, message: Message, agent?: string): Task {
  return {
    id,
    contextId,
    status: statusOf({ id, contextId }, STATE.SUBMITTED),
    artifacts: [],
    history: [message],
    metadata: agent === undefined ? undefined : { [AGENT_META]: agent },
  };
}
