/**
 * Legacy sessions as the relay knows them: the notifications each receives outside its requests. A session is notified of
 * a list change only when its own view's list really changed, of a resource only while it is subscribed, and of an
 * upstream's other notifications only when they are its own. Those about a task go to the sessions that created the task.
 *
 * All of it goes by the view that the session's principal may know at that moment: what policy has taken from the
 * principal is not reported any more.
 * @module
 */

import { SwitchboardError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { passesLogLevel } from '../core/log-level.ts';
import { maskedNotification } from '../core/mask.ts';
import { Shares } from '../core/shares.ts';
import type { CatalogKind, Change } from '../core/upstream.ts';
import type { ClientOffers, Federation, Member, View } from '../federation/types.ts';
import { CHANNELS } from '../observe/events.ts';
import { NotificationOrder } from '../policy/decision/notification-order.ts';
import { type Notification, notification } from '../wire/jsonrpc.ts';
import { relatedTaskOf, statusOf } from '../wire/tasks.ts';
import type { Gate } from './gate/gate.ts';
import { viewFor } from './gate/lent-filter.ts';
import { maskOf } from './mask-of.ts';
import type { TaskOwners } from './tasks/task-owners.ts';
import { exposeTaskIds } from './tasks/translation.ts';
import type { ClientSession } from './types.ts';

/** Subscriptions one session may hold. */
export const MAX_SUBSCRIPTIONS = 1_000;

/** In all, of sessions and streams; one principal holds half of them at most. */
const MAX_OF_ALL = 50_000;

/** The notification of a change of each list; agents are not an MCP list. */
export const LIST_CHANGED: Readonly<Record<CatalogKind, string | undefined>> = {
  tools: 'notifications/tools/list_changed',
  prompts: 'notifications/prompts/list_changed',
  resources: 'notifications/resources/list_changed',
  templates: 'notifications/resources/list_changed',
  agents: undefined,
};

/** What policy lets a session know; everything where a member is missing. */
type SessionGate = Partial<Pick<Gate, 'viewFor' | 'screenNotification' | 'allowsUpdates' | 'onChanged'>>;

export interface SessionsOptions {
  federation: Pick<Federation, 'onNotification' | 'offers'>;
  log: Log;
  taskOwners: TaskOwners;
  gate?: SessionGate | undefined;
  /** The gateway, as events name it. */
  instance?: string;
}

interface Open {
  readonly session: ClientSession;
  /** In events. */
  number: number | undefined;
  /** The view whose list changes `stopLists` ends. */
  view: View;
  stopLists: () => void;
  readonly order: NotificationOrder;
  /** Ends a subscription, by the client's spelling of the URI. */
  readonly subscriptions: Map<string, () => void>;
}

export class ClientSessions {
  /** Subscriptions to resources, by principal. */
  readonly subscriptions = new Shares(MAX_OF_ALL, MAX_OF_ALL / 2);
  readonly #open = new Map<ClientSession, Open>();
  /** By caller key: the owners of most notifications are found without visiting all sessions. */
  readonly #byKey = new Map<string, Set<Open>>();
  readonly #log: Log;
  readonly #taskOwners: TaskOwners;
  readonly #gate: SessionGate;
  readonly #offers: ClientOffers | undefined;
  readonly #instance: string;
  #lastNumber = 0;

  constructor({ federation, log, taskOwners, gate = {}, instance = '' }: SessionsOptions) {
    this.#log = log;
    this.#taskOwners = taskOwners;
    this.#gate = gate;
    this.#instance = instance;
    this.#offers = federation.offers;
    federation.onNotification((member, sent, callerKey) => this.#deliver(member, sent, callerKey));
    gate.onChanged?.(() => this.#policyChanged());
  }

  open(session: ClientSession): void {
    const view = this.#viewOf(session);
    const stopLists = this.#reportLists(session, view);
    const open: Open = {
      session,
      number: undefined,
      view,
      stopLists,
      order: new NotificationOrder(),
      subscriptions: new Map(),
    };
    const { key } = session.caller;
    const own = this.#byKey.get(key) ?? new Set();
    this.#byKey.set(key, own.add(open));
    this.#open.set(session, open);
    this.#publish(open, 'opened');
  }

  /** Ends the subscriptions of the session. False when it was not open. */
  close(session: ClientSession): boolean {
    const open = this.#open.get(session);
    if (!open) return false;
    const { key } = session.caller;
    const own = this.#byKey.get(key);
    own?.delete(open);
    if (own?.size === 0) this.#byKey.delete(key);
    this.#open.delete(session);
    open.stopLists();
    for (const stop of open.subscriptions.values()) stop();
    this.subscriptions.give(session.caller.principal, open.subscriptions.size);
    this.#publish(open, 'closed');
    return true;
  }

  #publish(open: Open, state: 'opened' | 'closed'): void {
    if (!CHANNELS.session.hasSubscribers) return;
    open.number ??= ++this.#lastNumber;
    const { principal, identity, protocolVersion, clientInfo } = open.session.caller;
    CHANNELS.session.publish({
      instance: this.#instance,
      state,
      session: open.number,
      principal,
      grant: identity.grant,
      protocolVersion,
      client: clientInfo?.name,
    });
  }

  /** Sends a notification of the gateway's own to the session of this caller, where it is open. */
  tell(callerKey: string, sent: Notification): void {
    for (const { session } of this.#byKey.get(callerKey) ?? []) session.notify(sent);
  }

  #viewOf({ caller, view }: ClientSession): View {
    const offered = this.#offers?.lastingViewFor(caller.capabilities, view) ?? view;
    return viewFor(this.#gate, caller.identity, offered);
  }

  /** A principal that no policy bound may be bound now, and the other way round: then its sessions have another view. */
  #policyChanged(): void {
    for (const open of this.#open.values()) {
      const view = this.#viewOf(open.session);
      if (view === open.view) continue;
      open.stopLists();
      open.view = view;
      open.stopLists = this.#reportLists(open.session, view);
      for (const method of new Set(Object.values(LIST_CHANGED))) {
        if (method) open.session.notify(notification(method));
      }
    }
  }

  #reportLists(session: ClientSession, view: View): () => void {
    return view.onListChanged((kind) => {
      const method = LIST_CHANGED[kind];
      if (method) session.notify(notification(method));
    });
  }

  /** Throws when the session or its principal holds as many subscriptions as it may. */
  subscribe(session: ClientSession, uri: string, member: Member, original: string): void {
    const open = this.#open.get(session);
    if (!open || open.subscriptions.has(uri)) return;
    if (open.subscriptions.size >= MAX_SUBSCRIPTIONS) {
      throw new SwitchboardError('SWB_TOO_MANY_STREAMS', `A session may hold ${MAX_SUBSCRIPTIONS} subscriptions.`);
    }
    const { principal } = session.caller;
    this.requireSubscriptions(principal, 1);
    this.subscriptions.take(principal);
    const stop = reportUpdates({
      uri,
      member,
      original,
      view: () => this.#viewOf(session),
      isAllowed: () => this.#gate.allowsUpdates?.(session.caller, member, original) !== false,
      report: (sent) => this.#notify(open, member, sent),
    });
    open.subscriptions.set(uri, stop);
  }

  /** Throws when the principal may not hold so many more. */
  requireSubscriptions(principal: string, count: number): void {
    if (this.subscriptions.admits(principal, count)) return;
    throw this.subscriptions.refusal('SWB_TOO_MANY_STREAMS', 'subscriptions to resources', principal, count);
  }

  unsubscribe(session: ClientSession, uri: string): void {
    const open = this.#open.get(session);
    open?.subscriptions.get(uri)?.();
    if (open?.subscriptions.delete(uri)) this.subscriptions.give(session.caller.principal);
  }

  #deliver(member: Member, sent: Notification, callerKey: string | undefined): void {
    const said = maskedNotification(sent, maskOf(member));
    for (const open of this.#ownersOf(member, sent, callerKey)) {
      const { session } = open;
      if (sent.method === 'notifications/message' && !passesLogLevel(session.caller, sent.params)) continue;
      this.#notify(open, member, exposeTaskIds(said, session.view, member));
    }
  }

  /** The sessions a notification is for. */
  #ownersOf(member: Member, sent: Notification, callerKey: string | undefined): readonly Open[] {
    const reached = ({ session }: Open): boolean => this.#viewOf(session).reaches(member);
    if (callerKey !== undefined) return [...(this.#byKey.get(callerKey) ?? [])].filter(reached);
    const taskId = statusOf(sent) ?? relatedTaskOf(sent.params);
    if (taskId !== undefined) {
      const keys = [...this.#taskOwners.ownersOf(member, taskId)];
      return keys.flatMap((key) => [...(this.#byKey.get(key) ?? [])]).filter(reached);
    }
    // A session with the upstream that several principals share does not say whom it means: another's must not leak.
    const owners: Open[] = [];
    for (const open of this.#open.values()) {
      if (!reached(open)) continue;
      if (owners[0] && owners[0].session.caller.principal !== open.session.caller.principal) {
        this.#log.debug({ server: member.name, method: sent.method }, 'dropped a notification of a shared session');
        return [];
      }
      owners.push(open);
    }
    return owners;
  }

  /** Passes a notification on as policy lets the session see it. */
  #notify({ session, order }: Open, member: Member, sent: Notification): void {
    const gate = this.#gate;
    const screened = gate.screenNotification ? gate.screenNotification(session.caller, member, sent) : sent;
    order.pass(screened, (seen) => {
      if (this.#open.has(session)) session.notify(seen);
    });
  }
}

/** What `params.notifications.<field>` of `subscriptions/listen` lists, each once. Throws for anything but strings, and too many. */
export function subscribed(value: unknown, field: string, noun: string): string[] {
  if (!Array.isArray(value) || value.some((each) => typeof each !== 'string')) {
    throw new SwitchboardError('SWB_INVALID_PARAMS', `params.notifications.${field} must be a list of strings.`);
  }
  if (value.length <= MAX_SUBSCRIPTIONS) return [...new Set(value as string[])];
  throw new SwitchboardError('SWB_TOO_MANY_STREAMS', `A stream may hold ${MAX_SUBSCRIPTIONS} ${noun} subscriptions.`);
}

export interface ResourceUpdates {
  /** The client's spelling. */
  uri: string;
  member: Member;
  /** The server's spelling. */
  original: string;
  /** The client's view at this moment. */
  view(): View;
  /** Whether policy lets changes of the resource be reported. */
  isAllowed(): boolean;
  report(sent: Notification): void;
}

/** Reports updates of a resource while the view knows it. Returns a way to stop. */
export function reportUpdates({ uri, member, original, view, isAllowed, report }: ResourceUpdates): () => void {
  return member.listenResources([original], (change) => {
    if (!isAllowed()) return;
    const now = view();
    // Not by the client's spelling: an original URI has no owner any more once another server lists it too.
    if (now.reaches(member) && now.resolveUri(now.exposeUri(member, original))) report(updated(change, uri));
  });
}

/** `notifications/resources/updated` with the URI as the client knows it. */
function updated(change: Change, uri: string): Notification {
  const params = change.type === 'resource' ? change.params : {};
  return notification('notifications/resources/updated', { ...params, uri });
}
