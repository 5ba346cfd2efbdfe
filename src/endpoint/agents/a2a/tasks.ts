/**
 * Tasks of A2A clients, by principal: another principal's task does not exist. They are in memory, the latest of each
 * principal, because what they are about is live; those that are over are dropped after a while.
 * @module
 */
import type { ListTasksRequest, ListTasksResponse, Task } from '@a2a-js/sdk';
import type { ServerCallContext, TaskStore } from '@a2a-js/sdk/server';

const MAX_TASKS = 200;
const MAX_PAGE = 100;

interface Kept {
  task: Task;
  changedAt: number;
}

export class PrincipalTasks implements TaskStore {
  readonly #byPrincipal = new Map<string, Map<string, Kept>>();

  async save(task: Task, context: ServerCallContext): Promise<void> {
    const tasks = this.#of(context);
    // The latest change is last: the first one is dropped when there are too many.
    tasks.delete(task.id);
    tasks.set(task.id, { task: structuredClone(task), changedAt: Date.now() });
    for (const id of tasks.keys()) {
      if (tasks.size <= MAX_TASKS) break;
      tasks.delete(id);
    }
  }

  async load(id: string, context: ServerCallContext): Promise<Task | undefined> {
    const kept = this.#of(context).get(id);
    return kept && structuredClone(kept.task);
  }

  async list(request: ListTasksRequest, context: ServerCallContext): Promise<ListTasksResponse> {
    const { contextId, status, pageSize = 50, pageToken } = request;
    const after = request.statusTimestampAfter === undefined ? 0 : Date.parse(request.statusTimestampAfter);
    const all = [...this.#of(context).values()].reverse().filter(({ task, changedAt }) => {
      if (contextId !== '' && task.contextId !== contextId) return false;
      if (status !== 0 && task.status?.state !== status) return false;
      return changedAt >= after;
    });
    const size = Math.min(Math.max(pageSize, 1), MAX_PAGE);
    const from = Math.max(0, Number.parseInt(pageToken, 10) || 0);
    const page = all.slice(from, from + size);
    return {
      tasks: page.map(({ task }) => structuredClone(task)),
      nextPageToken: from + size < all.length ? String(from + size) : '',
      pageSize: size,
      totalSize: all.length,
    };
  }

  #of({ user }: ServerCallContext): Map<string, Kept> {
    const principal = user?.userName ?? '';
    let tasks = this.#byPrincipal.get(principal);
    if (!tasks) {
      tasks = new Map();
      this.#byPrincipal.set(principal, tasks);
    }
    return tasks;
  }
}
