/**
 * Which notifications of clients go on to servers. What is about one request (`cancelled`, `progress`, `initialized`) is
 * the gateway's to act on: servers know its requests by other ids, and those of others too. And a message without an id
 * that is named like a request may be run by a server that does not look for the id: only notifications pass.
 * @module
 */
import type { Notification } from '../wire/jsonrpc.ts';

const PREFIX = 'notifications/';

const OF_REQUESTS: ReadonlySet<string> = new Set(['cancelled', 'progress', 'initialized'].map((name) => PREFIX + name));

/** Part of every revision, and about the client alone: no document needs to name them. */
const OF_CLIENTS: ReadonlySet<string> = new Set(['roots/list_changed', 'tasks/status'].map((name) => PREFIX + name));

export const mayGoOn = ({ method }: Notification): boolean => method.startsWith(PREFIX) && !OF_REQUESTS.has(method);

/** Whether policy has a say in it, as it has in methods that are extensions. */
export const isExtension = ({ method }: Notification): boolean => !OF_CLIENTS.has(method);
