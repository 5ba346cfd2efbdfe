/**
 * The composition root: which parts there are and who gets which.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { ADAPTERS } from '../adapters/index.ts';
import { gatewayAuthenticator } from './auth/authenticators.ts';
import type { NetworkGuard } from './core/adapter.ts';
import type { Caller } from './core/caller.ts';
import { SwitchboardError } from './core/errors.ts';
import { LOCAL_IDENTITY, LOCAL_PRINCIPAL } from './core/identity.ts';
import { checkAdapters } from './core/kinds.ts';
import { PRODUCT } from './core/product.ts';
import { adminOptions } from './endpoint/admin/options.ts';
import { createHttpEndpoint } from './endpoint/http/server.ts';
import { serveStdio } from './endpoint/stdio/serve.ts';
import { createFederation } from './federation/federation.ts';
import { detectAdapter } from './federation/members/detect.ts';
import { createRuntimeServers, restoreRuntimeServers } from './federation/members/runtime-servers.ts';
import type { ServerState } from './federation/types.ts';
import type { Gateway, GatewayOptions } from './gateway-types.ts';
import type { Config } from './load-config.ts';
import { admitConnection } from './policy/hooks/connections.ts';
import { createNetworkGuard } from './policy/network-guard/network-guard.ts';
import { openPolicy } from './policy/open.ts';
import { explain } from './relay/explain/explain.ts';
import { Gate } from './relay/gate/gate.ts';
import { Relay } from './relay/relay.ts';
import { resultObject } from './relay/types.ts';
import { openState } from './state/open.ts';
import { createBuiltinUpstream } from './tools/builtin-upstream.ts';
import { builtinTools } from './tools/index.ts';
import { refusingOtherServers } from './tools/server-names.ts';
import { LATEST_LEGACY, LATEST_MODERN } from './wire/eras.ts';
import type { JsonObject } from './wire/jsonrpc.ts';

export type { Gateway, GatewayOptions } from './gateway-types.ts';

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
export async function createGateway(
  config: Config,
  { log, auth, adapters = ADAPTERS }: GatewayOptions,
): Promise<Gateway> {
  checkAdapters(adapters);
  const { connect } = config.gateway;
  const state = openState(config.gateway.stateDir, log);
  const persistent = config.gateway.stateDir !== undefined;
  const runtimeServers = createRuntimeServers(state.kv, adapters, log);
  const guard = (): NetworkGuard => createNetworkGuard(connect);
  // Tells this gateway from every other one, so that it knows itself when it is told to connect to itself.
  const instance = randomUUID();

  const tools = builtinTools(adapters);
  // No own name of a server's tool may be taken for one of these.
  const builtins = new Set(tools.map(({ name }) => name));
  const policy = config.policy && (await openPolicy({ config: config.policy, builtins, state, log }));
  const gate = policy && new Gate(policy);

  const federation = createFederation({
    adapters,
    gateway: config.gateway,
    log,
    state: state.kv,
    identity: { protocolVersion: LATEST_MODERN, clientInfo: { ...PRODUCT, instance }, clientCapabilities: ANSWERABLE },
    // What the operator configured may be anywhere; what a client connected may not.
    guardFor: ({ origin, target }) =>
      origin === 'runtime' && 'url' in target
        ? refusingOtherServers(guard(), new URL(target.url), () => federation.members())
        : undefined,
    admit: (server, signal) => policy && admitConnection(policy.hooks, server, signal),
  });
  const sealing = { secret: await state.secret('request-state'), replica: state.replica };
  const relay = new Relay({ federation, log, instance, sealing, ...(gate ? { gate } : {}) });
  federation.addBuiltin(
    OWN_NAME,
    createBuiltinUpstream(tools, {
      federation,
      viewOf: ({ identity }) => gate?.viewFor(identity, federation.all) ?? federation.all,
      governs: (server) => policy?.governs(server) ?? false,
      connect,
      runtimeServers,
      persistent,
      guard,
      detect: (url, context) => detectAdapter(url, adapters, context),
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
    replica: state.replica,
    relay,
    federation,
    config: config.gateway,
    log,
    auth: auth ?? gatewayAuthenticator(config.gateway.token, policy?.keys),
    admin: policy && (await adminOptions(policy, config, log)),
    knows: (identity, server) => {
      const member = federation.member(server);
      return !gate || (member !== undefined && gate.viewFor(identity, federation.all).reaches(member));
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
        await policy?.reload(next.policy, (lost) =>
          endpoint.revoke(({ grant }) => grant === undefined || !lost.has(grant)),
        );
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
        return resultObject(answer);
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
      await state.close();
    },
  };
}

/** The local user, asking through the command line: no session, and nobody who could answer questions. */
const LOCAL_CALLER: Caller = {
  key: 'local-command',
  principal: LOCAL_PRINCIPAL,
  identity: LOCAL_IDENTITY,
  era: 'legacy',
  protocolVersion: LATEST_LEGACY,
  capabilities: {},
  clientInfo: PRODUCT,
  logLevel: undefined,
  sessionId: undefined,
};
