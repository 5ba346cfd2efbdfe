/**
 * `tasks/get`, `tasks/result`, `tasks/cancel`, `tasks/update`: to the server whose task it is, in the form the client
 * knows. `tasks/list` is in `listing.ts`.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import type { Federation } from '../../federation/types.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { exposeLinks } from '../bridge/uris.ts';
import type { Dispatcher, Sender } from '../dispatch.ts';
import type { Gate } from '../gate/gate.ts';
import type { Method, RequestContext } from '../request-context.ts';
import { RunTasks } from '../runs/run-tasks.ts';
import type { Runs } from '../runs/runs.ts';
import { type CallResult, resultObject } from '../types.ts';
import { BridgedTasks } from './bridged.ts';
import { requireTask, requireTasks, type TaskTarget } from './forms.ts';
import { at, bytesOf, relatedId, replace, respell, whole } from './ids.ts';
import { legacyTasks } from './legacy-form.ts';
import { listTasks } from './listing.ts';
import { declaredAsks } from './task-asks.ts';
import type { TaskRef } from './task-owners.ts';
import type { Tasks } from './tasks.ts';

interface Dependencies {
  federation: Federation;
  dispatcher: Dispatcher;
  tasks: Tasks;
  gate: Gate | undefined;
  runs: Runs;
}

export function taskMethods({ federation, dispatcher, tasks, gate, runs }: Dependencies) {
  const runTasks = new RunTasks(runs);
  /** Runs of agents are the gateway's own tasks. */
  const orRun =
    (method: Method, ofRun: Method): Method =>
    (context) => {
      if (!runTasks.concerns(context)) return method(context);
      requireTasks(context, federation);
      return ofRun(context);
    };
  const bridged = new BridgedTasks(tasks);

  const get: Method = (context) => {
    const target = targetOf(context);
    return isBridged(context, target) ? bridged.get(context, target) : polled(context, target);
  };

  /** Legacy: the task as it is now. Modern: an acknowledgement. */
  const cancel: Method = (context) => {
    const target = targetOf(context);
    return isBridged(context, target) ? bridged.cancel(context, target) : polled(context, target);
  };

  /** Modern only. */
  const update: Method = (context) => {
    const target = targetOf(context);
    const { inputResponses } = context.params;
    if (!isObject(inputResponses)) {
      throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.inputResponses must be an object.');
    }
    if (isBridged(context, target)) return bridged.update(context, target, inputResponses);
    return polled(context, target);
  };

  /** Legacy only. Lasts as long as the task, at most `maxTimeoutMs`; the server's input requests come on its stream. */
  const result: Method = (context) => {
    const target = targetOf(context);
    const { view, caller } = context;
    const { member } = target;
    return relay(context, target, async (call, params) => {
      const reply = await tasks.requests.result(call, member, params);
      const sent = bytesOf(reply);
      const filter = tasks.owners.filterOf(member, target.taskId, caller);
      const raw = sent && filter ? await filter(sent) : sent;
      if (!raw || view.server !== undefined) return raw === sent || !raw ? reply : { raw };
      const tied = respell(raw, [relatedId(raw)], (id) => view.exposeTask(member, id));
      return { raw: exposeLinks(tied, (uri) => view.exposeUri(member, uri)) };
    });
  };

  function targetOf(context: RequestContext): TaskTarget {
    requireTasks(context, federation);
    return requireTask(context, tasks);
  }

  function polled(context: RequestContext, target: TaskRef): Promise<CallResult> {
    const { member } = target;
    const { method } = context.request;
    return relay(context, target, async (call, params) => {
      const reply = await tasks.requests.poll(call, { member, method, params });
      const raw = bytesOf(reply);
      if (!raw) return reply;
      const { era, capabilities } = context.caller;
      const asked = era === 'modern' ? declaredAsks(raw, capabilities) : raw;
      return { raw: exposedTask(await filtered(asked, context, target), context, target) };
    });
  }

  /** A task whose outcome, where it has one inside, is screened for the caller. */
  async function filtered(raw: Buffer, { caller }: RequestContext, { member, taskId }: TaskRef): Promise<Buffer> {
    const filter = tasks.owners.filterOf(member, taskId, caller);
    const result = filter && at(raw, whole(raw), 'result');
    if (!filter || !result) return raw;
    return replace(raw, [{ ...result, json: await filter(raw.subarray(result.start, result.end)) }]);
  }

  /** Through the dispatcher, without a decision of its own: the call that created the task had one. */
  function relay(context: RequestContext, { member, taskId }: TaskRef, send: Sender): Promise<CallResult> {
    const { call, caller, request, params } = context;
    if (gate) call.screen = (sent) => gate.screenNotification(caller, member, sent);
    return dispatcher.dispatch(context, {
      member,
      method: request.method,
      subject: undefined,
      params: { ...params, taskId },
      shape: 'complete',
      structured: request.method === 'tasks/result' ? 'values' : undefined,
      async send(sending, own) {
        const reply = await send(sending, own);
        await sending.pendingNotifications;
        return reply;
      },
    });
  }

  const listOfServers = listTasks(federation, dispatcher, tasks);

  const list: Method = async (context) => {
    const { server } = context.view;
    const isOfAgents = server !== undefined && (federation.member(server)?.catalog('agents').entries.length ?? 0) > 0;
    // Servers of agents have no tasks: those of their endpoint are the gateway's.
    if (isOfAgents) return { value: { tasks: await runTasks.list(context, server) } };
    const listed = await listOfServers(context);
    if (context.view.server !== undefined || context.params.cursor !== undefined) return listed;
    const own = await runTasks.list(context);
    if (own.length === 0) return listed;
    const { tasks: others, ...rest } = resultObject(listed);
    return { value: { ...rest, tasks: [...own, ...(Array.isArray(others) ? others : [])] } };
  };

  return {
    get: orRun(get, (context) => runTasks.get(context)),
    cancel: orRun(cancel, (context) => runTasks.cancel(context)),
    update: orRun(update, (context) => runTasks.update(context)),
    result: orRun(result, (context) => runTasks.result(context)),
    list,
  };
}

/** A modern client's task on a legacy server. */
const isBridged = ({ caller }: RequestContext, { form }: TaskTarget): boolean =>
  caller.era === 'modern' && form === legacyTasks;

/** A task, with its outcome where it has one inside, as the view spells it. */
function exposedTask(raw: Buffer, { view }: RequestContext, { member }: TaskRef): Buffer {
  if (view.server !== undefined) return raw;
  const named = respell(raw, [at(raw, whole(raw), 'taskId'), relatedId(raw)], (id) => view.exposeTask(member, id));
  const result = at(named, whole(named), 'result');
  if (!result) return named;
  const outcome = exposeLinks(named.subarray(result.start, result.end), (uri) => view.exposeUri(member, uri));
  return replace(named, [{ ...result, json: outcome }]);
}
