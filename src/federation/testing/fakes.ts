/**
 * Servers in memory with faults on request, and a federation in front of them.
 * @module
 */

import { mcpAdapter } from '../../../adapters/mcp/index.ts';
import { type RecordingLog, recordingLog } from '../../../adapters/testing/context.ts';
import type { GatewayConfig, ServerConfig } from '../../config/types.ts';
import type { Adapter, ConnectContext } from '../../core/adapter.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Catalog, CatalogKind, Change, Entry, ListenFilter, Subscription, Upstream } from '../../core/upstream.ts';
import type { Era } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { createFederation, type FederationOptions } from '../federation.ts';
import type { Timing } from '../members/timing.ts';
import type { Federation } from '../types.ts';

/** An entry as an upstream sends it. */
export function entry(kind: CatalogKind, key: string, rest: JsonObject = {}): Entry {
  const member = kind === 'resources' ? 'uri' : kind === 'templates' ? 'uriTemplate' : 'name';
  const value = { [member]: key, ...rest };
  return { key, value, raw: Buffer.from(JSON.stringify(value)) };
}

export const tool = (name: string, rest: JsonObject = { inputSchema: { type: 'object' } }): Entry =>
  entry('tools', name, rest);

type Behaviour = 'ok' | 'hang' | 'fail';

/** The server behind connections that come and go. */
export class FakeServer {
  connecting: Behaviour = 'ok';
  closing: Behaviour = 'ok';
  pinging: Behaviour = 'ok';
  readonly listing: Partial<Record<CatalogKind, Behaviour>> = {};
  readonly catalogs: Partial<Record<CatalogKind, Catalog>> = {};
  capabilities: JsonObject = { tools: { listChanged: true } };
  era: Era = 'legacy';
  instructions: string | undefined;
  serverInfo = { name: 'fake', version: '1.0.0' };
  /** Contexts of every attempt to connect. */
  readonly attempts: ConnectContext[] = [];
  /** How often each list was asked for. */
  readonly lists: Record<CatalogKind, number> = { tools: 0, prompts: 0, resources: 0, templates: 0, agents: 0 };
  readonly listens: { filter: ListenFilter; onChange: (change: Change) => void; closed: boolean }[] = [];
  closes = 0;
  /** Whether its connections say that they have answered a client. */
  answered = false;

  constructor(...tools: string[]) {
    this.catalogs.tools = { entries: tools.map((name) => tool(name)) };
  }

  /** Entries are copied, as every fetch makes new ones. */
  setTools(...tools: string[]): void {
    this.catalogs.tools = { ...this.catalogs.tools, entries: tools.map((name) => tool(name)) };
  }

  get context(): ConnectContext {
    const last = this.attempts.at(-1);
    if (!last) throw new Error('Nobody connected.');
    return last;
  }

  crash(reason: Error = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'the connection was lost')): void {
    this.context.onDown(reason);
  }

  changed(kind: CatalogKind): void {
    this.tell({ type: 'list', kind }, ({ lists }) => lists === true);
  }

  updated(uri: string): void {
    this.tell({ type: 'resource', uri, params: { uri } }, ({ resources }) => resources?.includes(uri) === true);
  }

  openListens(matches: (filter: ListenFilter) => boolean): number {
    return this.listens.filter(({ filter, closed }) => !closed && matches(filter)).length;
  }

  async connect(context: ConnectContext): Promise<Upstream> {
    this.attempts.push(context);
    await behave(this.connecting);
    return this.upstream();
  }

  upstream(): Upstream {
    const { era, capabilities, serverInfo, instructions, answered } = this;
    return {
      kind: 'mcp',
      answered,
      transport: 'in-process',
      era,
      protocolVersion: era === 'modern' ? '2026-07-28' : '2025-11-25',
      capabilities,
      serverInfo,
      instructions,
      catalog: async (kind) => {
        this.lists[kind]++;
        await behave(this.listing[kind] ?? 'ok');
        const { entries = [], ...rest } = this.catalogs[kind] ?? {};
        return { ...rest, entries: entries.map((each) => ({ ...each })) };
      },
      request: async () => ({ value: {} }),
      listen: (filter, onChange): Subscription => {
        const listen = { filter, onChange, closed: false };
        this.listens.push(listen);
        return {
          close: () => {
            listen.closed = true;
          },
        };
      },
      ping: () => behave(this.pinging),
      close: async () => {
        this.closes++;
        await behave(this.closing);
      },
    };
  }

  private tell(change: Change, wanted: (filter: ListenFilter) => boolean): void {
    for (const { filter, onChange, closed } of this.listens) if (!closed && wanted(filter)) onChange(change);
  }
}

function behave(behaviour: Behaviour): Promise<void> {
  if (behaviour === 'hang') return new Promise(() => {});
  return behaviour === 'ok'
    ? Promise.resolve()
    : Promise.reject(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'it is broken.'));
}

export function serverConfig(name: string, overrides: Partial<ServerConfig> = {}): ServerConfig {
  return {
    name,
    kind: 'mcp',
    target: { transport: 'http', url: `http://127.0.0.1:9/${name}`, headers: {} },
    concurrency: 4,
    maxQueue: 16,
    queueTimeoutMs: 1_000,
    timeoutMs: 1_000,
    maxTimeoutMs: 5_000,
    connectTimeoutMs: 200,
    isolation: 'shared',
    namespace: name,
    tools: { include: [], exclude: [] },
    disabled: false,
    origin: 'file',
    ...overrides,
  };
}

export function gatewayConfig(pageSize = 1_000): GatewayConfig {
  return {
    host: '127.0.0.1',
    port: 0,
    token: undefined,
    keyHeaders: [],
    allowUnauthenticated: false,
    allowedHosts: [],
    allowedOrigins: [],
    stateDir: undefined,
    firstList: { httpMs: 0, stdioMs: 0 },
    agentProxy: false,
    connect: { enabled: true, allowPrivate: ['*'], maxServers: 10 },
    limits: {
      maxBodyBytes: 1_000_000,
      maxReplyBytes: 1_000_000,
      maxSessions: 10,
      maxStreams: 10,
      maxConnections: 100,
      maxCallerSessions: 10,
      sessionIdleMs: 60_000,
      pageSize,
    },
    logLevel: 'silent',
  };
}

/** Pauses short enough for a test, long enough to differ measurably. */
export const QUICK: Partial<Timing> = {
  backoffBaseMs: 20,
  backoffCapMs: 80,
  nudgeAfterMs: 10,
  closeMs: 200,
  changeSpacingMs: 5,
};

export interface Fixture {
  federation: Federation;
  log: RecordingLog;
}

/** The fake adapter knows servers by name; one it does not know refuses. */
export function federate(
  servers: Readonly<Record<string, FakeServer>>,
  options: Partial<FederationOptions> = {},
): Fixture {
  const log = recordingLog();
  const adapter: Adapter = {
    ...mcpAdapter,
    detect: async () => true,
    connect: (context) => (servers[context.name] ?? refusing()).connect(context),
  };
  const federation = createFederation({
    adapters: [adapter],
    gateway: gatewayConfig(),
    log,
    envelope: { protocolVersion: '2026-07-28', clientCapabilities: {} },
    ...options,
    timing: { ...QUICK, ...options.timing },
  });
  return { federation, log };
}

function refusing(): FakeServer {
  const server = new FakeServer();
  server.connecting = 'fail';
  return server;
}
