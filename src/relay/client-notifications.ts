/**
 * Notifications of clients that are not about a running request: which of them are for servers, and for which servers.
 * @module
 */
import type { Caller } from '../core/caller.ts';
import type { Federation, View } from '../federation/types.ts';
import type { Notification } from '../wire/jsonrpc.ts';
import type { Gate } from './gate/gate.ts';
import { viewFor } from './gate/lent-filter.ts';
import type { ClientTasks } from './tasks/client-tasks.ts';

interface Ways {
  federation: Federation;
  gate: Gate | undefined;
  clientTasks: ClientTasks;
}

/** Passes a notification on to the servers that it concerns, and that the caller may send it to. */
export function passOn(sent: Notification, caller: Caller, view: View, { federation, gate, clientTasks }: Ways): void {
  if (!isForServers(sent) || caller.identity.lent) return;
  const restricted = viewFor(gate, caller.identity, view);
  for (const member of federation.members()) {
    if (!restricted.reaches(member)) continue;
    const concerned =
      view.server === undefined ? clientTasks.concerns(member, caller.key, sent) : view.server === member.name;
    if (!concerned) continue;
    const pass = (): void => member.upstream?.notify?.(sent, caller);
    const allowed = !gate || !isExtension(sent) || gate.allowsNotification(caller, member, sent);
    if (allowed instanceof Promise) void allowed.then((may) => may && pass());
    else if (allowed) pass();
  }
}

const PREFIX = 'notifications/';

/** About one request: the gateway acts on them, since servers know its requests by other ids. */
const OF_REQUESTS: ReadonlySet<string> = new Set(['cancelled', 'progress', 'initialized'].map((name) => PREFIX + name));

/** Part of every revision, and about the client alone: no document needs to name them. */
const OF_CLIENTS: ReadonlySet<string> = new Set(['roots/list_changed', 'tasks/status'].map((name) => PREFIX + name));

/** A message without an id that is named like a request might be run by a server: only notifications are passed on. */
const isForServers = ({ method }: Notification): boolean => method.startsWith(PREFIX) && !OF_REQUESTS.has(method);

/** Policy decides about these, as about methods of extensions. */
const isExtension = ({ method }: Notification): boolean => !OF_CLIENTS.has(method);
