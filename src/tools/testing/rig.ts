import { ADAPTERS } from '../../../adapters/index.ts';
/**
 * The builtin tools with a real federation and a real relay around them; only the servers are in memory.
 * @module
 */

import { type FakeCall, type FakeCallOptions, fakeCall } from '../../../adapters/testing/call.ts';
import { type RecordingLog, recordingLog } from '../../../adapters/testing/context.ts';
import type { GatewayConfig, ServerConfig } from '../../config/types.ts';
import type { Adapter, ConnectContext, NetworkGuard } from '../../core/adapter.ts';
import type { Call } from '../../core/call.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Catalog, Reply, Upstream } from '../../core/upstream.ts';
import { createFederation } from '../../federation/federation.ts';
import { detectAdapter } from '../../federation/members/detect.ts';
import { createRuntimeServers, type RuntimeServers } from '../../federation/members/runtime-servers.ts';
import type { Federation } from '../../federation/types.ts';
import { createNetworkGuard } from '../../policy/network-guard/network-guard.ts';
import { Relay } from '../../relay/relay.ts';
import { MemoryKeyValue } from '../../state/memory/memory-state.ts';
import type { KeyValue } from '../../state/state.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { createBuiltinUpstream } from '../builtin-upstream.ts';
import { builtinTools } from '../index.ts';
import type { ToolDeps } from '../tool.ts';

export type AnswerAgent = (method: string, params: JsonObject, call: Call) => Promise<JsonObject> | JsonObject;

/** A server in memory: what it is, what it offers, how its agents answer. */
export interface MemoryServer {
  kind: string;
  url: string;
  tools?: readonly string[];
  agents?: readonly { key: string; value?: JsonObject }[];
  answer?: AnswerAgent;
  /** Not reachable: every attempt to connect fails. */
  away?: boolean;
  /** Connecting waits for this. */
  gate?: Promise<void>;
}

export interface RigOptions {
  servers?: readonly MemoryServer[];
  /** Which of the servers are configured from the start, by name. */
  configured?: Readonly<Record<string, MemoryServer>>;
  origins?: Readonly<Record<string, ServerConfig['origin']>>;
  connect?: Partial<GatewayConfig['connect']>;
  store?: KeyValue;
  persistent?: boolean;
  deps?: Partial<ToolDeps>;
  connectTimeoutMs?: number;
}

export interface Rig {
  federation: Federation;
  relay: Relay;
  runtimeServers: RuntimeServers;
  log: RecordingLog;
  /** Contexts the adapters were asked to connect with. */
  connects: ConnectContext[];
  /** Methods and params that reached a server's agents. */
  reached: { server: string; method: string; params: JsonObject }[];
  /** As clients made them, the last one last. */
  calls: FakeCall[];
  /** Adds a server while the gateway runs. */
  add(name: string, server: MemoryServer): Promise<unknown>;
  call(tool: string, args?: JsonObject, options?: FakeCallOptions): Promise<ToolResult>;
  close(): Promise<void>;
}

export interface ToolResult {
  content: { type: 'text'; text: string }[];
  structuredContent?: JsonObject;
  isError?: boolean;
  _meta?: { 'switchboard/error': JsonObject };
  text: string;
}

const LIMITS: GatewayConfig['limits'] = {
  maxBodyBytes: 1_000_000,
  maxReplyBytes: 1_000_000,
  maxSessions: 10,
  maxStreams: 10,
  maxConnections: 100,
  maxCallerSessions: 10,
  sessionIdleMs: 60_000,
  pageSize: 100,
};

export const memoryConfig = (name: string, server: MemoryServer, origin: ServerConfig['origin']): ServerConfig => ({
  name,
  kind: server.kind,
  target: { transport: 'auto', url: server.url, headers: { authorization: 'Bearer configured-secret' } },
  concurrency: 4,
  maxQueue: 8,
  queueTimeoutMs: 1_000,
  timeoutMs: 5_000,
  maxTimeoutMs: 10_000,
  connectTimeoutMs: 2_000,
  isolation: 'caller',
  namespace: name,
  tools: { include: [], exclude: [] },
  disabled: false,
  origin,
});

/** Names of the tests resolve to public addresses; what is private is what a URL spells out. */
const guard = (allowPrivate: readonly string[]): NetworkGuard =>
  createNetworkGuard({ allowPrivate, resolve: async () => [{ address: '93.184.216.34', family: 4 }] });

export async function rig(options: RigOptions = {}): Promise<Rig> {
  const log = recordingLog();
  const configured = options.configured ?? {};
  const servers = [...(options.servers ?? []), ...Object.values(configured)];
  const connects: ConnectContext[] = [];
  const reached: Rig['reached'] = [];
  const calls: FakeCall[] = [];
  const connect: GatewayConfig['connect'] = { enabled: true, allowPrivate: [], maxServers: 4, ...options.connect };
  const adapters = ADAPTERS.map((adapter): Adapter => {
    const { kind } = adapter;
    const at = (url: string): MemoryServer | undefined =>
      servers.find((server) => server.kind === kind && new URL(server.url).href === new URL(url).href);
    return {
      ...adapter,
      detect: async (url) => at(url.href) !== undefined,
      async connect(context) {
        connects.push(context);
        const server = context.target.transport === 'stdio' ? undefined : at(context.target.url);
        const { promise: stopped, reject } = Promise.withResolvers<never>();
        context.signal.addEventListener('abort', () => reject(context.signal.reason), { once: true });
        if (server?.gate) await Promise.race([server.gate, stopped]);
        stopped.catch(() => {});
        if (!server || server.away) {
          throw new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'It is not reachable: the connection was refused.');
        }
        return memoryUpstream(context.name, server, reached);
      },
    };
  });
  const federation = createFederation({
    adapters,
    gateway: {
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
      connect,
      limits: LIMITS,
      logLevel: 'silent',
    },
    log,
    guardFor: (config) => (config.origin === 'runtime' ? guard(connect.allowPrivate) : undefined),
    envelope: { protocolVersion: '2026-07-28', clientCapabilities: {} },
  });
  const relay = new Relay({ federation, log });
  const runtimeServers = createRuntimeServers(options.store ?? new MemoryKeyValue(), adapters, log);
  const upstream = createBuiltinUpstream(builtinTools(adapters), {
    federation,
    viewOf: () => federation.all,
    governs: () => false,
    connect,
    runtimeServers,
    persistent: options.persistent ?? true,
    guard: () => guard(connect.allowPrivate),
    detect: (url, context) =>
      detectAdapter(url, adapters, context, { timeoutMs: 2_000, problemAt: async () => undefined }),
    callAgent: (route, method, params, call) => relay.subcalls.make(route, method, params, call),
    beginRun: (route, params, call) => relay.subcalls.beginRun(route, params, call),
    runs: relay.runs,
    log,
    ...options.deps,
  });
  federation.addBuiltin('switchboard', upstream);
  await federation.settled();
  await Promise.all(
    Object.entries(configured).map(([name, server]) =>
      federation.add(memoryConfig(name, server, options.origins?.[name] ?? 'file')),
    ),
  );
  return {
    federation,
    relay,
    runtimeServers,
    log,
    connects,
    reached,
    calls,
    add(name, server) {
      servers.push(server);
      const config = memoryConfig(name, server, 'file');
      return federation.add({ ...config, connectTimeoutMs: options.connectTimeoutMs ?? config.connectTimeoutMs });
    },
    async call(tool, args = {}, callOptions = {}) {
      const made = fakeCall(callOptions);
      calls.push(made);
      return checked(tool, await upstream.request('tools/call', { name: tool, arguments: args }, made));
    },
    async close() {
      await relay.close();
      await federation.close();
    },
  };
}

/** Every result is held against the tool's own output schema, and against what may never be in one. */
export function checked(name: string, reply: Reply): ToolResult {
  if (!('value' in reply)) throw new Error('the tools answer with values');
  // As a client gets it: what JSON leaves out is not there.
  const result = JSON.parse(JSON.stringify(reply.value)) as ToolResult;
  const tool = builtinTools(ADAPTERS).find((each) => each.name === name);
  if (result.isError) {
    if (result.structuredContent) throw new Error('a failure has no structured content');
    if (!isObject(result._meta?.['switchboard/error'])) throw new Error('a failure says so in its _meta');
  } else if (JSON.stringify(tool?.output.parse(result.structuredContent)) === undefined) {
    throw new Error('a result has structured content');
  }
  if (/https?:\/\/[\w[]|secret|\d+\.\d+\.\d+\.\d+/.test(JSON.stringify(result))) {
    throw new Error(`an address or a secret is in the result: ${JSON.stringify(result)}`);
  }
  return { ...result, text: result.content.map((part) => part.text).join('\n') };
}

function memoryUpstream(name: string, server: MemoryServer, reached: Rig['reached']): Upstream {
  const catalogs: Readonly<Record<string, Catalog>> = {
    tools: {
      entries: (server.tools ?? []).map((tool) => ({
        key: tool,
        value: { name: tool, inputSchema: { type: 'object' } },
      })),
    },
    agents: {
      entries: (server.agents ?? []).map(({ key, value }) => ({ key, value: { name: key, ...value } })),
    },
  };
  return {
    kind: server.kind,
    transport: server.kind === 'mcp' ? 'streamable-http' : 'http',
    era: server.kind === 'mcp' ? 'modern' : 'legacy',
    protocolVersion: server.kind === 'mcp' ? '2026-07-28' : '2.0.0',
    capabilities: { tools: {} },
    serverInfo: { name: `${name}-server`, version: '1.2.3', websiteUrl: 'https://internal.example' },
    instructions: undefined,
    catalog: async (kind) => catalogs[kind] ?? { entries: [] },
    async request(method, params, call) {
      reached.push({ server: name, method, params });
      if (!server.answer) throw new SwitchboardError('SWB_METHOD_NOT_FOUND', 'Not faked.');
      return { value: await server.answer(method, params, call) };
    },
    listen: () => ({ close() {} }),
    ping: async () => {},
    close: async () => {},
  };
}
