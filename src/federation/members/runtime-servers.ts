/**
 * Servers connected at run time (`connectServer`), kept so that they survive a restart.
 *
 * Their headers may hold credentials. They are written to the state and nowhere else; its files are
 * readable by their owner only.
 * @module
 */

import { serverFromUrl } from '../../config/server-entry.ts';
import type { GatewayConfig, ServerConfig } from '../../config/types.ts';
import type { Adapter } from '../../core/adapter.ts';
import { adapterOf } from '../../core/kinds.ts';
import type { Log } from '../../core/log.ts';
import type { Bus, KeyValue, State } from '../../state/state.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import type { Federation } from '../types.ts';

export interface RuntimeServer {
  name: string;
  url: string;
  kind: string | undefined;
  headers: Readonly<Record<string, string>>;
  namespace: string | false;
  /** Who connected it; unknown for those of earlier versions. */
  principal?: string | undefined;
}

export interface RuntimeServers {
  save(server: RuntimeServer): Promise<void>;
  /** By name. What cannot be read is left out, with a line in the log. */
  list(): Promise<RuntimeServer[]>;
  /** False when there was none of that name. */
  delete(name: string): Promise<boolean>;
}

/** The namespace of the servers, and the topic of messages that name one that was saved or deleted. */
const RUNTIME_SERVERS = 'runtime-servers';

/** `bus` tells the other gateways on the same state. */
export function createRuntimeServers(
  store: KeyValue,
  adapters: readonly Adapter[],
  log: Log,
  bus?: Bus,
): RuntimeServers {
  return {
    async save({ name, url, kind, headers, namespace, principal }) {
      const saved = { url, kind: kind ?? null, headers: { ...headers }, namespace };
      await store.set(RUNTIME_SERVERS, name, principal === undefined ? saved : { ...saved, principal });
      bus?.publish(RUNTIME_SERVERS, name);
    },
    async list() {
      const servers: RuntimeServer[] = [];
      for (const [name, value] of await store.entries(RUNTIME_SERVERS)) {
        const server = readServer(name, value, adapters);
        if (server) servers.push(server);
        else log.warn({ server: name }, 'A server connected earlier cannot be read from the state folder; left out.');
      }
      return servers.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    async delete(name) {
      const deleted = await store.delete(RUNTIME_SERVERS, name);
      if (deleted) bus?.publish(RUNTIME_SERVERS, name);
      return deleted;
    },
  };
}

function readServer(name: string, value: unknown, adapters: readonly Adapter[]): RuntimeServer | undefined {
  if (!isObject(value)) return undefined;
  const { url, kind, headers, namespace, principal } = value;
  if (typeof url !== 'string' || !/^https?:/.test(url) || !URL.canParse(url)) return undefined;
  if (kind !== null && (typeof kind !== 'string' || !adapterOf(adapters, kind))) return undefined;
  if (namespace !== false && (typeof namespace !== 'string' || namespace === '')) return undefined;
  if (!isObject(headers) || !Object.values(headers).every((header) => typeof header === 'string')) return undefined;
  return {
    name,
    url,
    kind: kind ?? undefined,
    headers: headers as Record<string, string>,
    namespace,
    principal: typeof principal === 'string' ? principal : undefined,
  };
}

/** The configuration a server connected at run time gets: the defaults, and the network guard by its origin. */
export const runtimeServerConfig = ({
  name,
  url,
  kind,
  headers,
  namespace,
  principal,
}: RuntimeServer): ServerConfig => ({
  ...serverFromUrl(name, url, 'runtime', { kind, headers }),
  namespace,
  connectedBy: principal,
});

export interface RestoreDeps {
  servers: RuntimeServers;
  federation: Pick<Federation, 'add' | 'member'>;
  connect: GatewayConfig['connect'];
  log: Log;
}

/**
 * Adds the servers connected before the last stop, up to `connect.maxServers`. Resolves with their names as soon as
 * they are in the federation; connecting goes on behind, and one that is away stays and is tried again, like any other.
 * Names the configuration has taken since are its own.
 */
export async function restoreRuntimeServers({ servers, federation, connect, log }: RestoreDeps): Promise<string[]> {
  const known = await servers.list();
  if (!connect.enabled) {
    if (known.length > 0)
      log.info({ servers: known.length }, 'Servers connected earlier stay out: connect is disabled.');
    return [];
  }
  const restored: string[] = [];
  for (const server of known) {
    if (federation.member(server.name)) {
      log.warn({ server: server.name }, 'A server connected earlier stays out: its name is now in the configuration.');
    } else if (restored.length >= connect.maxServers) {
      log.warn({ server: server.name }, 'A server connected earlier stays out: connect.maxServers is reached.');
    } else {
      restored.push(server.name);
      federation.add(runtimeServerConfig(server)).catch((error: unknown) => {
        log.error({ server: server.name, err: error }, 'A server connected earlier could not be added.');
      });
    }
  }
  return restored;
}

export interface FollowDeps extends Omit<RestoreDeps, 'federation'> {
  federation: Pick<Federation, 'add' | 'member' | 'members' | 'remove'>;
  state: Pick<State, 'bus' | 'replica'>;
}

/**
 * Adds and removes servers as other gateways on the same state connect and disconnect them. Returns a function that ends
 * it.
 */
export function followRuntimeServers({ state, ...deps }: FollowDeps): () => void {
  let following = Promise.resolve();
  const followLater = (name: string): void => {
    following = following
      .then(() => follow(name, deps))
      .catch((error: unknown) => {
        deps.log.warn({ server: name, err: error }, 'A server that another gateway connected could not be followed.');
      });
  };
  const stopListening = state.bus.subscribe(RUNTIME_SERVERS, (message, from) => {
    if (from !== state.replica && deps.connect.enabled) followLater(String(message));
  });
  // A server that was not there when messages were missed may be there now, and the other way round.
  const stopWatching = state.bus.onGap(() => {
    if (!deps.connect.enabled) return;
    deps.servers.list().then(
      (saved) => {
        const here = deps.federation.members().filter(({ config }) => config.origin === 'runtime');
        // A store that came back empty has lost them: no reason to end what works.
        const gone = saved.length > 0 ? here : [];
        for (const name of new Set([...saved, ...gone].map((each) => each.name))) followLater(name);
      },
      (error: unknown) => deps.log.warn({ err: error }, 'The servers that other gateways connected cannot be read.'),
    );
  });
  return () => {
    stopListening();
    stopWatching();
  };
}

async function follow(name: string, { servers, federation, connect }: Omit<FollowDeps, 'state'>): Promise<void> {
  const saved = (await servers.list()).find((server) => server.name === name);
  const member = federation.member(name);
  const connected = federation.members().filter(({ config }) => config.origin === 'runtime');
  if (saved && !member && connected.length < connect.maxServers) {
    // Not waited for: a server that never answers must not hold up the next message.
    void federation.add(runtimeServerConfig(saved)).catch(() => {});
  } else if (!saved && member?.config.origin === 'runtime') await federation.remove(name);
}
