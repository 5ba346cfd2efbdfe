/**
 * A modern client's requests about a task of a legacy server: the extension's methods, made of those of 2025-11-25. The
 * extension has a task's outcome and its input requests inside the task; the legacy form gives both to `tasks/result`.
 * @module
 */
import { RPC, UpstreamError } from '../../core/errors.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { isTerminal } from '../../wire/tasks.ts';
import { exposeLinks } from '../bridge/uris.ts';
import { finish } from '../dispatch.ts';
import type { RequestContext } from '../request-context.ts';
import type { CallResult } from '../types.ts';
import { bytesOf } from './ids.ts';
import type { TaskRef } from './task-owners.ts';
import type { Tasks } from './tasks.ts';
import { endedTask, flatTask, type TaskOutcome } from './to-modern.ts';

export class BridgedTasks {
  readonly #tasks: Tasks;

  constructor(tasks: Tasks) {
    this.#tasks = tasks;
  }

  async get(context: RequestContext, target: TaskRef): Promise<CallResult> {
    const task = await this.#read(context, target);
    const named = { ...task, taskId: context.view.exposeTask(target.member, target.taskId) };
    if (task.status === 'completed' || task.status === 'failed') {
      return result(context, target, endedTask(named, await this.#outcome(context, target)));
    }
    const flat = flatTask(named);
    if (isTerminal(task.status)) return result(context, target, flat);
    const inputRequests = await this.#inputRequests(context, target, task);
    // None yet, or none for this client: a task that needs input must say which.
    if (!inputRequests) return result(context, target, { ...flat, status: 'working' });
    return result(context, target, { ...flat, status: 'input_required', inputRequests });
  }

  /** A task that the gateway does not wait for is read first: an unknown one gets the server's own error. */
  async update(context: RequestContext, target: TaskRef, responses: JsonObject): Promise<CallResult> {
    const { awaited } = this.#tasks;
    if (!awaited.has(target, context.caller)) await this.#read(context, target);
    awaited.respond(target, context.caller, responses);
    return result(context, target, {});
  }

  /** The extension acknowledges the cancellation of a task that has ended; 2025-11-25 refuses it. */
  async cancel(context: RequestContext, target: TaskRef): Promise<CallResult> {
    try {
      await this.#poll(context, target, 'tasks/cancel');
    } catch (error) {
      const refused = error instanceof UpstreamError && error.rpcCode === RPC.invalidParams;
      if (!refused || !isTerminal((await this.#read(context, target)).status)) throw error;
    }
    return result(context, target, {});
  }

  async #poll({ call, params }: RequestContext, { member, taskId }: TaskRef, method: string): Promise<Buffer> {
    const meta = params._meta === undefined ? {} : { _meta: params._meta };
    const reply = await this.#tasks.requests.poll(call, { member, method, params: { ...meta, taskId } });
    return bytesOf(reply) ?? Buffer.from('{}');
  }

  async #read(context: RequestContext, target: TaskRef): Promise<JsonObject> {
    return JSON.parse((await this.#poll(context, target, 'tasks/get')).toString('utf8')) as JsonObject;
  }

  /** The outcome as the caller may see it, with links as its view spells them. */
  async #outcome({ call, caller, view }: RequestContext, { member, taskId }: TaskRef): Promise<TaskOutcome> {
    try {
      const raw = bytesOf(await this.#tasks.requests.result(call, member, { taskId })) ?? Buffer.from('{}');
      const filter = this.#tasks.owners.filterOf(member, taskId, caller);
      const filtered = filter ? await filter(raw) : raw;
      const isMerged = view.server === undefined;
      return { result: isMerged ? exposeLinks(filtered, (uri) => view.exposeUri(member, uri)) : filtered };
    } catch (error) {
      return { error };
    }
  }

  async #inputRequests(
    { caller }: RequestContext,
    target: TaskRef,
    { status }: JsonObject,
  ): Promise<JsonObject | undefined> {
    const { awaited, requests } = this.#tasks;
    if (status !== 'input_required' && !awaited.has(target, caller)) return undefined;
    const { member, taskId } = target;
    return awaited.inputRequests(target, caller, (call) => requests.result(call, member, { taskId }));
  }
}

/** In the caller's era, like every result of this server. */
function result({ call }: RequestContext, { member }: TaskRef, task: Buffer | JsonObject): CallResult {
  const raw = Buffer.isBuffer(task) ? task : Buffer.from(JSON.stringify(task));
  return finish(call, { member, shape: 'complete' }, { raw });
}
