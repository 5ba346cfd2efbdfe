/**
 * What `tools/call` has to do with tasks: which calls become one, and what their client receives.
 *
 * | client | legacy server | modern server |
 * |---|---|---|
 * | legacy, asks for a task | its own task | refused: its tools are not called as tasks (-32601) |
 * | legacy, a plain call | passes | passes; followed where the server needs a client with tasks |
 * | modern with the extension | a tool that must be a task becomes one, in the extension's form | its own task |
 * | modern without | a tool that must be a task is followed | passes |
 *
 * Followed: the call is answered with the outcome of its task (`TaskForm.follow`).
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import type { Route } from '../../federation/types.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { takesTaskCalls } from '../../wire/tasks.ts';
import type { RelayCall } from '../call.ts';
import type { Dispatch, Dispatcher, Sender } from '../dispatch.ts';
import { quoted, type RequestContext } from '../request-context.ts';
import { formOf, TASK_FORMS } from './forms.ts';
import { at, bytesOf, createdId, relatedId, respell, textOf, whole } from './ids.ts';
import { legacyTasks } from './legacy-form.ts';
import { modernTasks } from './modern-form.ts';
import { withDeclaredAsks } from './task-asks.ts';
import type { TaskForm } from './task-form.ts';
import type { Tasks } from './tasks.ts';
import { createdTask } from './to-modern.ts';

/** How long a legacy server is asked to keep a task whose modern client cannot say. */
const BRIDGED_TTL_MS = 60 * 60_000;

export class ToolCallTasks {
  readonly #dispatcher: Dispatcher;
  readonly #tasks: Tasks;

  constructor(dispatcher: Dispatcher, tasks: Tasks) {
    this.#dispatcher = dispatcher;
    this.#tasks = tasks;
  }

  /** The call as it is to be dispatched. Most calls have nothing to do with tasks and come back unchanged. */
  adapt(context: RequestContext, route: Route, request: Dispatch): Dispatch {
    const { upstream } = route.member;
    // The dispatcher says why a server is away.
    if (!upstream) return request;
    const form = formOf(upstream);
    const isAsked = request.params.task !== undefined;
    if (form === undefined && !isAsked) return request;
    const send =
      context.caller.era === 'modern'
        ? this.#ofModernClient(context, route, request, form)
        : this.#ofLegacyClient(context, route, request, form);
    return send ? { ...request, send } : request;
  }

  #ofModernClient(
    context: RequestContext,
    { member, entry }: Route,
    request: Dispatch,
    form: TaskForm | undefined,
  ): Sender | undefined {
    const isKnown = TASK_FORMS.modern.isKnownTo(context.caller);
    if (form === modernTasks) return isKnown ? this.#creating(context, request, form) : undefined;
    // The extension's servers ignore this member, and so must one that stands in for them (ext-tasks).
    delete request.params.task;
    if (!form || !mustBeTask(entry.value.execution) || !takesTaskCalls(member.require().capabilities)) return undefined;
    return isKnown ? this.#bridged(context, request) : form.follow(this.#tasks.requests, member);
  }

  #ofLegacyClient(
    context: RequestContext,
    { member, entry }: Route,
    request: Dispatch,
    form: TaskForm | undefined,
  ): Sender | undefined {
    const isAsked = request.params.task !== undefined;
    if (form === legacyTasks && takesTaskCalls(member.require().capabilities)) {
      if (isAsked) return this.#creating(context, request, form);
      // Clients that know tasks are refused by the server itself, as they would be without a gateway.
      const follows = mustBeTask(entry.value.execution) && !form.isKnownTo(context.caller);
      return follows ? form.follow(this.#tasks.requests, member) : undefined;
    }
    if (isAsked) {
      // The merged view offers tasks because other servers have them; for a tool without, 2025-11-25 wants this error.
      if (context.view.server === undefined) throw notATask(String(context.params.name));
      delete request.params.task;
    }
    return form === modernTasks ? form.follow(this.#tasks.requests, member) : undefined;
  }

  /** The client and the server have tasks in the same form: the task is the client's own from now on. */
  #creating(context: RequestContext, request: Dispatch, form: TaskForm): Sender {
    return async (call, params) => {
      const reply = await this.#dispatcher.send(call, { member: request.member, method: 'tools/call', params });
      return this.#created(context, call, request, reply, form);
    };
  }

  /** A modern client's call of a legacy tool that must be a task. */
  #bridged(context: RequestContext, request: Dispatch): Sender {
    return async (call, params) => {
      const { member } = request;
      const task = { ttl: BRIDGED_TTL_MS };
      const reply = await this.#dispatcher.send(call, { member, method: 'tools/call', params: { ...params, task } });
      const raw = bytesOf(reply);
      const flat = raw && createdTask(raw);
      return flat ? this.#created(context, call, request, { raw: flat }, modernTasks) : reply;
    };
  }

  /** Notes who created the task, and spells its id as the client's view does. */
  async #created(
    { view, caller }: RequestContext,
    call: RelayCall,
    { member, subject }: Dispatch,
    reply: Reply,
    form: TaskForm,
  ): Promise<Reply> {
    const raw = bytesOf(reply);
    const span = raw && createdId(raw, form.era);
    const taskId = raw && textOf(raw, span);
    if (!raw || taskId === undefined) return reply;
    this.#tasks.owners.note(member, taskId, caller, { filter: call.decision?.outcomeFilter(), subject });
    // A session leads to its replica by itself. The client may ask another one as soon as it knows the id.
    if (caller.sessionId === undefined) await this.#tasks.places?.note(member, taskId);
    const named = respell(raw, [span, relatedId(raw)], (id) => view.exposeTask(member, id));
    if (form !== modernTasks || !at(named, whole(named), 'inputRequests')) return { raw: named };
    const task = JSON.parse(named.toString('utf8')) as JsonObject;
    const asked = withDeclaredAsks(task, caller.capabilities);
    return { raw: asked === task ? named : Buffer.from(JSON.stringify(asked)) };
  }
}

const mustBeTask = (execution: unknown): boolean => isObject(execution) && execution.taskSupport === 'required';

const notATask = (tool: string): SwitchboardError =>
  new SwitchboardError(
    'SWB_NOT_SUPPORTED',
    `Tool '${quoted(tool)}' does not support task augmentation: call it without params.task.`,
  );
