/**
 * What A2A servers send, read into one shape: tasks, messages and events of 1.0 (members name what they hold), of 0.3
 * over JSON-RPC (`kind` does) and of 0.3 over HTTP+JSON (an earlier form of 1.0, with `content` in place of `parts`).
 * @module
 */
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';

export type TaskState =
  | 'submitted'
  | 'working'
  | 'completed'
  | 'failed'
  | 'canceled'
  | 'rejected'
  | 'input-required'
  | 'auth-required'
  | 'unknown';

const STATES: readonly string[] = [
  'submitted',
  'working',
  'completed',
  'failed',
  'canceled',
  'rejected',
  'input-required',
  'auth-required',
];

export type Part =
  | { text: string }
  | { bytes: string; mimeType: string; name: string | undefined }
  | { url: string; mimeType: string | undefined; name: string | undefined }
  | { data: unknown };

export interface Message {
  contextId: string | undefined;
  taskId: string | undefined;
  parts: Part[];
}

export interface Artifact {
  id: string;
  name: string | undefined;
  parts: Part[];
}

export interface Status {
  state: TaskState;
  message: Message | undefined;
}

export interface Task {
  id: string;
  contextId: string | undefined;
  status: Status;
  artifacts: Artifact[];
}

export type A2aEvent =
  | { type: 'task'; task: Task }
  | { type: 'message'; message: Message }
  | { type: 'status'; taskId: string; contextId: string | undefined; status: Status }
  | { type: 'artifact'; taskId: string; contextId: string | undefined; artifact: Artifact; append: boolean };

/** The task is over. */
export const isTerminal = (state: TaskState): boolean =>
  state === 'completed' || state === 'failed' || state === 'canceled' || state === 'rejected';

/** The task waits for its client. */
export const isInterrupted = (state: TaskState): boolean => state === 'input-required' || state === 'auth-required';

/** An event of a stream, or the result of sending a message. Undefined for what is neither. */
export function readEvent(value: unknown): A2aEvent | undefined {
  if (!isObject(value)) return undefined;
  const { kind } = value;
  if (isObject(value.task)) return taskEvent(value.task);
  if (isObject(value.message) && kind === undefined) return { type: 'message', message: readMessage(value.message) };
  if (isObject(value.msg)) return { type: 'message', message: readMessage(value.msg) };
  if (isObject(value.statusUpdate)) return statusEvent(value.statusUpdate);
  if (isObject(value.artifactUpdate)) return artifactEvent(value.artifactUpdate);
  if (kind === 'task') return taskEvent(value);
  if (kind === 'message') return { type: 'message', message: readMessage(value) };
  if (kind === 'status-update') return statusEvent(value);
  if (kind === 'artifact-update') return artifactEvent(value);
  return undefined;
}

/** The task of a reply to getting or cancelling one. */
export function readTask(value: unknown): Task | undefined {
  if (!isObject(value) || typeof value.id !== 'string') return undefined;
  return {
    id: value.id,
    contextId: idOf(value.contextId),
    status: readStatus(value.status),
    artifacts: Array.isArray(value.artifacts) ? value.artifacts.filter(isObject).map(readArtifact) : [],
  };
}

function taskEvent(value: JsonObject): A2aEvent | undefined {
  const task = readTask(value);
  return task && { type: 'task', task };
}

function statusEvent(value: JsonObject): A2aEvent | undefined {
  const taskId = idOf(value.taskId);
  if (taskId === undefined) return undefined;
  return { type: 'status', taskId, contextId: idOf(value.contextId), status: readStatus(value.status) };
}

function artifactEvent(value: JsonObject): A2aEvent | undefined {
  const taskId = idOf(value.taskId);
  if (taskId === undefined || !isObject(value.artifact)) return undefined;
  return {
    type: 'artifact',
    taskId,
    contextId: idOf(value.contextId),
    artifact: readArtifact(value.artifact),
    append: value.append === true,
  };
}

function readStatus(value: unknown): Status {
  if (!isObject(value)) return { state: 'unknown', message: undefined };
  const said = value.message ?? value.update;
  return { state: readState(value.state), message: isObject(said) ? readMessage(said) : undefined };
}

/** `TASK_STATE_INPUT_REQUIRED`, `input-required`; 0.3 over HTTP+JSON writes `CANCELLED`. */
function readState(value: unknown): TaskState {
  if (typeof value !== 'string') return 'unknown';
  const state = value
    .replace(/^TASK_STATE_/, '')
    .toLowerCase()
    .replaceAll('_', '-')
    .replace('cancelled', 'canceled');
  return STATES.includes(state) ? (state as TaskState) : 'unknown';
}

function readMessage(value: JsonObject): Message {
  return {
    contextId: idOf(value.contextId),
    taskId: idOf(value.taskId),
    parts: readParts(value.parts ?? value.content),
  };
}

function readArtifact(value: JsonObject): Artifact {
  return {
    id: idOf(value.artifactId) ?? '',
    name: typeof value.name === 'string' && value.name !== '' ? value.name : undefined,
    parts: readParts(value.parts),
  };
}

const readParts = (value: unknown): Part[] =>
  Array.isArray(value) ? value.map(readPart).filter((part) => part !== undefined) : [];

function readPart(value: unknown): Part | undefined {
  if (!isObject(value)) return undefined;
  if (typeof value.text === 'string') return { text: value.text };
  const file = isObject(value.file) ? value.file : value;
  const mimeType = stringOf(file.mediaType ?? file.mimeType);
  const name = stringOf(file.filename ?? file.name);
  const bytes = file.raw ?? file.bytes ?? file.fileWithBytes;
  if (typeof bytes === 'string') return { bytes, mimeType: mimeType ?? 'application/octet-stream', name };
  const url = file.url ?? file.uri ?? file.fileWithUri;
  if (typeof url === 'string') return { url, mimeType, name };
  if (!('data' in value)) return undefined;
  // 0.3 over HTTP+JSON wraps data once more.
  const wrapped = value.kind === undefined && isObject(value.data) && Object.keys(value.data).join() === 'data';
  return { data: wrapped ? (value.data as JsonObject).data : value.data };
}

const stringOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

const idOf = stringOf;
