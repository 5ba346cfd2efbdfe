/**
 * The composition root: which parts there are and who gets which.
 * @module
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { ADAPTERS } from '../adapters/index.ts';
import { adminToken } from './auth/admin-token.ts';
import { gatewayAuthenticator } from './auth/authenticators.ts';
import type { NetworkGuard } from './core/adapter.ts';
import { SwitchboardError } from './core/errors.ts';
import { checkAdapters } from './core/kinds.ts';
import { PRODUCT } from './core/product.ts';
import type { AdminOptions } from './endpoint/admin/admin.ts';
import type { Health } from './endpoint/http/context.ts';
import { createHttpEndpoint } from './endpoint/http/server.ts';
import { serveStdio } from './endpoint/stdio/serve.ts';
import { createFederation } from './federation/federation.ts';
import { detectAdapter } from './federation/members/detect.ts';
import {
  createRuntimeServers,
  followRuntimeServers,
  restoreRuntimeServers,
} from './federation/members/runtime-servers.ts';
import type { Federation } from './federation/types.ts';
import { localCalls } from './gateway-calls.ts';
import { readOptions } from './gateway-options.ts';
import type { Gateway, GatewayOptions, GatewayParts, OpenGateway, StdioConnection } from './gateway-types.ts';
import type { Config } from './load-config.ts';
import { subscribe } from './observe/events.ts';
import { createLog } from './observe/log.ts';
import { logEvents } from './observe/log-events.ts';
import { admitConnection } from './policy/hooks/connections.ts';
import { createNetworkGuard } from './policy/network-guard/network-guard.ts';
import { openPolicy } from './policy/open.ts';
import type { Policy } from './policy/policy.ts';
import { explain } from './relay/explain/explain.ts';
import { Gate } from './relay/gate/gate.ts';
import { Relay } from './relay/relay.ts';
import { openState } from './state/open.ts';
import { createBuiltinUpstream } from './tools/builtin-upstream.ts';
import { builtinTools } from './tools/index.ts';
import { refusingOtherServers } from './tools/server-names.ts';
import { LATEST_MODERN } from './wire/eras.ts';
import type { JsonObject } from './wire/jsonrpc.ts';

export type { Gateway, GatewayOptions, GatewayParts, InternalGateway } from './gateway-types.ts';

/** The server name the gateway's own tools stand under in lists of servers. */
const OWN_NAME = 'switchboard';

/**
 * What the gateway declares on sessions of its own. Servers list some tools only to clients that can answer questions
 * (measured: the reference server), and which clients will come is not known yet. Whether a question is put is decided
 * by the capabilities of the caller whose call it belongs to; without them the server receives a decline.
 */
const ANSWERABLE: JsonObject = {
  elicitation: { form: {}, url: {} },
  sampling: { tools: {}, context: {} },
  roots: { listChanged: true },
  tasks: { list: {}, cancel: {}, requests: { sampling: { createMessage: {} }, elicitation: { create: {} } } },
};

/**
 * A gateway from plain values, or from a configuration that was loaded. Starts connecting to every server at once and
 * resolves without waiting for any. Rejects with `SWB_CONFIG`, a line per mistake.
 */
export function createGateway(options: GatewayOptions): Promise<Gateway>;
export function createGateway(config: Config, parts?: GatewayParts): Promise<Gateway>;
export async function createGateway(given: Config | GatewayOptions, more: GatewayParts = {}): Promise<Gateway> {
  const { config, parts, logLevel } = await readOptions(given, more);
  const log = parts.log ?? createLog(logLevel);
  for (const warning of config.warnings ?? []) log.warn({}, warning);
  const { federation, relay, ...gateway } = await openGateway(config, { ...parts, log });
  return gateway;
}

/** As {@link createGateway}, with its inside, for the command line and tests. */
export const openGateway: OpenGateway = async (
  config,
  { log = createLog(config.gateway.logLevel), auth, credentials, adapters = ADAPTERS, state: shared, basePath },
) => {
  checkAdapters(adapters);
  const { connect } = config.gateway;
  const stateDir = typeof shared === 'string' ? shared : config.gateway.stateDir;
  const state = typeof shared === 'object' ? shared : openState(stateDir, log);
  const persistent = state === shared || stateDir !== undefined;
  const runtimeServers = createRuntimeServers(state.kv, adapters, log, state.bus);
  const guard = (): NetworkGuard => createNetworkGuard(connect);
  // Tells this gateway from every other one, so that it recognizes itself when a client connects it to itself.
  const instance = randomUUID();

  const tools = builtinTools(adapters);
  // No own name of a server's tool may be taken for one of these.
  const builtins = new Set(tools.map(({ name }) => name));
  const policy = config.policy && (await openPolicy({ config: config.policy, builtins, state, instance, log }));
  const gate = policy && new Gate(policy);

  const federation = createFederation({
    instance,
    adapters,
    gateway: config.gateway,
    log,
    state: state.kv,
    envelope: { protocolVersion: LATEST_MODERN, clientInfo: { ...PRODUCT, instance }, clientCapabilities: ANSWERABLE },
    credentials,
    // What the operator configured may be anywhere; what a client connected may not.
    guardFor: ({ origin, target }) =>
      origin === 'runtime' && 'url' in target
        ? refusingOtherServers(guard(), new URL(target.url), () => federation.members())
        : undefined,
    admit: (server, signal) => policy && admitConnection(policy.hooks, server, signal),
  });
  const secret = await state.secret('request-state').catch((error: unknown) => {
    log.warn({ err: error }, 'The secret of suspended calls cannot be kept: a restart makes their states invalid.');
    return randomBytes(32);
  });
  const sealing = { secret, replica: state.replica };
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
  const stopFollowing = followRuntimeServers({ servers: runtimeServers, federation, connect, log, state });

  async function administration({ approvals }: Policy): Promise<AdminOptions | undefined> {
    const token = await adminToken(config.policy?.adminToken, config.gateway.stateDir, log);
    const servers = () => federation.members().flatMap((member) => (member.builtin ? [] : [member.status()]));
    return token === undefined ? undefined : { token, approvals, servers };
  }

  const endpoint = createHttpEndpoint({
    replica: state.replica,
    relay,
    federation,
    config: config.gateway,
    log,
    auth: auth ?? gatewayAuthenticator(config.gateway.token, policy?.keys),
    basePath,
    admin: policy && (await administration(policy)),
    knows: (identity, server) => {
      const member = federation.member(server);
      return !gate || (member !== undefined && gate.viewFor(identity, federation.all).reaches(member));
    },
    health: healthOf(federation),
  });
  const clients = new Set<StdioConnection>();
  const stopLogging = logEvents(log, instance);

  async function close(): Promise<void> {
    // First no new work, then the clients, then what they were talking to.
    await relay.close();
    await Promise.all([endpoint.close(), ...[...clients].map((client) => client.close())]);
    await federation.close();
    await policy?.close();
    stopLogging();
    stopFollowing();
    if (state !== shared) await state.close();
  }

  return {
    federation,
    relay,
    instance,
    on: (name, listener) => subscribe(name, listener, instance),
    handler: endpoint.handler,
    fetch: endpoint.fetch,
    call: localCalls(relay, federation.all),
    settled: () => federation.settled(),

    async listen() {
      const { host, port } = await endpoint.listen();
      const name = host.includes(':') ? `[${host}]` : host;
      return { host, port, url: `http://${name}:${port}${basePath ?? ''}/mcp` };
    },

    serveStdio(input = process.stdin, output = process.stdout) {
      const client = serveStdio({ relay, view: federation.all, input, output, log });
      clients.add(client);
      void client.closed.then(() => clients.delete(client));
      return client;
    },

    servers: () =>
      federation
        .members()
        .filter(({ builtin }) => !builtin)
        .map((member) => member.status()),

    async reload(given) {
      const { config: next } = await readOptions(given, { adapters });
      // Policy first: what is about to be added must never be seen without it.
      if (next.policy) {
        await policy?.reload(next.policy, (lost) =>
          endpoint.revoke(({ grant }) => grant === undefined || !lost.has(grant)),
        );
      }
      await federation.apply(next.servers);
    },

    async explain(request) {
      if (policy && gate) return explain({ policy, gate, federation, log }, request);
      throw new SwitchboardError('SWB_NOT_SUPPORTED', 'This gateway has no policy: everything is allowed.');
    },

    close,
    [Symbol.asyncDispose]: close,
  };
};

/** A server that takes longer to start does not hold up the gateway. */
const READY_AFTER_MS = 15_000;

/** Ready once every configured server has been connected or has failed, and after some time in any case. */
function healthOf(federation: Federation): () => Health {
  let ready = false;
  const become = (): void => {
    clearTimeout(timer);
    ready = true;
  };
  const timer = setTimeout(become, READY_AFTER_MS);
  timer.unref();
  void federation.settled().then(become);
  return () => {
    const servers: Health['servers'] = {};
    for (const { builtin, state } of federation.members()) {
      if (!builtin) servers[state] = (servers[state] ?? 0) + 1;
    }
    return { ready, servers };
  };
}
