/**
 * Respells task ids in what belongs to a call of a legacy client in the merged view, besides its result: notifications and
 * input requests that `_meta` ties to a task, and what the client sends about one.
 * @module
 */
import type { Ask } from '../../core/call.ts';
import type { Member, View } from '../../federation/types.ts';
import { isObject, type JsonObject, type Notification } from '../../wire/jsonrpc.ts';
import { relatedTaskOf, statusOf, withRelatedTask } from '../../wire/tasks.ts';
import type { Asker, Translation } from '../call.ts';
import type { RequestContext } from '../request-context.ts';
import type { ClientTasks } from './client-tasks.ts';

/** Undefined where nothing is respelled: names are the server's own, or neither side has tasks of 2025-11-25. */
export function translationFor(
  { view, caller }: RequestContext,
  member: Member,
  clientTasks: ClientTasks,
): Translation | undefined {
  const { upstream } = member;
  if (view.server !== undefined || !upstream || upstream.era === 'modern' || member.builtin) return undefined;
  if (!isObject(caller.capabilities.tasks) && !isObject(upstream.capabilities.tasks)) return undefined;
  return {
    params: (params) => ownTaskId(params, view, member),
    notification: (sent) => exposeTaskIds(sent, view, member),
    ask: (ask, asker) => clientTasks.put(ask, member, caller.key, (each) => askTied(each, view, member, asker)),
  };
}

/** A notification about a task with its id as this view spells it. */
export function exposeTaskIds(sent: Notification, view: View, member: Member): Notification {
  const { params } = sent;
  if (!params || view.server !== undefined) return sent;
  const id = statusOf(sent);
  const status = id === undefined ? params : { ...params, taskId: view.exposeTask(member, id) };
  const related = relatedTaskOf(params);
  if (related === undefined) return status === params ? sent : { ...sent, params: status };
  return { ...sent, params: withRelatedTask(status, view.exposeTask(member, related)) };
}

/** What a client sends, with the server's own id of the task it is tied to. */
function ownTaskId(params: JsonObject, view: View, member: Member): JsonObject {
  const related = relatedTaskOf(params);
  const found = related === undefined ? undefined : view.resolveTask(related);
  return found?.member === member ? withRelatedTask(params, found.original) : params;
}

/** Puts an ask that is tied to a task to the client; its result is tied to the same task. */
async function askTied(ask: Ask, view: View, member: Member, asker: Asker): Promise<JsonObject> {
  const related = ask.params && relatedTaskOf(ask.params);
  if (!ask.params || related === undefined) return asker(ask);
  const result = await asker({ ...ask, params: withRelatedTask(ask.params, view.exposeTask(member, related)) });
  return relatedTaskOf(result) === undefined ? result : ownTaskId(result, view, member);
}
