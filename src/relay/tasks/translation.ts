/**
 * What belongs to a call of a legacy client in the merged view, besides its result: notifications and questions of the
 * server that are tied to a task by `_meta`, and what the client sends about one. Ids are spelled as the client knows
 * them on its side, and as the server does on the other.
 * @module
 */
import type { Ask } from '../../core/call.ts';
import type { Member, View } from '../../federation/types.ts';
import { isObject, type JsonObject, type Notification } from '../../wire/jsonrpc.ts';
import { relatedTaskOf, statusOf, withRelatedTask } from '../../wire/tasks.ts';
import type { Asker, Translation } from '../call.ts';
import type { RequestContext } from '../request-context.ts';
import { formOf } from './form.ts';

/** Undefined where nothing needs it: names are the server's own, or neither side has tasks of 2025-11-25. */
export function translationFor({ inbound, services }: RequestContext, member: Member): Translation | undefined {
  const { view, caller } = inbound;
  const { upstream } = member;
  if (view.server !== undefined || !upstream || upstream.era === 'modern' || member.builtin) return undefined;
  if (!isObject(caller.capabilities.tasks) && formOf(upstream) === undefined) return undefined;
  return {
    params: (params) => own(params, view, member),
    notification: (sent) => exposed(sent, view, member),
    ask: (ask, asker) =>
      services.tasks.ofClients.put(ask, member, caller.key, (each) => tied(each, view, member, asker)),
  };
}

/** A notification about a task as this view spells its id. */
export function exposed(sent: Notification, view: View, member: Member): Notification {
  const { params } = sent;
  if (!params || view.server !== undefined) return sent;
  const told = statusOf(sent);
  const status = told === undefined ? params : { ...params, taskId: view.exposeTask(member, told) };
  const related = relatedTaskOf(params);
  if (related === undefined) return status === params ? sent : { ...sent, params: status };
  return { ...sent, params: withRelatedTask(status, view.exposeTask(member, related)) };
}

/** What a client sends that is tied to a task of this server. */
function own(params: JsonObject, view: View, member: Member): JsonObject {
  const related = relatedTaskOf(params);
  const found = related === undefined ? undefined : view.resolveTask(related);
  return found?.member === member ? withRelatedTask(params, found.original) : params;
}

/** A question tied to a task; its answer is tied to the same. */
async function tied(ask: Ask, view: View, member: Member, asker: Asker): Promise<JsonObject> {
  const related = ask.params && relatedTaskOf(ask.params);
  if (!ask.params || related === undefined) return asker(ask);
  const result = await asker({ ...ask, params: withRelatedTask(ask.params, view.exposeTask(member, related)) });
  return relatedTaskOf(result) === undefined ? result : own(result, view, member);
}
