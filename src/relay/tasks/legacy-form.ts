/**
 * Tasks of 2025-11-25 (`tasks` capability): the client asks for a task with the call, and waits for its result with
 * `tasks/result`.
 *
 * A tool that must be called as a task (`execution.taskSupport: "required"`) is called as one and waited for, when its
 * client knows no tasks.
 * @module
 */
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { untilEnded } from './follow.ts';
import { bytesOf, createdId, textOf } from './ids.ts';
import type { TaskForm } from './task-form.ts';
import { untied } from './to-modern.ts';

/** Beyond the time a call may take, how long a followed task is kept: a server counts the time a person thinks as well. */
const PERSON_MS = 60 * 60_000;

export const legacyTasks: TaskForm = {
  era: 'legacy',

  isOffered: ({ tasks }) => isObject(tasks),

  /** Legacy clients say so with each call. One that is too old, or has no session to come back for a task in, knows none. */
  isKnownTo: ({ protocolVersion, sessionId }) => sessionId !== undefined && protocolVersion >= '2025-11-25',

  follow: (requests, member) => async (call, params) => {
    const task = { ttl: member.config.maxTimeoutMs + PERSON_MS };
    const created = await requests.dispatcher.send(call, { member, method: 'tools/call', params: { ...params, task } });
    const raw = bytesOf(created);
    const taskId = raw && textOf(raw, createdId(raw, 'legacy'));
    if (taskId === undefined) return created;
    return untilEnded(requests, call, { member, taskId }, async () => {
      const reply = await requests.result(call, member, { ...metaOf(params), taskId });
      return 'raw' in reply && reply.raw ? { raw: untied(reply.raw) } : reply;
    });
  },
};

const metaOf = ({ _meta }: JsonObject): JsonObject => (isObject(_meta) ? { _meta: { ..._meta } } : {});
