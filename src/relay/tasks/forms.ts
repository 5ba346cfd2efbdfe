/**
 * Finds the form of tasks of a server or a client, and the task that a request names.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import type { Upstream } from '../../core/upstream.ts';
import type { Federation } from '../../federation/types.ts';
import type { Era } from '../../wire/eras.ts';
import { TASKS_EXTENSION } from '../../wire/tasks.ts';
import { methodNotFound, quoted, type RequestContext, requireString } from '../request-context.ts';
import { legacyTasks } from './legacy-form.ts';
import { modernTasks } from './modern-form.ts';
import type { TaskForm } from './task-form.ts';
import type { TaskRef } from './task-owners.ts';
import type { Tasks } from './tasks.ts';

export const TASK_FORMS: Readonly<Record<Era, TaskForm>> = { legacy: legacyTasks, modern: modernTasks };

/** The form of a server's tasks; undefined when it has none. */
export function formOf({ era, capabilities }: Pick<Upstream, 'era' | 'capabilities'>): TaskForm | undefined {
  const form = TASK_FORMS[era];
  return form.isOffered(capabilities) ? form : undefined;
}

/** A task that a request names. */
export interface TaskTarget extends TaskRef {
  form: TaskForm;
}

/**
 * Throws unless the view offers tasks to this caller: -32601 where no server has any, -32021 for a modern client that did
 * not declare the extension (ext-tasks, "Protocol Errors").
 */
export function requireTasks({ view, caller, request }: RequestContext, federation: Pick<Federation, 'member'>): void {
  const form = TASK_FORMS[caller.era];
  if (!form.isOffered(view.capabilities(caller.era))) {
    // Where the server is away, the reason is the better error.
    if (view.server !== undefined) federation.member(view.server)?.require();
    throw methodNotFound(request.method);
  }
  if (form === modernTasks && !form.isKnownTo(caller)) throw missingExtension();
}

export const missingExtension = (): SwitchboardError =>
  new SwitchboardError('SWB_MISSING_CLIENT_CAPABILITY', `This needs a client that declares '${TASKS_EXTENSION}'.`, {
    data: { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } },
  });

/** The task that `params.taskId` names. One that is another's gets the same error as one that does not exist. */
export function requireTask(context: RequestContext, tasks: Tasks): TaskTarget {
  const { view, caller, params } = context;
  const id = requireString(params, 'taskId');
  const found = view.resolveTask(id);
  const form = found && formOf(found.member.require());
  // Legacy clients are never given tasks of modern servers: those calls are followed.
  const isForClient = form && !(caller.era === 'legacy' && form === modernTasks);
  const target = isForClient && { member: found.member, taskId: found.original, form };
  if (target && !tasks.isHidden(target, caller)) {
    tasks.requireScopes(target, context);
    return target;
  }
  throw new SwitchboardError('SWB_UNKNOWN_TASK', `Task not found: '${quoted(id)}'.`);
}
