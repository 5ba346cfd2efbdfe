/**
 * A real federation, policy, gate and relay around servers in memory, for tests of what policy does to requests.
 * @module
 */

import { mcpAdapter } from '../../../../adapters/mcp/index.ts';
import { recordingLog } from '../../../../adapters/testing/context.ts';
import type { ServerConfig } from '../../../config/types.ts';
import type { Adapter } from '../../../core/adapter.ts';
import type { Caller } from '../../../core/caller.ts';
import { SwitchboardError } from '../../../core/errors.ts';
import { identityOf } from '../../../core/identity.ts';
import type { CatalogKind, Entry, Reply } from '../../../core/upstream.ts';
import { createFederation } from '../../../federation/federation.ts';
import type { Federation } from '../../../federation/types.ts';
import type { ExplainRequest, Explanation } from '../../../policy/explain/explanation.ts';
import type { PolicyConfig, PolicyDocument } from '../../../policy/language/types.ts';
import { openPolicy } from '../../../policy/open.ts';
import type { Policy } from '../../../policy/policy.ts';
import { memoryState } from '../../../state/memory/memory-state.ts';
import type { Era } from '../../../wire/eras.ts';
import { isObject, type JsonObject, type Notification } from '../../../wire/jsonrpc.ts';
import { explain } from '../../explain/explain.ts';
import { Relay } from '../../relay.ts';
import { resultObject } from '../../types.ts';
import { Gate } from '../gate.ts';

export type Lists = Partial<Record<CatalogKind, Entry[]>>;

export interface Policed {
  federation: Federation;
  policy: Policy;
  /** Methods and params that reached a server. */
  reached: { server: string; method: string; params: JsonObject }[];
  explain(request: ExplainRequest): Promise<Explanation>;
  /** One request by this principal; at a server's own endpoint where one is named. Rejects as the relay does. */
  request(principal: string, era: Era, method: string, params: JsonObject, server?: string): Promise<JsonObject>;
  /** Whether a client's notification may go to a server. */
  allowsNotification(principal: string, server: string, sent: Notification): boolean | Promise<boolean>;
  close(): Promise<void>;
}

export const tool = (name: string, rest: JsonObject = {}): Entry => ({
  key: name,
  value: { name, inputSchema: { type: 'object' }, ...rest },
});

export const policyConfig = (part: Partial<PolicyConfig> = {}): PolicyConfig => ({
  gateway: undefined,
  defaultPolicy: DENY,
  servers: new Map(),
  grants: [],
  keysRequired: false,
  hooks: [],
  audit: undefined,
  lock: { mode: 'off', file: '/nowhere/switchboard.lock.json' },
  validateArguments: { default: undefined, servers: new Map() },
  adminToken: undefined,
  ...part,
});

const NO_RULES = new Map();

const DENY: PolicyDocument = {
  id: 'default',
  description: undefined,
  mode: 'enforce',
  default: 'deny',
  hide: [],
  allTools: [],
  sections: { tools: NO_RULES, prompts: NO_RULES, resources: NO_RULES, agents: NO_RULES, methods: NO_RULES },
};

/** Servers by name with what they list. */
export async function policed(servers: Readonly<Record<string, Lists>>, config = policyConfig()): Promise<Policed> {
  const log = recordingLog();
  const reached: Policed['reached'] = [];
  const policy = await openPolicy({
    config,
    builtins: new Set(['connectServer']),
    state: memoryState(log),
    // Properties leave behind a pending approval with each of very many calls.
    approvalLimits: { pendingPerPrincipal: 100_000, perPrincipal: 100_000, total: 100_000 },
    log,
  });
  const gate = new Gate(policy);
  const federation = createFederation({
    adapters: [memoryAdapter(servers, reached)],
    gateway: GATEWAY,
    log,
    envelope: { protocolVersion: '2026-07-28', clientCapabilities: {} },
  });
  const relay = new Relay({ federation, log, gate });
  await federation.apply(Object.keys(servers).map(serverConfig));
  await federation.settled();
  return {
    federation,
    policy,
    reached,
    explain: (request) => explain({ policy, gate, federation, log }, request),
    async request(principal, era, method, params, server) {
      const view = server === undefined ? federation.all : federation.view(server);
      if (!view) throw new Error(`no server ${server}`);
      const flight = relay.handle({
        caller: callerOf(principal, era),
        view,
        request: { jsonrpc: '2.0', id: 1, method, params },
        channel: { notify() {} },
      });
      return resultObject(await flight.result);
    },
    allowsNotification(principal, server, sent) {
      const member = federation.member(server);
      if (!member) throw new Error(`no server ${server}`);
      return gate.allowsNotification(callerOf(principal, 'legacy'), member, sent);
    },
    async close() {
      await relay.close();
      await federation.close();
      await policy.close();
    },
  };
}

/** How a request of a tool ended, in the words of an explanation. */
export async function outcomeOf(
  response: Promise<JsonObject>,
): Promise<{ effect: string; code: string | null; rule?: unknown }> {
  try {
    const result = await response;
    const denial = isObject(result._meta) ? result._meta['switchboard/denial'] : undefined;
    if (!isObject(denial)) return { effect: 'allow', code: null };
    const { code, rule } = denial;
    return code === 'SWB_APPROVAL_PENDING'
      ? { effect: 'approve', code: null, rule }
      : { effect: 'deny', code: String(code), rule };
  } catch (error) {
    if (!(error instanceof SwitchboardError)) throw error;
    return { effect: 'deny', code: error.code };
  }
}

const callerOf = (principal: string, era: Era): Caller => ({
  key: `${principal}-${era}`,
  principal,
  identity: identityOf(principal),
  era,
  protocolVersion: era === 'modern' ? '2026-07-28' : '2025-11-25',
  capabilities: {},
  clientInfo: undefined,
  logLevel: undefined,
  sessionId: undefined,
});

const serverConfig = (name: string): ServerConfig => ({
  name,
  kind: 'mcp',
  target: { transport: 'auto', url: `http://${name}.example`, headers: {} },
  concurrency: 4,
  maxQueue: 8,
  queueTimeoutMs: 1_000,
  timeoutMs: 5_000,
  maxTimeoutMs: 10_000,
  connectTimeoutMs: 2_000,
  isolation: 'shared',
  namespace: name,
  tools: { include: [], exclude: [] },
  disabled: false,
  origin: 'file',
});

const GATEWAY: Parameters<typeof createFederation>[0]['gateway'] = {
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
  connect: { enabled: true, allowPrivate: [], maxServers: 4 },
  limits: {
    maxBodyBytes: 1_000_000,
    maxReplyBytes: 1_000_000,
    maxSessions: 10,
    maxStreams: 10,
    maxConnections: 100,
    maxCallerSessions: 10,
    sessionIdleMs: 60_000,
    pageSize: 100,
  },
  logLevel: 'silent',
};

function memoryAdapter(servers: Readonly<Record<string, Lists>>, reached: Policed['reached']): Adapter {
  return {
    ...mcpAdapter,
    detect: async () => false,
    async connect({ name }) {
      const lists = servers[name] ?? {};
      return {
        kind: 'mcp',
        transport: 'streamable-http',
        era: 'modern',
        protocolVersion: '2026-07-28',
        capabilities: { tools: {}, prompts: {}, resources: {}, agents: {} },
        serverInfo: { name, version: '1.0.0' },
        instructions: undefined,
        catalog: async (kind) => ({ entries: lists[kind] ?? [] }),
        async request(method, params, call): Promise<Reply> {
          call.left?.();
          reached.push({ server: name, method, params });
          return { value: { content: [] } };
        },
        listen: () => ({ close() {} }),
        ping: async () => {},
        close: async () => {},
      };
    },
  };
}
