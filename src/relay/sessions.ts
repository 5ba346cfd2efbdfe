/**
 * Legacy sessions as the relay knows them: what each hears outside its requests. A session is told of a list change
 * only when its own view's list really changed, of a resource only while it is subscribed, and of an upstream's other
 * notifications only when they are its own. What is about a task goes to whoever created the task.
 *
 * All of it goes by the view as the session's principal may know it, asked at the moment something is to be told: what
 * was taken from the principal meanwhile is not heard of any more.
 * @module
 */

import type { Log } from '../core/log.ts';
import { passesLogLevel } from '../core/log-level.ts';
import type { CatalogKind, Change } from '../core/upstream.ts';
import type { Federation, Member, View } from '../federation/types.ts';
import { type Notification, notification } from '../wire/jsonrpc.ts';
import { relatedTaskOf, statusOf } from '../wire/tasks.ts';
import { InOrder, type Seen } from './gate/in-order.ts';
import type { TaskLedger } from './tasks/task-owners.ts';
import { exposed } from './tasks/translation.ts';
import type { ClientSession } from './types.ts';

/** Subscriptions one session may hold. */
export const MAX_SUBSCRIPTIONS = 1_000;

/** The notification that tells of a change of each list; agents are not an MCP list. */
export const LIST_CHANGED: Readonly<Record<CatalogKind, string | undefined>> = {
  tools: 'notifications/tools/list_changed',
  prompts: 'notifications/prompts/list_changed',
  resources: 'notifications/resources/list_changed',
  templates: 'notifications/resources/list_changed',
  agents: undefined,
};

export interface SessionsOptions {
  /** The session's view as its principal may know it; its own where nothing is kept from anybody. */
  viewOf(session: ClientSession): View;
  /** A server's notification as policy lets the session see it; undefined: not at all. */
  screen: ((session: ClientSession, member: Member, sent: Notification) => Seen | Promise<Seen>) | undefined;
  hears?: ((session: ClientSession, member: Member, original: string) => boolean) | undefined;
}

/** Whether policy lets changes of this resource be told. */
export type Hears = (member: Member, original: string) => boolean;

interface Open {
  session: ClientSession;
  /** What `stopLists` stops hearing of. */
  view: View;
  /** What it hears outside its requests, which hooks may look at. */
  notes: InOrder;
  /** By the URI as the client spelled it. */
  subscriptions: Map<string, () => void>;
  stopLists: () => void;
}

export class ClientSessions {
  readonly #open = new Map<ClientSession, Open>();
  readonly #log: Log;
  readonly #ledger: TaskLedger;
  readonly #viewOf: SessionsOptions['viewOf'];
  readonly #screen: SessionsOptions['screen'];
  readonly #hears: SessionsOptions['hears'];

  constructor(
    federation: Federation,
    log: Log,
    ledger: TaskLedger,
    { viewOf, screen, hears }: SessionsOptions = { viewOf: (session) => session.view, screen: undefined },
  ) {
    this.#log = log;
    this.#ledger = ledger;
    this.#viewOf = viewOf;
    this.#screen = screen;
    this.#hears = hears;
    federation.onNotification((member, sent, callerKey) => this.#deliver(member, sent, callerKey));
  }

  open(session: ClientSession): void {
    const view = this.#viewOf(session);
    const stopLists = this.#hearLists(session, view);
    this.#open.set(session, { session, view, notes: new InOrder(), subscriptions: new Map(), stopLists });
  }

  /** A principal whom nothing was kept from may have another view now, and the other way round. */
  policyChanged(): void {
    for (const open of this.#open.values()) {
      const view = this.#viewOf(open.session);
      if (view === open.view) continue;
      open.stopLists();
      open.view = view;
      open.stopLists = this.#hearLists(open.session, view);
      for (const method of new Set(Object.values(LIST_CHANGED))) {
        if (method) open.session.notify(notification(method));
      }
    }
  }

  #hearLists(session: ClientSession, view: View): () => void {
    return view.onListChanged((kind) => {
      const method = LIST_CHANGED[kind];
      if (method) session.notify(notification(method));
    });
  }

  /** Ends what the session listens to. False when it was not open. */
  close(session: ClientSession): boolean {
    const open = this.#open.get(session);
    if (!open) return false;
    this.#open.delete(session);
    open.stopLists();
    for (const stop of open.subscriptions.values()) stop();
    return true;
  }

  /** False when the session holds as many subscriptions as it may. */
  subscribe(session: ClientSession, uri: string, member: Member, original: string): boolean {
    const open = this.#open.get(session);
    if (!open || open.subscriptions.has(uri)) return true;
    if (open.subscriptions.size >= MAX_SUBSCRIPTIONS) return false;
    const stop = listenWhileKnown(
      () => this.#viewOf(session),
      { uri, member, original },
      (sent) => this.#tell(session, member, sent),
      (of, uriThere) => this.#hears?.(session, of, uriThere) !== false,
    );
    open.subscriptions.set(uri, stop);
    return true;
  }

  unsubscribe(session: ClientSession, uri: string): void {
    const open = this.#open.get(session);
    open?.subscriptions.get(uri)?.();
    open?.subscriptions.delete(uri);
  }

  #deliver(member: Member, sent: Notification, callerKey: string | undefined): void {
    const reached = [...this.#open.keys()].filter((session) => this.#viewOf(session).reaches(member));
    const keys = callerKey === undefined ? this.#creators(member, sent) : new Set([callerKey]);
    const owners = keys === undefined ? reached : reached.filter((session) => keys.has(session.caller.key));
    // An upstream session that several principals share does not say whom it means: nobody hears what may be another's.
    if (keys === undefined && new Set(owners.map((session) => session.caller.principal)).size > 1) {
      this.#log.debug({ server: member.name, method: sent.method }, 'dropped a notification of a shared session');
      return;
    }
    for (const session of owners) {
      if (sent.method === 'notifications/message' && !passesLogLevel(session.caller, sent.params)) continue;
      this.#tell(session, member, exposed(sent, session.view, member));
    }
  }

  #tell(session: ClientSession, member: Member, sent: Notification): void {
    const open = this.#open.get(session);
    const seen = this.#screen ? this.#screen(session, member, sent) : sent;
    open?.notes.pass(seen, (screened) => {
      if (this.#open.has(session)) session.notify(screened);
    });
  }

  /** Who created the task a notification is about; undefined when it is about none. */
  #creators(member: Member, sent: Notification): ReadonlySet<string> | undefined {
    const taskId = statusOf(sent) ?? relatedTaskOf(sent.params);
    return taskId === undefined ? undefined : this.#ledger.ownersOf(member, taskId);
  }
}

/** Tells of updates of a resource of one server, as long as the view knows the resource. `uri` is the client's spelling. */
export function listenWhileKnown(
  view: () => View,
  { uri, member, original }: { uri: string; member: Member; original: string },
  tell: (sent: Notification) => void,
  hears: Hears = () => true,
): () => void {
  return member.listenResources([original], (change) => {
    if (!hears(member, original)) return;
    const now = view();
    // Not by the client's spelling: an original URI has no owner any more once another server lists it too.
    if (now.reaches(member) && now.resolveUri(now.exposeUri(member, original))) tell(updated(change, uri));
  });
}

/** `notifications/resources/updated` with the URI as the client knows it. */
function updated(change: Change, uri: string): Notification {
  const params = change.type === 'resource' ? change.params : {};
  return notification('notifications/resources/updated', { ...params, uri });
}
