/**
 * The composition root: which parts there are and who gets which.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { langgraphAdapter } from '../adapters/langgraph/index.ts';
import { mastraAdapter } from '../adapters/mastra/index.ts';
import { mcpAdapter } from '../adapters/mcp/index.ts';
import type { Config } from './config/types.ts';
import type { Adapter, NetworkGuard } from './core/adapter.ts';
import type { Caller } from './core/caller.ts';
import { SwitchboardError } from './core/errors.ts';
import { PRODUCT } from './core/product.ts';
import { adminOptions } from './endpoint/admin/options.ts';
import { createHttpEndpoint } from './endpoint/http/server.ts';
import { serveStdio } from './endpoint/stdio/serve.ts';
import { createFederation } from './federation/federation.ts';
import { detectKind } from './federation/members/detect.ts';
import { createRuntimeServers, restoreRuntimeServers } from './federation/members/runtime-servers.ts';
import type { ServerState } from './federation/types.ts';
import type { Gateway, GatewayOptions } from './gateway-types.ts';
import { admitConnection } from './policy/hooks/connections.ts';
import { createNetworkGuard } from './policy/network-guard/network-guard.ts';
import { openPolicy } from './policy/open.ts';
import { explain } from './relay/explain/explain.ts';
import { Gate } from './relay/gate/gate.ts';
import { Relay } from './relay/relay.ts';
import type { CallResult } from './relay/types.ts';
import { openState } from './state/open.ts';
import { createBuiltinUpstream } from './tools/builtin-upstream.ts';
import { awayFromOthers } from './tools/redirects.ts';
import { LATEST_LEGACY, LATEST_MODERN } from './wire/eras.ts';
import type { JsonObject } from './wire/jsonrpc.ts';

export type { Gateway, GatewayOptions } from './gateway-types.ts';

/** Every kind of upstream there is. */
const ADAPTERS: readonly Adapter[] = [mcpAdapter, mastraAdapter, langgraphAdapter];

/** The server name the gateway's own tools stand under in lists of servers. */
const OWN_NAME = 'switchboard';

/**
 * What the gateway declares on sessions of its own. Servers list some tools only to clients that can answer questions
 * (measured: the reference server), and which clients will come is not known yet. Whether a question is put is decided
 * by the capabilities of the caller whose call it belongs to; without them the server hears a decline.
 */
const ANSWERABLE: JsonObject = {
  elicitation: { form: {}, url: {} },
  sampling: { tools: {}, context: {} },
  roots: { listChanged: true },
  tasks: { list: {}, cancel: {}, requests: { sampling: { createMessage: {} }, elicitation: { create: {} } } },
};

/** Starts connecting to every configured server at once and resolves without waiting for any. */
export async function createGateway(config: Config, { log }: GatewayOptions): Promise<Gateway> {
  const { connect } = config.gateway;
  const state = await openState(config.gateway.stateDir, log);
  const persistent = config.gateway.stateDir !== undefined;
  const runtimeServers = createRuntimeServers(state, log);
  const guard = (): NetworkGuard => createNetworkGuard(connect);
  // Tells this gateway from every other one, so that it knows itself when it is told to connect to itself.
  const instance = randomUUID();

  const policy = config.policy && (await openPolicy({ config: config.policy, state, persistent, log }));
  const gate = policy && new Gate(policy);

  const federation = createFederation({
    adapters: ADAPTERS,
    gateway: config.gateway,
    log,
    state,
    identity: { protocolVersion: LATEST_MODERN, clientInfo: { ...PRODUCT, instance }, clientCapabilities: ANSWERABLE },
    // What the operator configured may be anywhere; what a client connected may not.
    guardFor: ({ origin, target }) =>
      origin === 'runtime' && 'url' in target
        ? awayFromOthers(guard(), new URL(target.url), () => federation.members())
        : undefined,
    admit: (server, signal) => policy && admitConnection(policy.hooks, server, signal),
  });
  const relay = new Relay({ federation, log, instance, ...(gate ? { gate } : {}) });
  federation.addBuiltin(
    OWN_NAME,
    createBuiltinUpstream({
      federation,
      viewOf: ({ principal }) => gate?.viewFor(principal, federation.all) ?? federation.all,
      governs: (server) => policy?.governs(server) ?? false,
      connect,
      runtimeServers,
      persistent,
      guard,
      detect: (url, context) => detectKind(url, ADAPTERS, context),
      admit: (name, { href: url }, signal) =>
        policy && admitConnection(policy.hooks, { name, target: { url } }, signal),
      callAgent: (route, method, params, call) => relay.subcall(route, method, params, call),
      log,
    }),
  );

  await federation.apply(config.servers);
  await restoreRuntimeServers({ servers: runtimeServers, federation, connect, log });
  let settled = false;
  void federation.settled().then(() => {
    settled = true;
  });

  const endpoint = createHttpEndpoint({
    relay,
    federation,
    config: config.gateway,
    log,
    grants: policy?.keys,
    admin: policy && (await adminOptions(policy, config, log)),
    knows: (principal, server) => {
      const member = federation.member(server);
      return !gate || (member !== undefined && gate.viewFor(principal, federation.all).reaches(member));
    },
    health: () => ({ ready: settled, servers: countStates() }),
  });

  function countStates(): Partial<Record<ServerState, number>> {
    const counts: Partial<Record<ServerState, number>> = {};
    for (const member of federation.members()) {
      if (!member.builtin) counts[member.state] = (counts[member.state] ?? 0) + 1;
    }
    return counts;
  }

  return {
    federation,
    relay,

    async listen() {
      const { host, port } = await endpoint.listen();
      const name = host.includes(':') ? `[${host}]` : host;
      return { host, port, url: `http://${name}:${port}/mcp` };
    },

    serveStdio: (input, output) => serveStdio({ relay, view: federation.all, input, output, log }),

    async reload(next) {
      // Policy first: what is about to be added must never be seen without it.
      if (next.policy) {
        await policy?.reload(next.policy, (lost) => endpoint.revoke((principal) => !lost.has(principal)));
      }
      await federation.apply(next.servers);
    },

    async localCall(method, params, onNotification, signal) {
      const flight = relay.handle({
        caller: LOCAL_CALLER,
        view: federation.all,
        request: { jsonrpc: '2.0', id: 1, method, params },
        channel: { notify: (notification) => onNotification?.(notification) },
      });
      const stop = (): void => flight.cancel();
      if (signal?.aborted) stop();
      signal?.addEventListener('abort', stop, { once: true });
      try {
        const answer = await flight.answer;
        return resultOf(answer);
      } finally {
        signal?.removeEventListener('abort', stop);
      }
    },

    async explain(request) {
      if (policy && gate) return explain({ policy, gate, federation, log }, request);
      throw new SwitchboardError('SWB_NOT_SUPPORTED', 'This gateway has no policy: everything is allowed.');
    },

    async close() {
      // First no new work, then the clients, then what they were talking to.
      await relay.close();
      await endpoint.close();
      await federation.close();
      await policy?.close();
    },
  };
}

/** The local user, asking through the command line: no session, and nobody who could answer questions. */
const LOCAL_CALLER: Caller = {
  key: 'local-command',
  principal: 'local',
  era: 'legacy',
  protocolVersion: LATEST_LEGACY,
  capabilities: {},
  clientInfo: PRODUCT,
  logLevel: undefined,
  sessionId: undefined,
};

function resultOf(answer: CallResult): JsonObject {
  if ('value' in answer) return answer.value;
  return JSON.parse((answer.lead ?? '') + answer.raw.toString('utf8')) as JsonObject;
}
