/**
 * Who has tasks, and in which form: the experimental one of 2025-11-25 or the extension of 2026-07-28. A task keeps the
 * form of the server that runs it; what a client sees of it has the form of the client's own era.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Upstream } from '../../core/upstream.ts';
import type { Member, View } from '../../federation/types.ts';
import type { Era } from '../../wire/eras.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { declaresTasksExtension, TASKS_EXTENSION } from '../../wire/tasks.ts';
import { type RequestContext, requireString, type Services, shorten } from '../request-context.ts';

/** The form of a server's tasks; undefined when it has none. */
export function formOf({ era, capabilities }: Pick<Upstream, 'era' | 'capabilities'>): Era | undefined {
  const has = era === 'modern' ? declaresTasksExtension(capabilities) : isObject(capabilities.tasks);
  return has ? era : undefined;
}

/**
 * Whether a caller knows tasks in the form of its own era. Legacy clients say so with each call, not beforehand; one that
 * is too old, or has no session in which it could come back for a task, knows none.
 */
export const knowsTasks = ({ era, protocolVersion, capabilities, sessionId }: Caller): boolean =>
  era === 'modern' ? declaresTasksExtension(capabilities) : sessionId !== undefined && protocolVersion >= '2025-11-25';

/**
 * Throws unless the view offers tasks to this caller: -32601 where no server has any, -32021 for a modern client that did
 * not declare the extension (ext-tasks, "Protocol Errors").
 */
export function requireTasks({ inbound: { view, caller, request }, services }: RequestContext): void {
  const offered = view.capabilities(caller.era);
  if (!(caller.era === 'modern' ? declaresTasksExtension(offered) : isObject(offered.tasks))) {
    // Why its server is away says more than that it has no tasks.
    if (view.server !== undefined) services.federation.member(view.server)?.require();
    throw new SwitchboardError('SWB_METHOD_NOT_FOUND', `Method not found: '${shorten(request.method)}'.`);
  }
  if (caller.era === 'modern' && !knowsTasks(caller)) throw missingExtension();
}

export const missingExtension = (): SwitchboardError =>
  new SwitchboardError('SWB_MISSING_CLIENT_CAPABILITY', `This needs a client that declares '${TASKS_EXTENSION}'.`, {
    data: { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } },
  });

/** The same for a task that does not exist and for one that is another's. */
export const unknownTask = (taskId: string): SwitchboardError =>
  new SwitchboardError('SWB_UNKNOWN_TASK', `Task not found: '${shorten(taskId)}'.`);

/** A task as its server knows it. */
export interface Target {
  member: Member;
  taskId: string;
  form: Era;
}

/** The task a request names. */
export function targetOf(turn: RequestContext): Target {
  requireTasks(turn);
  const { inbound, services, params } = turn;
  const taskId = requireString(params, 'taskId');
  const target = find(inbound.view, taskId);
  const { caller } = inbound;
  // Modern servers' tasks are never given to legacy clients: see `follow.ts`.
  const unreachable = target && caller.era === 'legacy' && target.form === 'modern';
  if (!target || unreachable || isHidden(services, target.member, target.taskId, caller)) throw unknownTask(taskId);
  return target;
}

/** Whether a task does not exist for this caller. */
export function isHidden(
  { tasks, gate }: Pick<Services, 'tasks' | 'gate'>,
  member: Member,
  taskId: string,
  caller: Caller,
) {
  if (gate?.binds(caller)) return !tasks.ledger.isKnown(member, taskId, caller);
  return tasks.ledger.isForeign(member, taskId, caller);
}

function find(view: View, taskId: string): Target | undefined {
  const found = view.resolveTask(taskId);
  const form = found && formOf(found.member.require());
  return found && form && { member: found.member, taskId: found.original, form };
}
