/**
 * Tasks of clients (2025-11-25): a legacy client may turn a server's request into a task, and the server then polls the
 * client. In the merged view several servers reach one client session, and each may poll only tasks that its own requests
 * became.
 * @module
 */
import type { Ask } from '../../core/call.ts';
import { RPC, UpstreamError } from '../../core/errors.ts';
import type { Member } from '../../federation/types.ts';
import { isObject, type JsonObject, type Notification } from '../../wire/jsonrpc.ts';
import { TASK_STATUS } from '../../wire/tasks.ts';

/** Tasks of one client session that one server may poll. The oldest make room. */
const MAX_TASKS = 500;

export class ClientTasks {
  /** Ids by session (caller key). */
  readonly #made = new WeakMap<Member, Map<string, Set<string>>>();

  /** Passes a server's request on to the client by `put`; throws for a task that is not that server's. */
  async put(ask: Ask, member: Member, callerKey: string, put: (ask: Ask) => Promise<JsonObject>): Promise<JsonObject> {
    const own = this.#of(member, callerKey);
    if (!ask.method.startsWith('tasks/')) {
      const result = await put(ask);
      const task = ask.params?.task === undefined ? undefined : result.task;
      if (isObject(task) && typeof task.taskId === 'string') this.#note(member, callerKey, task.taskId);
      return result;
    }
    if (ask.method === 'tasks/list') {
      const { tasks, ...result } = await put(ask);
      const list = Array.isArray(tasks) ? tasks : [];
      return { ...result, tasks: list.filter((task) => isObject(task) && own?.has(String(task.taskId))) };
    }
    if (!own?.has(String(ask.params?.taskId))) {
      throw new UpstreamError({ code: RPC.invalidParams, message: 'Failed to retrieve task: Task not found' });
    }
    return put(ask);
  }

  /** Whether a notification of the client may go to this server: not the status of another server's task. */
  concerns(member: Member, callerKey: string, { method, params }: Notification): boolean {
    return method !== TASK_STATUS.legacy || this.#of(member, callerKey)?.has(String(params?.taskId)) === true;
  }

  /** The session has ended. */
  forget(members: readonly Member[], callerKey: string): void {
    for (const member of members) this.#made.get(member)?.delete(callerKey);
  }

  #of(member: Member, callerKey: string): Set<string> | undefined {
    return this.#made.get(member)?.get(callerKey);
  }

  #note(member: Member, callerKey: string, taskId: string): void {
    const sessions = this.#made.get(member) ?? new Map<string, Set<string>>();
    this.#made.set(member, sessions);
    const own = sessions.get(callerKey) ?? new Set<string>();
    sessions.set(callerKey, own);
    own.add(taskId);
    if (own.size > MAX_TASKS) for (const oldest of own) return void own.delete(oldest);
  }
}
