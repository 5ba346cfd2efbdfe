/**
 * Status notifications of tasks on `subscriptions/listen` (ext-tasks, "Task Status Notifications"). The client's wish is
 * passed to each server whose tasks it names, as a subscription of the client's own; what comes is spelled for its view.
 *
 * Only modern servers are listened to. A client may rely on what is acknowledged instead of polling, and legacy servers
 * promise no such thing: their tasks are left out of the acknowledgment. When a server ends its stream, so does the
 * client's, gracefully, so that it subscribes again rather than wait for what will not come.
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import type { Member, View } from '../../federation/types.ts';
import { isObject, type JsonObject, type Notification } from '../../wire/jsonrpc.ts';
import { TASK_STATUS } from '../../wire/tasks.ts';
import { exposeLinks } from '../bridge/uris.ts';
import { RelayCall } from '../call.ts';
import type { RequestContext } from '../request-context.ts';
import { MAX_SUBSCRIPTIONS } from '../sessions.ts';
import { formOf, isHidden, knowsTasks, missingExtension } from './form.ts';
import type { TaskLedger } from './task-owners.ts';

/** How long a server may take to say what it agrees to. The client waits for its own acknowledgment meanwhile. */
const ACKNOWLEDGE_MS = 3_000;

export interface TaskStreams {
  /** The ids, as the client knows them, whose changes will be told. */
  honoured: string[];
  /** From now on notifications are sent, those that came before first. */
  start(): void;
  /** Resolves when a server has ended what it had acknowledged. */
  over: Promise<void>;
  close(): void;
}

/** Subscribes to the tasks of `params.notifications.taskIds`. */
export async function listenToTasks(
  turn: RequestContext,
  taskIds: unknown,
  send: (sent: Notification) => void,
): Promise<TaskStreams> {
  if (!knowsTasks(turn.inbound.caller)) throw missingExtension();
  if (!Array.isArray(taskIds) || taskIds.some((id) => typeof id !== 'string')) {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.notifications.taskIds must be a list of strings.');
  }
  if (taskIds.length > MAX_SUBSCRIPTIONS) {
    throw new SwitchboardError('SWB_TOO_MANY_STREAMS', `A stream may hold ${MAX_SUBSCRIPTIONS} task subscriptions.`);
  }
  const early: Notification[] = [];
  let tell: (sent: Notification) => void = (sent) => early.push(sent);
  const over = Promise.withResolvers<void>();
  const streams = [...byMember(turn, taskIds)].map(
    ([member, ids]) => new MemberStream(turn, member, ids, (sent) => tell(sent), over.resolve),
  );
  const agreed = await Promise.all(streams.map((stream) => stream.acknowledged()));
  return {
    honoured: agreed.flat(),
    over: over.promise,
    start() {
      tell = send;
      for (const sent of early.splice(0)) send(sent);
    },
    close() {
      for (const stream of streams) stream.close();
    },
  };
}

/** Original ids by server. Unknown tasks, another's, and those of servers that cannot tell are left out. */
function byMember(
  { inbound: { view, caller }, services }: RequestContext,
  taskIds: readonly string[],
): Map<Member, string[]> {
  const found = [...new Set(taskIds)].flatMap((id) => {
    const task = view.resolveTask(id);
    if (!task?.member.upstream || formOf(task.member.upstream) !== 'modern') return [];
    return isHidden(services, task.member, task.original, caller) ? [] : [task];
  });
  const grouped = Map.groupBy(found, ({ member }) => member);
  return new Map([...grouped].map(([member, tasks]) => [member, tasks.map(({ original }) => original)]));
}

/** One server's part of the client's stream. */
class MemberStream {
  readonly #view: View;
  readonly #member: Member;
  readonly #call: RelayCall;
  readonly #tell: (sent: Notification) => void;
  /** What the server agreed to; nothing when it ended before it said so. */
  readonly #agreed = Promise.withResolvers<string[]>();
  readonly #stop: () => void;
  readonly #ledger: TaskLedger;
  /** Outcomes are looked at before they are told, one after the other. */
  #telling: Promise<void> = Promise.resolve();

  constructor(
    { inbound, call, services }: RequestContext,
    member: Member,
    taskIds: readonly string[],
    tell: (sent: Notification) => void,
    over: () => void,
  ) {
    this.#view = inbound.view;
    this.#ledger = services.tasks.ledger;
    this.#member = member;
    this.#tell = tell;
    this.#call = new RelayCall(inbound.caller, { notify: (sent) => this.#heard(sent, taskIds) }, undefined);
    this.#stop = call.onAbort((reason) => this.#call.abort(reason));
    const ended = (): void => {
      this.#agreed.resolve([]);
      void this.#agreed.promise.then((ids) => ids.length > 0 && over());
    };
    member.require().request('subscriptions/listen', { notifications: { taskIds } }, this.#call).then(ended, ended);
  }

  /** The ids agreed to, as the client knows them. */
  async acknowledged(): Promise<string[]> {
    const late = setTimeout(() => this.#agreed.resolve([]), ACKNOWLEDGE_MS);
    const agreed = await this.#agreed.promise;
    clearTimeout(late);
    if (agreed.length === 0) this.close();
    return agreed.map((id) => this.#view.exposeTask(this.#member, id));
  }

  close(): void {
    this.#stop();
    this.#call.abort(new SwitchboardError('SWB_CANCELLED', 'The subscription has ended.'));
    this.#call.settle();
  }

  #heard({ method, params }: Notification, wanted: readonly string[]): void {
    if (method === 'notifications/subscriptions/acknowledged') {
      const said = isObject(params?.notifications) ? params.notifications.taskIds : undefined;
      this.#agreed.resolve(Array.isArray(said) ? wanted.filter((id) => said.includes(id)) : []);
    } else if (method === TASK_STATUS.modern && typeof params?.taskId === 'string') {
      const { taskId } = params;
      this.#telling = this.#telling
        .then(() => this.#filtered(params, taskId))
        .then((seen) => this.#tell({ jsonrpc: '2.0', method, params: this.#exposed(seen, taskId) }))
        // What could not be looked at is not told; the client still has tasks/get.
        .catch(() => {});
    }
  }

  async #filtered(params: JsonObject, taskId: string): Promise<JsonObject> {
    const filter = this.#ledger.filterOf(this.#member, taskId, this.#call.caller);
    if (!filter || !isObject(params.result)) return params;
    const seen = await filter(Buffer.from(JSON.stringify(params.result)));
    return { ...params, result: JSON.parse(seen.toString('utf8')) };
  }

  #exposed(params: JsonObject, taskId: string): JsonObject {
    const own: JsonObject = { ...params, taskId: this.#view.exposeTask(this.#member, taskId) };
    if (this.#view.server !== undefined || !isObject(params.result)) return own;
    const bytes = Buffer.from(JSON.stringify(params.result));
    own.result = JSON.parse(exposeLinks(bytes, (uri) => this.#view.exposeUri(this.#member, uri)).toString('utf8'));
    return own;
  }
}
