/**
 * The input requests inside a modern server's task, for a modern client: only those it declared that it can answer. Its
 * capabilities are those of the request that asks for the task.
 * @module
 */
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { undeclaredIn } from '../asks/rounds.ts';
import { missing } from '../asks/undeclared.ts';
import { at, replace, whole } from './ids.ts';

/**
 * The task without input requests that the client did not declare. Throws -32021 where none is left: the client learns what
 * to declare, and the server goes on waiting.
 */
export function declaredAsks(raw: Buffer, capabilities: JsonObject): Buffer {
  const span = at(raw, whole(raw), 'inputRequests');
  if (!span) return raw;
  const inputRequests: unknown = JSON.parse(raw.toString('utf8', span.start, span.end));
  if (!isObject(inputRequests)) return raw;
  const undeclared = undeclaredIn(capabilities, inputRequests);
  if (!undeclared) return raw;
  const kept = declaredOf(inputRequests, capabilities);
  if (Object.keys(kept).length === 0) throw missing(undeclared);
  return replace(raw, [{ ...span, json: JSON.stringify(kept) }]);
}

/** The same of a notification, or of a task that was just created: without any, it works on as far as the client can tell. */
export function withDeclaredAsks(task: JsonObject, capabilities: JsonObject): JsonObject {
  const { inputRequests, ...rest } = task;
  if (!isObject(inputRequests) || !undeclaredIn(capabilities, inputRequests)) return task;
  const kept = declaredOf(inputRequests, capabilities);
  return Object.keys(kept).length > 0 ? { ...rest, inputRequests: kept } : { ...rest, status: 'working' };
}

const declaredOf = (inputRequests: JsonObject, capabilities: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(inputRequests).filter(([key, request]) => !undeclaredIn(capabilities, { [key]: request })),
  );
