/**
 * Finds an MCP server at a broker by what servers leave there retained: `$mcp-server/presence/{id}/{name}`. Several
 * instances with one name are one server, of which any will do.
 * @module
 */
import { SwitchboardError } from '../../../src/core/errors.ts';
import { shorten } from '../../../src/core/text.ts';
import { visible } from '../../../src/core/visible.ts';
import type { BrokerConnection, BrokerMessage } from '../../../src/wire/mqtt/index.ts';
import {
  filterProblem,
  isFilter,
  isNotification,
  ONLINE,
  PROPERTY,
  presenceFilter,
  presenceOf,
  presenceTopic,
  type ServerAddress,
} from '../../../src/wire/mqtt/mcp-topics.ts';

export interface Wanted {
  /** The server's name at the broker, or a filter of names. Undefined: the only one there is. */
  readonly name: string | undefined;
  /** The instance. */
  readonly id: string | undefined;
}

export interface Search {
  /** The server's name in the configuration, for messages. */
  readonly name: string;
  readonly broker: BrokerConnection;
  readonly wanted: Wanted;
  /** How long it is waited for a server to come online. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

/** Retained messages come right behind the SUBACK; after this long all of them have. */
const COLLECT_MS = 300;
/** Presences that are kept in mind; a broker may have more, and names the choice is among are few. */
const MAX_SERVERS = 1_000;
const SHOWN = 10;

/**
 * The server that is wanted. Rejects with `SWB_UPSTREAM_UNAVAILABLE` when none is online, with `SWB_CONFIG` when it is not
 * clear which of several is meant, and with the signal's reason.
 */
export async function discoverServer(search: Search): Promise<ServerAddress> {
  const { broker, wanted, patienceMs, signal } = search;
  const { promise, resolve, reject } = Promise.withResolvers<ServerAddress>();
  const online = new Map<string, ServerAddress>();
  const isExact = wanted.name !== undefined && !isFilter(wanted.name);
  let collected = false;

  const decide = (): void => {
    const [first] = online.values();
    if (!first || !(collected || isExact)) return;
    const names = new Set([...online.values()].map(({ name }) => name));
    if (names.size > 1) reject(ambiguous(search.name, [...names]));
    else resolve(first);
  };
  const seen = ({ topic, payload }: BrokerMessage): void => {
    const server = presenceOf(topic);
    if (!server) return;
    if (!isNotification(payload, ONLINE)) online.delete(topic);
    else if (online.size < MAX_SERVERS) online.set(topic, server);
    decide();
  };

  const filters = filtersOf(broker, wanted);
  const stops = filters.map((filter) => broker.on(filter, seen));
  const aborted = (): void => reject(signal.reason);
  signal.addEventListener('abort', aborted, { once: true });
  const timers: NodeJS.Timeout[] = [];
  promise.catch(() => {});
  try {
    await Promise.all(filters.map((filter) => broker.subscribe(filter)));
    timers.push(
      setTimeout(() => {
        collected = true;
        decide();
      }, COLLECT_MS),
      setTimeout(() => reject(absent(search.name, wanted)), patienceMs),
    );
    return await promise;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener('abort', aborted);
    for (const stop of stops) stop();
    const [found] = online.values();
    // The session that comes next subscribes to its server's own presence.
    for (const filter of filters) if (!found || filter !== presenceTopic(found)) broker.unsubscribe(filter);
  }
}

function filtersOf({ granted }: BrokerConnection, { name, id }: Wanted): string[] {
  if (name !== undefined) return [presenceFilter(name, id)];
  return (suggested(granted.userProperties?.[PROPERTY.nameFilters]) ?? ['#']).map((each) => presenceFilter(each, id));
}

/** The filters of names that the broker tells its clients to use; undefined where it does not. */
function suggested(property: unknown): string[] | undefined {
  if (typeof property !== 'string') return undefined;
  try {
    const filters: unknown = JSON.parse(property);
    if (!Array.isArray(filters)) return undefined;
    const usable = filters.filter(
      (each): each is string => typeof each === 'string' && filterProblem(each) === undefined,
    );
    return usable.length > 0 ? usable.slice(0, 100) : undefined;
  } catch {
    return undefined;
  }
}

function absent(name: string, wanted: Wanted): SwitchboardError {
  const called = wanted.name === undefined ? '' : ` called '${wanted.name}'`;
  const instance = wanted.id === undefined ? '' : ` with the id '${wanted.id}'`;
  return new SwitchboardError(
    'SWB_UPSTREAM_UNAVAILABLE',
    `Server '${name}' is not online: its broker shows no MCP server${called}${instance}, or not to this login.`,
    { data: { server: name } },
  );
}

function ambiguous(name: string, names: string[]): SwitchboardError {
  const shown = names
    .sort()
    .slice(0, SHOWN)
    .map((each) => visible(shorten(each, 80)));
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return new SwitchboardError(
    'SWB_CONFIG',
    `Server '${name}': several MCP servers are online at its broker (${shown.join(', ')}${more}). Set serverName to one of them.`,
    { data: { server: name } },
  );
}
