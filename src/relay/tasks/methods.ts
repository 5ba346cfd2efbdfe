/**
 * `tasks/get`, `tasks/result`, `tasks/cancel` and `tasks/update`: to the server whose task it is, in the form the client
 * knows.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { exposeLinks } from '../bridge/uris.ts';
import type { Sender } from '../dispatch.ts';
import type { Method, RequestContext } from '../request-context.ts';
import type { CallResult } from '../types.ts';
import { bridgedCancel, bridgedGet, bridgedUpdate } from './bridged.ts';
import { type Target, targetOf } from './form.ts';
import { at, bytesOf, relatedId, replace, respell, whole } from './ids.ts';

/** A modern client's task on a legacy server. */
const isBridged = ({ inbound }: RequestContext, { form }: Target): boolean =>
  inbound.caller.era === 'modern' && form === 'legacy';

export const getTask: Method = (turn) => {
  const target = targetOf(turn);
  return isBridged(turn, target) ? bridgedGet(turn, target) : polled(turn, target);
};

/** Legacy: the task as it is now. Modern: an acknowledgement. */
export const cancelTask: Method = (turn) => {
  const target = targetOf(turn);
  return isBridged(turn, target) ? bridgedCancel(turn, target) : polled(turn, target);
};

/** Modern only. */
export const updateTask: Method = (turn) => {
  const target = targetOf(turn);
  if (!isObject(turn.params.inputResponses)) {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.inputResponses must be an object.');
  }
  return isBridged(turn, target) ? bridgedUpdate(turn, target, turn.params.inputResponses) : polled(turn, target);
};

/** Legacy only. Lasts as long as the task, at most `maxTimeoutMs`; the server's questions come on its stream. */
export const taskResult: Method = (turn) => {
  const target = targetOf(turn);
  const { view, caller } = turn.inbound;
  const { dispatcher, tasks } = turn.services;
  const { member } = target;
  return relayed(turn, target, async (call, params) => {
    const reply = await tasks.lanes.wait(member, caller, (lane) =>
      dispatcher.send(call, member, 'tasks/result', params, lane),
    );
    const sent = bytesOf(reply);
    const filter = tasks.ledger.filterOf(member, target.taskId, caller);
    const raw = sent && filter ? await filter(sent) : sent;
    if (!raw || view.server !== undefined) return raw === sent || !raw ? reply : { raw };
    const tied = respell(raw, [relatedId(raw)], (id) => view.exposeTask(member, id));
    return { raw: exposeLinks(tied, (uri) => view.exposeUri(member, uri)) };
  });
};

function polled(turn: RequestContext, target: Target): Promise<CallResult> {
  const { dispatcher, tasks } = turn.services;
  const { member } = target;
  return relayed(turn, target, async (call, params) => {
    const lane = tasks.lanes.polls(member);
    const reply = await dispatcher.send(call, member, turn.inbound.request.method, params, lane);
    const raw = bytesOf(reply);
    return raw ? { raw: exposedTask(await filtered(raw, turn, target), turn, target) } : reply;
  });
}

/** A task with the outcome inside it as the caller may see it. */
async function filtered(
  raw: Buffer,
  { inbound, services }: RequestContext,
  { member, taskId }: Target,
): Promise<Buffer> {
  const filter = services.tasks.ledger.filterOf(member, taskId, inbound.caller);
  const result = filter && at(raw, whole(raw), 'result');
  if (!filter || !result) return raw;
  return replace(raw, [{ ...result, json: await filter(raw.subarray(result.start, result.end)) }]);
}

/** A task, with its outcome where it has one inside, as the view spells it. */
function exposedTask(raw: Buffer, { inbound: { view } }: RequestContext, { member }: Target): Buffer {
  if (view.server !== undefined) return raw;
  const named = respell(raw, [at(raw, whole(raw), 'taskId'), relatedId(raw)], (id) => view.exposeTask(member, id));
  const result = at(named, whole(named), 'result');
  if (!result) return named;
  const outcome = exposeLinks(named.subarray(result.start, result.end), (uri) => view.exposeUri(member, uri));
  return replace(named, [{ ...result, json: outcome }]);
}

function relayed(turn: RequestContext, { member, taskId }: Target, send: Sender): Promise<CallResult> {
  const { call, inbound, services } = turn;
  const { gate } = services;
  if (gate) call.screen = (sent) => gate.screenOutside(inbound.caller, member, sent);
  return services.dispatcher.dispatch(turn, {
    member,
    method: inbound.request.method,
    subject: undefined,
    params: { ...turn.params, taskId },
    shape: 'complete',
    async send(sending, params) {
      const reply = await send(sending, params);
      await sending.notes.passing;
      return reply;
    },
  });
}
