/**
 * Tasks of 2025-11-25 that calls of this session have created: who created each, so that what a server sends about one
 * later, outside any request, reaches the client that created it.
 * Source: 2025-11-25 basic/utilities/tasks, "Associating Task-Related Messages" and "Task Progress Notifications".
 * @module
 */

import type { Caller } from '../../../src/core/caller.ts';
import { FairMap } from '../../../src/core/fair-map.ts';
import type { Reply } from '../../../src/core/upstream.ts';
import { JsonScanError, member, skipWhitespace } from '../../../src/wire/json/scan.ts';
import {
  isObject,
  isRequestId,
  type JsonObject,
  type Notification,
  type RequestId,
} from '../../../src/wire/jsonrpc.ts';

/**
 * More tasks than this per session are not remembered: of the oldest of the principal with most, only what needs no memory
 * works on.
 */
const MAX_TASKS = 2_000;

export interface TaskCall {
  /** Our id of the request, which is the progress token the server knows. */
  id: number;
  callerKey: string;
  principal: string;
  /** The client's own progress token. */
  token: RequestId | undefined;
}

/** What is kept of a request that creates a task; undefined for any other. Read before `_meta` is stamped. */
export function taskCallOf(id: number, { key, principal }: Caller, params: JsonObject): TaskCall | undefined {
  if (!isObject(params.task)) return undefined;
  return { id, callerKey: key, principal, token: progressTokenOf(params) };
}

/** The client's own progress token, as long as it has not been replaced by ours. */
export function progressTokenOf({ _meta }: JsonObject): RequestId | undefined {
  const token = isObject(_meta) ? _meta.progressToken : undefined;
  return isRequestId(token) ? token : undefined;
}

export class SessionTasks {
  readonly #owners = new FairMap<string, string>(MAX_TASKS);
  readonly #tokens = new FairMap<number, TaskCall & { taskId: string }>(MAX_TASKS);
  #isNew = false;

  /**
   * A task was created in this turn of the event loop. The relay, to which the reply is on its way, does not know the task yet,
   * and a server may send the reply and its first message about the task at once.
   */
  get isNew(): boolean {
    return this.#isNew;
  }

  /** Notes the task in the reply to a request for one. Servers may answer with another result instead. */
  replied(reply: Reply, call: TaskCall): void {
    const taskId = 'raw' in reply && reply.raw ? createdTask(reply.raw) : undefined;
    if (taskId === undefined) return;
    this.#owners.set(taskId, call.principal, call.callerKey);
    this.#isNew = true;
    setImmediate(() => {
      this.#isNew = false;
    });
    if (call.token !== undefined) this.#tokens.set(call.id, call.principal, { ...call, taskId });
  }

  /** The key of the caller who created it. */
  ownerOf(taskId: string | undefined): string | undefined {
    return taskId === undefined ? undefined : this.#owners.get(taskId);
  }

  /** Progress of a task whose call has been answered, under its client's token. */
  progress(sent: Notification): (TaskCall & { taskId: string; notification: Notification }) | undefined {
    const call = this.#tokens.get(sent.params?.progressToken as number);
    if (!call) return undefined;
    const notification = { ...sent, params: { ...sent.params, progressToken: call.token } };
    return { ...call, notification };
  }
}

function createdTask(result: Buffer): string | undefined {
  try {
    const task = member(result, skipWhitespace(result, 0), 'task');
    const id = task && member(result, task.start, 'taskId');
    const value: unknown = id && JSON.parse(result.toString('utf8', id.start, id.end));
    return typeof value === 'string' ? value : undefined;
  } catch (error) {
    // A `task` that is no object: not a task.
    if (error instanceof JsonScanError) return undefined;
    throw error;
  }
}
