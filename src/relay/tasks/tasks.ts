/**
 * What the relay keeps about tasks: who created them, how requests about them are sent, which input they wait for.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import type { View } from '../../federation/types.ts';
import type { ReplicaId } from '../../state/replica.ts';
import type { Dispatcher } from '../dispatch.ts';
import type { Gate } from '../gate/gate.ts';
import type { RequestContext } from '../request-context.ts';
import { AwaitedTasks, type AwaitLimits } from './awaited-tasks.ts';
import type { TaskOwners, TaskRef } from './task-owners.ts';
import type { TaskPlaces } from './task-places.ts';
import { TaskRequests } from './task-requests.ts';

export interface TasksOptions {
  dispatcher: Dispatcher;
  owners: TaskOwners;
  /** Without one no policy binds anyone. */
  gate: Pick<Gate, 'binds' | 'requireScopesOf'> | undefined;
  limits: AwaitLimits | undefined;
  /** Where there are replicas: which one has a task. */
  places?: TaskPlaces | undefined;
}

export class Tasks {
  readonly owners: TaskOwners;
  readonly requests: TaskRequests;
  readonly awaited: AwaitedTasks;
  readonly places: TaskPlaces | undefined;
  readonly #gate: TasksOptions['gate'];

  constructor({ dispatcher, owners, gate, limits, places }: TasksOptions) {
    this.owners = owners;
    this.requests = new TaskRequests(dispatcher);
    this.awaited = new AwaitedTasks(limits);
    this.places = places;
    this.#gate = gate;
  }

  /** Whether a task does not exist for this caller. */
  isHidden({ member, taskId }: TaskRef, caller: Caller): boolean {
    if (this.#gate?.binds(caller)) return !this.owners.isKnown(member, taskId, caller);
    return this.owners.isForeign(member, taskId, caller);
  }

  /** Throws where the caller's access token lacks the scope of the tool that was called for the task. */
  requireScopes({ member, taskId }: TaskRef, { caller, request }: RequestContext): void {
    if (!caller.identity.scopes) return;
    const subject = this.owners.subjectOf(member, taskId, caller);
    if (subject) this.#gate?.requireScopesOf(caller, subject, request);
  }

  /** Whether the caller's access token lacks it, so that it hears nothing of the task. */
  lacksScopes({ member, taskId }: TaskRef, caller: Caller): boolean {
    const subject = caller.identity.scopes && this.owners.subjectOf(member, taskId, caller);
    return subject !== undefined && caller.identity.scopes?.missing(subject)?.length !== 0;
  }

  /** In which replica a task is served; undefined: in any. Rejects when the state is away. */
  async placeOf(principal: string, view: View, taskId: string): Promise<ReplicaId | undefined> {
    const task = view.resolveTask(taskId);
    if (!task || this.owners.isKnown(task.member, task.original, { key: '', principal })) return undefined;
    return this.places?.find(task.member, task.original);
  }
}
