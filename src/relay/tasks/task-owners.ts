/**
 * Remembers who created which task. The id of a task leads to its server; a server that serves several clients on one
 * session or under one credential cannot know whose the task is.
 *
 * Rules: a task known to be another principal's does not exist for this one. A task of no known creator is left to its
 * server, whose ids are unguessable (2025-11-25 tasks, "Task Isolation and Access Control"; ext-tasks, "Security
 * Considerations"): it may be from before the gateway started. For callers bound by policy it does not exist either,
 * since no decision about it is known. Lists and notifications, which reach clients without an id of theirs, hold only
 * what this very caller created.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import type { Member } from '../../federation/types.ts';
import type { OutcomeFilter } from '../../policy/decision/policy-decision.ts';
import type { Subject } from '../../policy/types.ts';

/** Tasks of one principal on one server that are remembered. Its own oldest make room, never another's. */
export const MAX_TASKS = 2_000;

type Owner = Pick<Caller, 'key' | 'principal'>;

/** What the call that became a task was about, and how its outcome is to be seen. */
export interface Origin {
  filter?: OutcomeFilter | undefined;
  subject?: Subject | undefined;
}

interface Created extends Origin {
  /** Keys of the callers who created a task of this id: servers may number the tasks of each session. */
  keys: Set<string>;
  /** Order of creation, over all servers. */
  order: number;
}

/** A task as its server knows it. */
export interface TaskRef {
  member: Member;
  taskId: string;
}

/** A caller's own task. */
export interface OwnTask extends TaskRef {
  /** Order of creation, over all servers. */
  order: number;
}

export class TaskOwners {
  /** By principal, then by id. */
  readonly #servers = new WeakMap<Member, Map<string, Map<string, Created>>>();
  #order = 0;

  note(member: Member, taskId: string, { key, principal }: Owner, origin: Origin = {}): void {
    const principals = this.#servers.get(member) ?? new Map<string, Map<string, Created>>();
    this.#servers.set(member, principals);
    const own = principals.get(principal) ?? new Map<string, Created>();
    principals.set(principal, own);
    const created = own.get(taskId) ?? { keys: new Set(), order: 0 };
    Object.assign(created, origin);
    created.keys.add(key);
    created.order = ++this.#order;
    own.delete(taskId);
    own.set(taskId, created);
    if (own.size > MAX_TASKS) for (const oldest of own.keys()) return void own.delete(oldest);
  }

  /** Whether other principals, and only others, are known to have created it. */
  isForeign(member: Member, taskId: string, { principal }: Owner): boolean {
    const principals = this.#servers.get(member);
    if (!principals || principals.get(principal)?.has(taskId)) return false;
    for (const tasks of principals.values()) if (tasks.has(taskId)) return true;
    return false;
  }

  /** Whether this principal is known to have created it. */
  isKnown(member: Member, taskId: string, { principal }: Owner): boolean {
    return this.#servers.get(member)?.get(principal)?.has(taskId) === true;
  }

  /** The tool that was called for it, where that is known: who asks about the task has to be allowed to call it. */
  subjectOf(member: Member, taskId: string, { principal }: Owner): Subject | undefined {
    return this.#servers.get(member)?.get(principal)?.get(taskId)?.subject;
  }

  /** Screens the outcome for this principal; undefined: nothing needs screening. */
  filterOf(member: Member, taskId: string, { principal }: Owner): OutcomeFilter | undefined {
    return this.#servers.get(member)?.get(principal)?.get(taskId)?.filter;
  }

  /** Whether this very caller created it. */
  owns(member: Member, taskId: string, { key, principal }: Owner): boolean {
    return this.#servers.get(member)?.get(principal)?.get(taskId)?.keys.has(key) === true;
  }

  /** Keys of all callers who created a task of this id. */
  ownersOf(member: Member, taskId: string): ReadonlySet<string> {
    const keys = new Set<string>();
    for (const tasks of this.#servers.get(member)?.values() ?? []) {
      for (const key of tasks.get(taskId)?.keys ?? []) keys.add(key);
    }
    return keys;
  }

  /** The tasks this caller created on these servers, oldest first. */
  ownedBy({ key, principal }: Owner, members: readonly Member[]): OwnTask[] {
    const owned: OwnTask[] = [];
    for (const member of members) {
      for (const [taskId, { keys, order }] of this.#servers.get(member)?.get(principal) ?? []) {
        if (keys.has(key)) owned.push({ member, taskId, order });
      }
    }
    return owned.sort((a, b) => a.order - b.order);
  }
}
