/**
 * Subscriptions to changes: `resources/subscribe` and `unsubscribe` of legacy sessions, `subscriptions/listen` of modern
 * clients (2026-07-28 basic/patterns/subscriptions).
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import type { Member } from '../../federation/types.ts';
import { NotificationOrder } from '../../policy/decision/notification-order.ts';
import { Denied } from '../../policy/denied.ts';
import { META } from '../../wire/envelope.ts';
import { isObject, type JsonObject, type Notification, notification } from '../../wire/jsonrpc.ts';
import type { Gate } from '../gate/gate.ts';
import { viewFor } from '../gate/lent-filter.ts';
import { type Method, type RequestContext, requireString } from '../request-context.ts';
import { RunTasks } from '../runs/run-tasks.ts';
import type { Runs } from '../runs/runs.ts';
import { type ClientSessions, LIST_CHANGED, reportUpdates, subscribed } from '../sessions.ts';
import { listenToTasks } from '../tasks/listen.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { type Names, type RequestedUri, unknownName } from '../unknown-names.ts';

/** The filter fields of `subscriptions/listen` and the notification each stands for. */
const LIST_FILTERS = {
  toolsListChanged: 'notifications/tools/list_changed',
  promptsListChanged: 'notifications/prompts/list_changed',
  resourcesListChanged: 'notifications/resources/list_changed',
} as const;

type ListFilter = keyof typeof LIST_FILTERS;

interface Dependencies {
  sessions: ClientSessions;
  names: Names;
  tasks: Tasks;
  runs: Runs;
  gate: Gate | undefined;
  /** Called when the gateway shuts down. Returns a way to stop listening. */
  onClosing(listener: () => void): () => void;
}

export function subscriptionMethods({ sessions, names, tasks, runs, gate, onClosing }: Dependencies) {
  const runTasks = new RunTasks(runs);

  const subscribe: Method = (context) => {
    const { session } = context;
    const uri = requireString(context.params, 'uri');
    const route = names.requireUri(context, uri);
    if (names.isUnoffered(context, route)) throw unknownName('resources', uri);
    gate?.requireUpdates(context, route.member, route.original);
    if (session) sessions.subscribe(session, uri, route.member, route.original);
    return { value: {} };
  };

  const unsubscribe: Method = ({ session, params }) => {
    const uri = requireString(params, 'uri');
    if (session) sessions.unsubscribe(session, uri);
    return { value: {} };
  };

  /** Lasts until its client closes the stream (abort) or the gateway shuts down (graceful result). */
  const listen: Method = async (context) => {
    const { call, view, caller, request } = context;
    const filter = context.params.notifications;
    if (!isObject(filter)) throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.notifications must be an object.');
    const stamp = { [META.subscriptionId]: request.id };
    const send = (sent: Notification): void => {
      const own = isObject(sent.params?._meta) ? sent.params._meta : {};
      call.notify({ ...sent, params: { ...sent.params, _meta: { ...own, ...stamp } } });
    };
    const order = new NotificationOrder();
    /** Sends a server's notification as hooks let the client see it. */
    const report = (member: Member, sent: Notification): void =>
      order.pass(gate ? gate.screenNotification(caller, member, sent) : sent, send);

    const lists = wantedLists(context, filter);
    const resources = wantedResources(context, filter);
    const { principal } = caller;
    sessions.requireSubscriptions(principal, resources.length);
    const honoured: JsonObject = {};
    for (const field of lists.keys()) honoured[field] = true;
    if (resources.length > 0) honoured.resourceSubscriptions = resources.map(({ uri }) => uri);
    const sendOfTask = (sent: Notification): void => {
      // Policy may have taken the server from the client since.
      const task = view.resolveTask(String(sent.params?.taskId));
      if (task) report(task.member, sent);
    };
    const streams =
      filter.taskIds === undefined ? undefined : await listenToTasks(context, filter.taskIds, tasks, sendOfTask);
    const ofRuns =
      streams &&
      (await runTasks.listen(
        context,
        subscribed(filter.taskIds, 'taskIds', 'task').filter((id) => runs.isRunId(id)),
        send,
      ));
    const reported = [...(streams?.honoured ?? []), ...(ofRuns?.honoured ?? [])];
    if (reported.length > 0) honoured.taskIds = reported;
    sessions.subscriptions.take(principal, resources.length);
    // The acknowledgment comes before all other notifications.
    send(notification('notifications/subscriptions/acknowledged', { notifications: honoured }));

    const methods = new Set<string>(lists.values());
    const stops = [
      () => sessions.subscriptions.give(principal, resources.length),
      view.onListChanged((kind) => {
        const method = LIST_CHANGED[kind];
        if (method && methods.has(method)) send(notification(method));
      }),
      ...resources.map(({ uri, member, original }) =>
        reportUpdates({
          uri,
          member,
          original,
          view: () => view,
          isAllowed: () => gate?.allowsUpdates(caller, member, original) !== false,
          report: (sent) => report(member, sent),
        }),
      ),
    ];
    streams?.start();
    ofRuns?.start();
    try {
      await new Promise<void>((done) => {
        stops.push(onClosing(done));
        call.onAbort(() => done());
        void streams?.over.then(done);
        if (!gate) return;
        // The stream ends when policy gives the principal another view; its client subscribes again.
        const endIfChanged = (): void => {
          if (viewFor(gate, caller.identity, context.fullView) !== view) done();
        };
        stops.push(gate.onChanged(endIfChanged));
        // It may have changed since the request came.
        endIfChanged();
      });
      return { value: { resultType: 'complete', _meta: stamp } };
    } finally {
      for (const stop of stops) stop();
      streams?.close();
      ofRuns?.close();
    }
  };

  /** Unknown and forbidden resources, and those of servers without subscriptions, are left out of the acknowledgment. */
  function wantedResources(context: RequestContext, { resourceSubscriptions: uris }: JsonObject): RequestedUri[] {
    if (uris === undefined) return [];
    return subscribed(uris, 'resourceSubscriptions', 'resource').flatMap((uri) => {
      const route = names.findUri(context, uri);
      if (!route || names.isUnoffered(context, route) || !allowsUpdates(context, route)) return [];
      const resources = route.member.upstream?.capabilities.resources;
      return isObject(resources) && resources.subscribe === true ? [{ ...route, uri }] : [];
    });
  }

  function allowsUpdates(context: RequestContext, { member, original }: Omit<RequestedUri, 'uri'>): boolean {
    try {
      gate?.requireUpdates(context, member, original);
      return true;
    } catch (error) {
      if (error instanceof Denied) return false;
      if (error instanceof SwitchboardError && error.code === 'SWB_INSUFFICIENT_SCOPE') return false;
      throw error;
    }
  }

  return { subscribe, unsubscribe, listen };
}

/** The list notifications that are asked for and that the view's capabilities declare. */
function wantedLists({ view }: RequestContext, filter: JsonObject): Map<ListFilter, string> {
  const capabilities = view.capabilities('modern');
  const wanted = new Map<ListFilter, string>();
  for (const [field, method] of Object.entries(LIST_FILTERS) as [ListFilter, string][]) {
    const area = capabilities[method.split('/')[1] as string];
    if (filter[field] === true && isObject(area) && area.listChanged === true) wanted.set(field, method);
  }
  return wanted;
}
