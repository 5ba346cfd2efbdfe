/**
 * Hearing of changes: `resources/subscribe` and `unsubscribe` of legacy sessions, `subscriptions/listen` of modern
 * clients (2026-07-28 basic/patterns/subscriptions).
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import type { Member } from '../../federation/types.ts';
import { META } from '../../wire/envelope.ts';
import { isObject, type JsonObject, type Notification, notification } from '../../wire/jsonrpc.ts';
import { InOrder } from '../gate/in-order.ts';
import { type Method, type RequestContext, requireString } from '../request-context.ts';
import { type Hears, LIST_CHANGED, listenWhileKnown, MAX_SUBSCRIPTIONS } from '../sessions.ts';
import { listenToTasks } from '../tasks/listen.ts';
import { isUnoffered, requireOffered, requireUri, routeOf } from './unknown-uris.ts';

export const subscribe: Method = (turn) => {
  const { inbound, services, params } = turn;
  const { session } = inbound;
  const uri = requireString(params, 'uri');
  const route = requireUri(turn, uri);
  requireOffered(turn, { ...route, uri });
  const denied = services.gate?.refusesHearing(inbound, route.member, route.original);
  if (denied) throw denied;
  if (session && !services.sessions.subscribe(session, uri, route.member, route.original)) {
    throw new SwitchboardError('SWB_TOO_MANY_STREAMS', `A session may hold ${MAX_SUBSCRIPTIONS} subscriptions.`);
  }
  return { value: {} };
};

export const unsubscribe: Method = ({ inbound: { session }, services, params }) => {
  const uri = requireString(params, 'uri');
  if (session) services.sessions.unsubscribe(session, uri);
  return { value: {} };
};

/** The filter fields of `subscriptions/listen` and the notification each stands for. */
const LIST_FILTERS = {
  toolsListChanged: 'notifications/tools/list_changed',
  promptsListChanged: 'notifications/prompts/list_changed',
  resourcesListChanged: 'notifications/resources/list_changed',
} as const;

type ListFilter = keyof typeof LIST_FILTERS;

/** Lives until its client closes the stream (abort) or the gateway shuts down (graceful result). */
export const listen: Method = async (turn) => {
  const { call, services, inbound } = turn;
  const filter = turn.params.notifications;
  if (!isObject(filter)) throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.notifications must be an object.');
  const stamp = { [META.subscriptionId]: inbound.request.id };
  const send = (sent: Notification): void => {
    const own = isObject(sent.params?._meta) ? sent.params._meta : {};
    call.notify({ ...sent, params: { ...sent.params, _meta: { ...own, ...stamp } } });
  };

  const notes = new InOrder();
  /** What a server says, as hooks let it be seen. */
  const tell = (member: Member, sent: Notification): void =>
    notes.pass(services.gate ? services.gate.screenOutside(inbound.caller, member, sent) : sent, send);

  const lists = wantedLists(turn, filter);
  const resources = wantedResources(turn, filter);
  const honoured: JsonObject = {};
  for (const field of lists.keys()) honoured[field] = true;
  if (resources.length > 0) honoured.resourceSubscriptions = resources.map(({ uri }) => uri);
  // What a policy has taken from the client since is not told.
  const sendOfTask = (sent: Notification): void => {
    const task = inbound.view.resolveTask(String(sent.params?.taskId));
    if (task) tell(task.member, sent);
  };
  const tasks = filter.taskIds === undefined ? undefined : await listenToTasks(turn, filter.taskIds, sendOfTask);
  if (tasks && tasks.honoured.length > 0) honoured.taskIds = tasks.honoured;
  // Acknowledged before anything else may be heard on it.
  send(notification('notifications/subscriptions/acknowledged', { notifications: honoured }));

  const methods = new Set<string>(lists.values());
  const hears: Hears = (member, original) => services.gate?.hears(inbound.caller, member, original) !== false;
  const stops = [
    inbound.view.onListChanged((kind) => {
      const method = LIST_CHANGED[kind];
      if (method && methods.has(method)) send(notification(method));
    }),
    ...resources.map((resource) =>
      listenWhileKnown(
        () => inbound.view,
        resource,
        (sent) => tell(resource.member, sent),
        hears,
      ),
    ),
  ];
  tasks?.start();
  try {
    await new Promise<void>((done) => {
      stops.push(services.onClosing(done));
      call.onAbort(() => done());
      void tasks?.over.then(done);
      // A stream of another view than the principal has now ends; its client subscribes again.
      const { gate } = services;
      if (!gate) return;
      const look = (): void => {
        if (gate.viewFor(inbound.caller.identity, turn.whole) !== inbound.view) done();
      };
      stops.push(gate.onChanged(look));
      // It may have changed since the request came.
      look();
    });
    return { value: { resultType: 'complete', _meta: stamp } };
  } finally {
    for (const stop of stops) stop();
    tasks?.close();
  }
};

/** The list notifications asked for and offered: only what the view's capabilities declare is honoured. */
function wantedLists({ inbound }: RequestContext, filter: JsonObject): Map<ListFilter, string> {
  const capabilities = inbound.view.capabilities('modern');
  const wanted = new Map<ListFilter, string>();
  for (const [field, method] of Object.entries(LIST_FILTERS) as [ListFilter, string][]) {
    const area = capabilities[method.split('/')[1] as string];
    if (filter[field] === true && isObject(area) && area.listChanged === true) wanted.set(field, method);
  }
  return wanted;
}

function wantedResources(turn: RequestContext, filter: JsonObject) {
  const { inbound, services } = turn;
  const uris = filter.resourceSubscriptions;
  if (uris === undefined) return [];
  if (!Array.isArray(uris) || uris.some((uri) => typeof uri !== 'string')) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      'params.notifications.resourceSubscriptions must be a list of strings.',
    );
  }
  if (uris.length > MAX_SUBSCRIPTIONS) {
    throw new SwitchboardError(
      'SWB_TOO_MANY_STREAMS',
      `A stream may hold ${MAX_SUBSCRIPTIONS} resource subscriptions.`,
    );
  }
  // Unknown and forbidden resources, and servers that cannot subscribe are left out of the acknowledgment, which is how a client sees it.
  return [...new Set(uris as string[])].flatMap((uri) => {
    const route = routeOf(turn, uri);
    if (!route || isUnoffered(turn, { ...route, uri })) return [];
    if (services.gate?.refusesHearing(inbound, route.member, route.original)) return [];
    const resources = route.member.upstream?.capabilities.resources;
    return isObject(resources) && resources.subscribe === true ? [{ ...route, uri }] : [];
  });
}
