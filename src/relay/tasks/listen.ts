/**
 * Status notifications of tasks on `subscriptions/listen` (ext-tasks, "Task Status Notifications"). Each server whose
 * tasks the client names gets a subscription of the client's own; its notifications are spelled for the client's view.
 *
 * Only modern servers are subscribed to. A client may rely on what is acknowledged instead of polling, and legacy servers
 * promise no such thing, so their tasks are left out of the acknowledgment. When a server ends its stream, so does the
 * client's, gracefully: then the client subscribes again.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import type { Member, View } from '../../federation/types.ts';
import { isObject, type JsonObject, type Notification } from '../../wire/jsonrpc.ts';
import { TASK_STATUS } from '../../wire/tasks.ts';
import { exposeLinks } from '../bridge/uris.ts';
import { RelayCall } from '../call.ts';
import type { RequestContext } from '../request-context.ts';
import { subscribed } from '../sessions.ts';
import { formOf, missingExtension } from './forms.ts';
import { modernTasks } from './modern-form.ts';
import { withDeclaredAsks } from './task-asks.ts';
import type { TaskOwners } from './task-owners.ts';
import type { Tasks } from './tasks.ts';

/** How long a server may take to acknowledge. The client waits for its own acknowledgment meanwhile. */
const ACKNOWLEDGE_MS = 3_000;

export interface TaskStreams {
  /** The ids, as the client knows them, whose changes are reported. */
  honoured: string[];
  /** Sends the notifications that came before, and from now on each one at once. */
  start(): void;
  /** Resolves when a server has ended what it had acknowledged. */
  over: Promise<void>;
  close(): void;
}

/** Subscribes to the tasks of `params.notifications.taskIds`. */
export async function listenToTasks(
  context: RequestContext,
  taskIds: unknown,
  tasks: Tasks,
  send: (sent: Notification) => void,
): Promise<TaskStreams> {
  if (!modernTasks.isKnownTo(context.caller)) throw missingExtension();
  const early: Notification[] = [];
  let report: (sent: Notification) => void = (sent) => early.push(sent);
  const over = Promise.withResolvers<void>();
  const streams = [...byMember(context, subscribed(taskIds, 'taskIds', 'task'), tasks)].map(
    ([member, ids]) =>
      new MemberStream(context, {
        member,
        taskIds: ids,
        owners: tasks.owners,
        report: (sent) => report(sent),
        over: over.resolve,
      }),
  );
  const acknowledged = await Promise.all(streams.map((stream) => stream.acknowledged()));
  return {
    honoured: acknowledged.flat(),
    over: over.promise,
    start() {
      report = send;
      for (const sent of early.splice(0)) send(sent);
    },
    close() {
      for (const stream of streams) stream.close();
    },
  };
}

/** Original ids by server, without unknown tasks, another's, and those of servers that do not report. */
function byMember({ view, caller }: RequestContext, taskIds: readonly string[], tasks: Tasks): Map<Member, string[]> {
  const found = taskIds.flatMap((id) => {
    const task = view.resolveTask(id);
    if (!task?.member.upstream || formOf(task.member.upstream) !== modernTasks) return [];
    const ref = { member: task.member, taskId: task.original };
    return tasks.isHidden(ref, caller) || tasks.lacksScopes(ref, caller) ? [] : [task];
  });
  const grouped = Map.groupBy(found, ({ member }) => member);
  return new Map([...grouped].map(([member, of]) => [member, of.map(({ original }) => original)]));
}

interface MemberStreamOptions {
  member: Member;
  taskIds: readonly string[];
  owners: TaskOwners;
  report(sent: Notification): void;
  /** Called when the server ends what it had acknowledged. */
  over(): void;
}

/** One server's part of the client's stream. */
class MemberStream {
  readonly #view: View;
  readonly #member: Member;
  readonly #owners: TaskOwners;
  readonly #call: RelayCall;
  readonly #report: (sent: Notification) => void;
  /** The ids the server acknowledged; none when it ended before. */
  readonly #acknowledged = Promise.withResolvers<string[]>();
  readonly #stop: () => void;
  /** Outcomes are screened one after the other. */
  #reporting: Promise<void> = Promise.resolve();

  constructor({ view, caller, call }: RequestContext, options: MemberStreamOptions) {
    const { member, taskIds, owners, report, over } = options;
    this.#view = view;
    this.#member = member;
    this.#owners = owners;
    this.#report = report;
    this.#call = new RelayCall(caller, { notify: (sent) => this.#receive(sent, taskIds) }, undefined);
    this.#stop = call.onAbort((reason) => this.#call.abort(reason));
    const ended = (): void => {
      this.#acknowledged.resolve([]);
      void this.#acknowledged.promise.then((ids) => ids.length > 0 && over());
    };
    member.require().request('subscriptions/listen', { notifications: { taskIds } }, this.#call).then(ended, ended);
  }

  /** The acknowledged ids, as the client knows them. */
  async acknowledged(): Promise<string[]> {
    const late = setTimeout(() => this.#acknowledged.resolve([]), ACKNOWLEDGE_MS);
    const ids = await this.#acknowledged.promise;
    clearTimeout(late);
    if (ids.length === 0) this.close();
    return ids.map((id) => this.#view.exposeTask(this.#member, id));
  }

  close(): void {
    this.#stop();
    this.#call.abort(new SwitchboardError('SWB_CANCELLED', 'The subscription has ended.'));
    this.#call.settle();
  }

  #receive({ method, params }: Notification, wanted: readonly string[]): void {
    if (method === 'notifications/subscriptions/acknowledged') {
      const honoured = isObject(params?.notifications) ? params.notifications.taskIds : undefined;
      this.#acknowledged.resolve(Array.isArray(honoured) ? wanted.filter((id) => honoured.includes(id)) : []);
    } else if (method === TASK_STATUS.modern && typeof params?.taskId === 'string') {
      const { taskId } = params;
      this.#reporting = this.#reporting
        .then(() => this.#filtered(params, taskId))
        .then((screened) => this.#report({ jsonrpc: '2.0', method, params: this.#exposed(screened, taskId) }))
        // What cannot be screened is dropped; the client still has tasks/get.
        .catch(() => {});
    }
  }

  async #filtered(params: JsonObject, taskId: string): Promise<JsonObject> {
    const filter = this.#owners.filterOf(this.#member, taskId, this.#call.caller);
    if (!filter || !isObject(params.result)) return params;
    const screened = await filter(Buffer.from(JSON.stringify(params.result)));
    return { ...params, result: JSON.parse(screened.toString('utf8')) };
  }

  #exposed(params: JsonObject, taskId: string): JsonObject {
    const asked = withDeclaredAsks(params, this.#call.caller.capabilities);
    const own: JsonObject = { ...asked, taskId: this.#view.exposeTask(this.#member, taskId) };
    if (this.#view.server !== undefined || !isObject(params.result)) return own;
    const bytes = Buffer.from(JSON.stringify(params.result));
    own.result = JSON.parse(exposeLinks(bytes, (uri) => this.#view.exposeUri(this.#member, uri)).toString('utf8'));
    return own;
  }
}
