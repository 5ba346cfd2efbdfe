/**
 * The parts of one gateway, each made of those before it.
 * @module
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { ADAPTERS } from '../adapters/index.ts';
import { adminToken } from './auth/admin-token.ts';
import { gatewayAuthenticator } from './auth/authenticators.ts';
import { besideBroker, brokerValidity } from './auth/broker-identities.ts';
import type { Adapter, NetworkGuard } from './core/adapter.ts';
import { checkAdapters, reachedBy } from './core/kinds.ts';
import type { Log } from './core/log.ts';
import { PRODUCT } from './core/product.ts';
import { shareOf } from './core/shares.ts';
import type { AdminOptions } from './endpoint/admin/admin.ts';
import type { Health } from './endpoint/http/context.ts';
import { createHttpEndpoint, type HttpEndpoint } from './endpoint/http/server.ts';
import { createFederation } from './federation/federation.ts';
import { detectAdapter } from './federation/members/detect.ts';
import {
  createRuntimeServers,
  followRuntimeServers,
  restoreRuntimeServers,
} from './federation/members/runtime-servers.ts';
import type { Federation } from './federation/types.ts';
import { GatewayMqtt } from './gateway-mqtt.ts';
import type { GatewayParts } from './gateway-types.ts';
import type { Config } from './load-config.ts';
import { boundedLog } from './observe/bounded-log.ts';
import { createLog } from './observe/log.ts';
import { logEvents } from './observe/log-events.ts';
import { admitConnection } from './policy/hooks/connections.ts';
import { createNetworkGuard } from './policy/network-guard/network-guard.ts';
import { openPolicy } from './policy/open.ts';
import type { Policy } from './policy/policy.ts';
import { Gate } from './relay/gate/gate.ts';
import { Relay } from './relay/relay.ts';
import { openState } from './state/open.ts';
import type { State } from './state/state.ts';
import { createBuiltinUpstream } from './tools/builtin-upstream.ts';
import { builtinTools } from './tools/index.ts';
import { refusingOtherServers } from './tools/server-names.ts';
import { LATEST_MODERN } from './wire/eras.ts';
import type { JsonObject } from './wire/jsonrpc.ts';

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

export interface Wiring {
  /** Tells this gateway from every other: in events, and towards servers, one of which may be the gateway itself. */
  readonly instance: string;
  readonly adapters: readonly Adapter[];
  readonly log: Log;
  readonly policy: Policy | undefined;
  readonly gate: Gate | undefined;
  readonly federation: Federation;
  readonly relay: Relay;
  readonly endpoint: HttpEndpoint;
  /** The gateway on an MQTT broker; undefined where none is configured. */
  readonly mqtt: GatewayMqtt | undefined;
  /** Ends every part, and with the endpoint the clients that are served without one. */
  close(endClients: () => Promise<unknown>): Promise<void>;
}

/** Rejects with `SWB_CONFIG` when adapters, hooks or the lock file cannot be used. */
export async function wire(config: Config, given: GatewayParts): Promise<Wiring> {
  const { adapters = ADAPTERS } = given;
  const { log, flush: flushLog } = boundedLog(given.log ?? createLog(config.gateway.logLevel));
  checkAdapters(adapters);
  const { connect } = config.gateway;
  const instance = randomUUID();
  const stopLogging = logEvents(log, instance);
  const stateDir = typeof given.state === 'string' ? given.state : config.gateway.stateDir;
  const state = typeof given.state === 'object' ? given.state : openState(stateDir, log);
  const runtimeServers = createRuntimeServers(state.kv, adapters, log, state.bus);
  const guard = (): NetworkGuard => createNetworkGuard(connect);

  const tools = builtinTools(adapters, { asAgentProxy: config.gateway.agentProxy });
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
    memory: state.kv,
    envelope: { protocolVersion: LATEST_MODERN, clientInfo: { ...PRODUCT, instance }, clientCapabilities: ANSWERABLE },
    credentials: given.credentials,
    // What the operator configured may be anywhere; what a client connected may not.
    guardFor: ({ origin, target }) =>
      origin === 'runtime' && 'url' in target
        ? refusingOtherServers(guard(), new URL(target.url), () => federation.members())
        : undefined,
    admit: (server, signal) => policy && admitConnection(policy.hooks, server, signal),
  });
  const sealing = { secret: await sealingSecret(state, log), replica: state.replica };
  const relay = new Relay({
    federation,
    log,
    instance,
    sealing,
    state,
    agents: config.gateway.agents ?? {},
    ...(gate ? { gate } : {}),
  });
  const auth =
    given.auth ?? gatewayAuthenticator(config.gateway.token, policy?.keys, config.gateway.keyHeaders, given.localKey);
  const builtin = createBuiltinUpstream(tools, {
    federation,
    viewOf: ({ identity }) => gate?.viewFor(identity, federation.all) ?? federation.all,
    governs: (server) => policy?.governs(server) ?? false,
    connect,
    shareOf: (max) => shareOf(auth, max),
    runtimeServers,
    persistent: state === given.state || stateDir !== undefined,
    guard,
    detect: (url, context) => detectAdapter(url, reachedBy(adapters, 'auto'), context),
    admit: (name, { href: url }, signal) => policy && admitConnection(policy.hooks, { name, target: { url } }, signal),
    callAgent: (route, method, params, call) => relay.subcall(route, method, params, call),
    beginRun: (route, params, call) => relay.beginRun(route, params, call),
    runs: relay.runs,
    log,
  });
  federation.addBuiltin(OWN_NAME, builtin);
  await federation.apply(config.servers);
  await restoreRuntimeServers({ servers: runtimeServers, federation, connect, log });
  void relay.runs.restore();
  const stopFollowing = followRuntimeServers({ servers: runtimeServers, federation, connect, log, state });

  const isValid = brokerValidity(policy?.keys);
  const mqtt =
    config.gateway.mqtt &&
    new GatewayMqtt({
      config: config.gateway.mqtt,
      limits: config.gateway.limits,
      relay,
      view: federation.all,
      log,
      isValid,
    });
  const endpoint = createHttpEndpoint({
    replica: state.replica,
    relay,
    federation,
    config: config.gateway,
    log,
    auth: mqtt ? besideBroker(auth, (identity) => mqtt.has(identity), isValid) : auth,
    basePath: given.basePath,
    admin: policy && (await administration(policy)),
    knows: (identity, server) => {
      const member = federation.member(server);
      return !gate || (member !== undefined && gate.viewFor(identity, federation.all).reaches(member));
    },
    health: healthOf(federation),
  });

  async function administration({ approvals }: Policy): Promise<AdminOptions | undefined> {
    const token = await adminToken(config.policy?.adminToken, stateDir, log);
    const servers = () => federation.members().flatMap((member) => (member.builtin ? [] : [member.status()]));
    return token === undefined ? undefined : { token, approvals, servers };
  }

  async function close(endClients: () => Promise<unknown>): Promise<void> {
    // First no new work, then the clients, then what they were talking to.
    await relay.close();
    await Promise.all([endpoint.close(), mqtt?.close(), endClients()]);
    await federation.close();
    await policy?.close();
    stopFollowing();
    if (state !== given.state) await state.close();
    stopLogging();
    flushLog();
  }

  return { instance, adapters, log, policy, gate, federation, relay, endpoint, mqtt, close };
}

async function sealingSecret(state: State, log: Log): Promise<Buffer> {
  try {
    return await state.secret('request-state');
  } catch (error) {
    log.warn({ err: error }, 'The secret of suspended calls cannot be kept: a restart makes their states invalid.');
    return randomBytes(32);
  }
}

/** A server that takes longer to start does not hold up the gateway. */
const READY_AFTER_MS = 15_000;

/** Ready once every configured server has been connected or has failed. */
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
