/**
 * A federation of in-memory upstreams for tests of the relay: names as they are, one member per fake.
 * @module
 */

import type { ServerConfig } from '../../config/types.ts';
import type { Call } from '../../core/call.ts';
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { identityOf } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import type { CatalogKind, Change, Reply, Upstream } from '../../core/upstream.ts';
import type { Federation, Member, Route, View, ViewFilter } from '../../federation/types.ts';
import type { Era } from '../../wire/eras.ts';
import type { JsonObject, Notification } from '../../wire/jsonrpc.ts';
import type { Channel, ClientSession, Inbound } from '../types.ts';

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

export type RequestHandler = (method: string, params: JsonObject, call: Call) => Promise<Reply>;

export interface FakeServer {
  member: Member;
  upstream: Upstream;
  /** Fires a resource change to every listener of this URI. */
  touch(uri: string): void;
  listening(): string[];
  away: boolean;
}

export function fakeServer(
  name: string,
  era: Era,
  handler: RequestHandler,
  config: Partial<ServerConfig> = {},
): FakeServer {
  const listeners = new Map<string, Set<(change: Change) => void>>();
  const upstream: Upstream = {
    kind: 'mcp',
    transport: 'in-process',
    era,
    protocolVersion: era === 'modern' ? '2026-07-28' : '2025-11-25',
    capabilities: { tools: {}, resources: { subscribe: true } },
    serverInfo: { name, version: '1' },
    instructions: undefined,
    catalog: async () => ({ entries: [] }),
    request: handler,
    listen: () => ({ close() {} }),
    ping: async () => {},
    close: async () => {},
  };
  const server: FakeServer = {
    upstream,
    away: false,
    touch(uri) {
      for (const listener of listeners.get(uri) ?? []) listener({ type: 'resource', uri, params: { uri } });
    },
    listening: () => [...listeners].filter(([, set]) => set.size > 0).map(([uri]) => uri),
    member: {
      name,
      settling: false,
      config: {
        name,
        kind: 'mcp',
        target: { transport: 'http', url: 'http://fake', headers: {} },
        concurrency: 4,
        maxQueue: 8,
        queueTimeoutMs: 1_000,
        timeoutMs: 5_000,
        maxTimeoutMs: 10_000,
        connectTimeoutMs: 1_000,
        isolation: 'caller',
        namespace: name,
        tools: { include: [], exclude: [] },
        disabled: false,
        origin: 'file',
        ...config,
      },
      builtin: false,
      state: 'ready',
      get upstream() {
        return server.away ? undefined : upstream;
      },
      status: () => {
        throw new Error('not faked');
      },
      catalog: () => ({ entries: [] }),
      require() {
        if (server.away) throw new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${name}' is away.`);
        return upstream;
      },
      listenResources(uris, onChange) {
        for (const uri of uris) {
          if (!listeners.has(uri)) listeners.set(uri, new Set());
          listeners.get(uri)?.add(onChange);
        }
        return () => {
          for (const uri of uris) listeners.get(uri)?.delete(onChange);
        };
      },
    },
  };
  return server;
}

export interface FakeFederation extends Federation {
  changeList(kind: CatalogKind): void;
  announce(member: Member, notification: Notification, callerKey?: string): void;
}

/** Tools and prompts resolve as `<server>__<anything>`, URIs as `<server>+<anything>`. */
export function fakeFederation(servers: readonly FakeServer[]): FakeFederation {
  const listListeners = new Set<(kind: CatalogKind) => void>();
  const announceListeners = new Set<(m: Member, n: Notification, key: string | undefined) => void>();
  const split = (text: string, mark: string): Omit<Route, 'entry'> | undefined => {
    for (const { member } of servers) {
      const prefix = `${member.name}${mark}`;
      if (text.startsWith(prefix)) return { member, exposed: text, original: text.slice(prefix.length) };
    }
    return undefined;
  };
  const view = (server: string | undefined): View => {
    const base: View = {
      id: server ?? 'all',
      server,
      page: (kind, era) => ({ result: Buffer.from(JSON.stringify({ [kind]: [], era })) }),
      routes: () => [],
      resolve: (_kind, exposed) => {
        const route = split(server === undefined ? exposed : `${server}__${exposed}`, '__');
        return route && { ...route, exposed, entry: { key: route.original, value: {} } };
      },
      resolveUri(uri) {
        const own = servers.find(({ member }) => member.name === server)?.member;
        return own ? { member: own, exposed: uri, original: uri } : split(uri, '+');
      },
      exposeUri: (member, uri) => (server === undefined ? `${member.name}+${uri}` : uri),
      resolveTask: (taskId) => split(server === undefined ? taskId : `${server}+${taskId}`, '+'),
      exposeTask: (member, taskId) => (server === undefined ? `${member.name}+${taskId}` : taskId),
      capabilities: () => ({ tools: { listChanged: true }, resources: { listChanged: true, subscribe: true } }),
      instructions: () => 'fake',
      serverInfo: () => ({ name: 'fake', version: '0' }),
      onListChanged(listener) {
        listListeners.add(listener);
        return () => listListeners.delete(listener);
      },
      reaches: ({ name }) => server === undefined || server === name,
      restricted: (filter) => restrictFake(base, filter),
    };
    return base;
  };
  const unused = (): never => {
    throw new Error('not faked');
  };
  return {
    all: view(undefined),
    view: (name) => (servers.some(({ member }) => member.name === name) ? view(name) : undefined),
    members: () => servers.map(({ member }) => member),
    member: (name) => servers.find(({ member }) => member.name === name)?.member,
    add: unused,
    addBuiltin: unused,
    remove: unused,
    restart: unused,
    apply: unused,
    onStateChange: unused,
    onNotification(listener) {
      announceListeners.add(listener);
      return () => announceListeners.delete(listener);
    },
    settled: unused,
    settling: false,
    whenSettled: () => undefined,
    awaitsCallers: false,
    introduce: () => undefined,
    close: async () => {},
    changeList(kind) {
      for (const listener of listListeners) listener(kind);
    },
    announce(member, notification, callerKey) {
      for (const listener of announceListeners) listener(member, notification, callerKey);
    },
  };
}

/** A fake view under a filter. Its lists stay as they are: fakes list nothing. */
function restrictFake(base: View, filter: ViewFilter): View {
  const view: View = {
    ...base,
    reaches: (member) => base.reaches(member) && filter.reaches(member),
    resolve(kind, exposed) {
      const route = base.resolve(kind, exposed);
      return route && view.reaches(route.member) && filter.knows(kind, route.member, route.entry, exposed)
        ? route
        : undefined;
    },
    resolveUri(uri) {
      const route = base.resolveUri(uri);
      return route && view.reaches(route.member) && filter.knowsUri(route.member, route.original) ? route : undefined;
    },
    resolveTask(taskId) {
      const task = base.resolveTask(taskId);
      return task && view.reaches(task.member) ? task : undefined;
    },
    restricted: (inner) => restrictFake(view, inner),
  };
  return view;
}

export function fakeCaller(era: Era, overrides: Partial<Caller> = {}): Caller {
  return {
    key: 'local',
    principal: 'local',
    identity: identityOf(overrides.principal ?? 'local'),
    era,
    protocolVersion: era === 'modern' ? '2026-07-28' : '2025-11-25',
    capabilities: {},
    clientInfo: undefined,
    logLevel: undefined,
    sessionId: era === 'legacy' ? 's1' : undefined,
    ...overrides,
  };
}

export interface FakeChannel extends Channel {
  sent: Notification[];
}

export function fakeChannel(ask?: Channel['ask']): FakeChannel {
  const sent: Notification[] = [];
  return ask ? { sent, notify: (n) => sent.push(n), ask } : { sent, notify: (n) => sent.push(n) };
}

let nextId = 1;

export function inbound(
  view: View,
  caller: Caller,
  method: string,
  params: JsonObject = {},
  channel: Channel = fakeChannel(),
  session?: ClientSession,
): Inbound {
  const request = { jsonrpc: '2.0' as const, id: nextId++, method, params };
  return session ? { view, caller, request, channel, session } : { view, caller, request, channel };
}

export { resultObject as json } from '../types.ts';
