/**
 * What `tools/call` has to do with tasks: which calls become one, and what their client gets of it.
 *
 * | client | legacy server | modern server |
 * |---|---|---|
 * | legacy, asks for a task | its own task | refused: its tools are not called as tasks (-32601) |
 * | legacy, a plain call | passes | passes; followed where the server insists on a task |
 * | modern with the extension | a tool that must be a task becomes one, in the extension's form | its own task |
 * | modern without | a tool that must be a task is followed | passes |
 *
 * "Followed" is `follow.ts`: the call is answered with the outcome of the task.
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import type { Route } from '../../federation/types.ts';
import type { Era } from '../../wire/eras.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { takesTaskCalls } from '../../wire/tasks.ts';
import type { Dispatch, Sender } from '../dispatch.ts';
import type { PolicyDecision } from '../gate/admission.ts';
import { type RequestContext, shorten } from '../request-context.ts';
import { awaitingResult, polling } from './follow.ts';
import { formOf, knowsTasks } from './form.ts';
import { bytesOf, createdId, relatedId, respell, textOf } from './ids.ts';
import { createdTask } from './to-modern.ts';

/** How long a legacy server is asked to keep a task whose modern client cannot say. */
const BRIDGED_TTL_MS = 60 * 60_000;

/** The call as it is to be dispatched. Most calls have nothing to do with tasks and come back as they are. */
export function withTasks(turn: RequestContext, { member, entry }: Route, what: Dispatch): Dispatch {
  const { upstream } = member;
  // Why its server is away is for the dispatcher to say.
  if (!upstream) return what;
  const { caller, view } = turn.inbound;
  const form = formOf(upstream);
  const isAsked = what.params.task !== undefined;
  if (form === undefined && !isAsked) return what;

  if (caller.era === 'modern') {
    if (form === 'modern') return knowsTasks(caller) ? { ...what, send: creating(turn, what, 'modern') } : what;
    // The extension's servers ignore this member, and so must one that stands in for them (ext-tasks).
    delete what.params.task;
    if (!form || !mustBeTask(entry.value.execution) || !takesTaskCalls(upstream.capabilities)) return what;
    return { ...what, send: knowsTasks(caller) ? bridged(turn, what) : awaitingResult(turn.services, member) };
  }

  if (form === 'legacy' && takesTaskCalls(upstream.capabilities)) {
    if (isAsked) return { ...what, send: creating(turn, what, 'legacy') };
    // Clients that know tasks are refused by the server itself, as they would be without a gateway.
    const follows = mustBeTask(entry.value.execution) && !knowsTasks(caller);
    return follows ? { ...what, send: awaitingResult(turn.services, member) } : what;
  }
  if (isAsked) {
    // The merged view offers tasks because other servers have them; of a tool without, 2025-11-25 asks for this error.
    if (view.server === undefined) throw notATask(String(turn.params.name));
    delete what.params.task;
  }
  return form === 'modern' ? { ...what, send: polling(turn.services, member) } : what;
}

const mustBeTask = (execution: unknown): boolean => isObject(execution) && execution.taskSupport === 'required';

const notATask = (tool: string): SwitchboardError =>
  new SwitchboardError(
    'SWB_NOT_SUPPORTED',
    `Tool '${shorten(tool)}' does not support task augmentation: call it without params.task.`,
  );

/** The client and the server have tasks in the same form: the task is the client's own from now on. */
function creating(turn: RequestContext, { member }: Dispatch, form: Era): Sender {
  return async (call, params) => {
    const reply = await turn.services.dispatcher.send(call, member, 'tools/call', params);
    return created(turn, member, reply, form, call.admission);
  };
}

/** A modern client's call of a legacy tool that must be a task. */
function bridged(turn: RequestContext, { member }: Dispatch): Sender {
  return async (call, params) => {
    const task = { ttl: BRIDGED_TTL_MS };
    const reply = await turn.services.dispatcher.send(call, member, 'tools/call', { ...params, task });
    const raw = bytesOf(reply);
    const flat = raw && createdTask(raw);
    return flat ? created(turn, member, { raw: flat }, 'modern', call.admission) : reply;
  };
}

/** Notes whose task it is, and spells its id as the client's view does. */
function created(
  { inbound, services }: RequestContext,
  member: Route['member'],
  reply: Reply,
  form: Era,
  admission: PolicyDecision | undefined,
): Reply {
  const raw = bytesOf(reply);
  const span = raw && createdId(raw, form);
  const taskId = raw && textOf(raw, span);
  if (!raw || taskId === undefined) return reply;
  services.tasks.ledger.note(member, taskId, inbound.caller, admission?.outcomeFilter());
  return { raw: respell(raw, [span, relatedId(raw)], (id) => inbound.view.exposeTask(member, id)) };
}
