/**
 * What the relay keeps about tasks: who created them, how requests about them are sent, which input they wait for.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import type { Dispatcher } from '../dispatch.ts';
import { AwaitedTasks, type AwaitLimits } from './awaited-tasks.ts';
import type { TaskOwners, TaskRef } from './task-owners.ts';
import { TaskRequests } from './task-requests.ts';

export interface TasksOptions {
  dispatcher: Dispatcher;
  owners: TaskOwners;
  /** Without one no policy binds anyone. */
  gate: { binds(caller: Caller): boolean } | undefined;
  limits: AwaitLimits | undefined;
}

export class Tasks {
  readonly owners: TaskOwners;
  readonly requests: TaskRequests;
  readonly awaited: AwaitedTasks;
  readonly #gate: TasksOptions['gate'];

  constructor({ dispatcher, owners, gate, limits }: TasksOptions) {
    this.owners = owners;
    this.requests = new TaskRequests(dispatcher);
    this.awaited = new AwaitedTasks(limits);
    this.#gate = gate;
  }

  /** Whether a task does not exist for this caller. */
  isHidden({ member, taskId }: TaskRef, caller: Caller): boolean {
    if (this.#gate?.binds(caller)) return !this.owners.isKnown(member, taskId, caller);
    return this.owners.isForeign(member, taskId, caller);
  }
}
