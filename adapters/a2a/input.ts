/**
 * Reads `agents/call` for an A2A agent, by allow-list.
 * @module
 */
import type { AgentCallParams } from '../../src/core/agent-call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { Part } from './messages.ts';
import { partsToSend } from './parts.ts';

const OPTIONS: readonly string[] = ['taskId', 'metadata'];

export interface TurnInput {
  agent: string;
  parts: Part[];
  /** The conversation, as the agent names it. */
  contextId: string | undefined;
  /** The task that waits for this message, or that is only followed where there are no parts. */
  taskId: string | undefined;
  /** Of the message. */
  metadata: JsonObject | undefined;
  idempotencyKey: string | undefined;
  stream: boolean;
}

/** Rejects with `SWB_INVALID_PARAMS` and what is allowed. */
export function readTurn(params: JsonObject): TurnInput {
  const {
    agent,
    messages = [],
    threadId,
    stream,
    options = {},
    input,
    idempotencyKey,
  } = params as Partial<AgentCallParams>;
  if (typeof agent !== 'string' || agent === '') throw invalid('agent must name an agent.');
  if (!Array.isArray(messages)) throw invalid('messages must be an array.');
  if (!isObject(options)) throw invalid('options must be an object.');
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue;
    throw invalid(`options.${name.slice(0, 60)} is not accepted by an A2A agent. Known: ${OPTIONS.join(', ')}.`);
  }
  const { taskId, metadata } = options;
  if (taskId !== undefined && !isId(taskId)) throw invalid('options.taskId must be the runId of a task.');
  if (metadata !== undefined && !isObject(metadata)) throw invalid('options.metadata must be an object.');
  if (threadId !== undefined && !isId(threadId)) throw invalid('threadId must be a text of at most 512 characters.');
  const parts = partsToSend(messages, input);
  if (parts.length === 0 && taskId === undefined) {
    throw invalid('Say something: there is neither a message, nor input, nor options.taskId of a task to follow.');
  }
  return { agent, parts, contextId: threadId, taskId, metadata, idempotencyKey, stream: stream === true };
}

const isId = (value: unknown): value is string => typeof value === 'string' && value !== '' && value.length <= 512;

const invalid = (message: string): SwitchboardError => new SwitchboardError('SWB_INVALID_PARAMS', message);
