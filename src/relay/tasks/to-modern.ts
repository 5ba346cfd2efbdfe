/**
 * Puts a legacy server's task into the form of the extension (ext-tasks): flat, with `ttlMs` and `pollIntervalMs`, and
 * with its outcome inside. The outcome's bytes stay as the server sent them.
 * @module
 */

import { toRpcError, UpstreamError } from '../../core/errors.ts';
import { editMembers } from '../../wire/json/splice.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { RELATED_TASK } from '../../wire/tasks.ts';
import { at, whole } from './ids.ts';

/** A legacy `Task` under the extension's names. Unknown members are kept. */
export function flatTask({ ttl, pollInterval, ...task }: JsonObject): JsonObject {
  const flat: JsonObject = { ...task, ttlMs: typeof ttl === 'number' ? ttl : null };
  if (typeof pollInterval === 'number') flat.pollIntervalMs = pollInterval;
  return flat;
}

/** The `CreateTaskResult` of a modern server, made of a legacy one's; undefined when it created no task. */
export function createdTask(raw: Buffer): Buffer | undefined {
  const { task, ...rest } = JSON.parse(raw.toString('utf8')) as JsonObject;
  if (!isObject(task)) return undefined;
  return Buffer.from(JSON.stringify({ resultType: 'task', ...rest, ...flatTask(task) }));
}

/** The outcome of a legacy task: what `tasks/result` gave. */
export type TaskOutcome = { result: Buffer } | { error: unknown };

/** The result of the extension's `tasks/get` for a task that has ended. */
export function endedTask(task: JsonObject, outcome: TaskOutcome): Buffer {
  const { _meta: _, ...flat } = flatTask(task);
  if ('error' in outcome) {
    const { error } = outcome;
    // Only an error of the server's own is the outcome of its task, not that the server could not be reached.
    if (!(error instanceof UpstreamError)) throw error;
    return Buffer.from(JSON.stringify({ ...flat, status: 'failed', error: toRpcError(error, 'modern') }));
  }
  // A tool's own error is `failed` to a legacy server and a completed call to the extension.
  const head = JSON.stringify({ ...flat, status: 'completed' });
  return Buffer.concat([Buffer.from(`${head.slice(0, -1)},"result":`), untied(outcome.result), Buffer.from('}')]);
}

/** A result without the `_meta` that ties it to its task, which stands around it. */
export function untied(raw: Buffer): Buffer {
  const meta = at(raw, whole(raw), '_meta');
  if (!meta || !at(raw, meta, RELATED_TASK)) return raw;
  const rest = editMembers(raw.subarray(meta.start, meta.end), { [RELATED_TASK]: undefined }).toString('utf8');
  return editMembers(raw.subarray(whole(raw).start), { _meta: rest === '{}' ? undefined : rest });
}
