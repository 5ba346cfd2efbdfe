/**
 * The parts of one gateway, each made of those before it.
 * @module
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { ADAPTERS } from '../adapters/index.ts';
import { besideBroker, brokerValidity } from './auth/broker-identities.ts';
import { withLentKeys } from './auth/lent-authenticator.ts';
import { LentKeys } from './auth/lent-keys.ts';
import { openUpstreamAuth } from './auth/upstream/open.ts';
import type { VaultLogins } from './auth/upstream/vault-logins.ts';
import type { AuthConfig, MqttConfig } from './config/types.ts';
import type { Adapter, NetworkGuard } from './core/adapter.ts';
import type { Authenticator } from './core/identity.ts';
import { checkAdapters, reachedBy } from './core/kinds.ts';
import type { Log } from './core/log.ts';
import { PRODUCT } from './core/product.ts';
import { shareOf } from './core/shares.ts';
import type { BrowserSessions } from './endpoint/admin/browser-sessions.ts';
import type { Health } from './endpoint/http/context.ts';
import { createHttpEndpoint, type HttpEndpoint } from './endpoint/http/server.ts';
import { createFederation } from './federation/federation.ts';
import { credentialServerOf } from './federation/members/credential-server.ts';
import { detectAdapter } from './federation/members/detect.ts';
import {
  createRuntimeServers,
  followRuntimeServers,
  restoreRuntimeServers,
} from './federation/members/runtime-servers.ts';
import { whenConnected } from './federation/members/when-connected.ts';
import type { Federation } from './federation/types.ts';
import { openAdministration } from './gateway-admin.ts';
import { type GatewayConnect, gatewayConnect, localBase } from './gateway-connect.ts';
import type { InternalParts } from './gateway-internal.ts';
import type { GatewayMqtt } from './gateway-mqtt.ts';
import { gatewayState } from './gateway-state.ts';
import { type GatewayTelemetry, metricSources, openTelemetry } from './gateway-telemetry.ts';
import { authenticatorOf, tokensOf } from './gateway-tokens.ts';
import { gatewayWebhooks } from './gateway-webhooks.ts';
import type { Config } from './load-config.ts';
import { boundedLog } from './observe/bounded-log.ts';
import { createLog } from './observe/log.ts';
import { logEvents } from './observe/log-events.ts';
import { admitConnection } from './policy/hooks/connections.ts';
import type { PolicyConfig } from './policy/language/types.ts';
import { createNetworkGuard } from './policy/network-guard/network-guard.ts';
import { openPolicy } from './policy/open.ts';
import type { Policy } from './policy/policy.ts';
import { Gate } from './relay/gate/gate.ts';
import { viewFor } from './relay/gate/lent-filter.ts';
import { Relay } from './relay/relay.ts';
import { Replicas } from './state/replicas.ts';
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
  readonly logins: VaultLogins | undefined;
  /** Where people log in to servers; undefined without {@link logins}. */
  readonly connecting: GatewayConnect | undefined;
  readonly endpoint: HttpEndpoint;
  /** The gateway on an MQTT broker; undefined where none is configured. */
  readonly mqtt: GatewayMqtt | undefined;
  readonly telemetry: GatewayTelemetry;
  /** Sessions of operators' browsers; undefined without an administration. */
  readonly operators: BrowserSessions | undefined;
  /** Ends every part, and with the endpoint the clients that are served without one. */
  close(endClients: () => Promise<unknown>): Promise<void>;
}

/** Rejects with `SWB_CONFIG` when adapters, hooks or the lock file cannot be used. */
export async function wire(config: Config, given: InternalParts): Promise<Wiring> {
  const { adapters = ADAPTERS } = given;
  const { log, flush: flushLog } = boundedLog(given.log ?? createLog(config.gateway.logLevel));
  checkAdapters(adapters);
  const { connect } = config.gateway;
  const instance = randomUUID();
  const stopLogging = logEvents(log, instance);
  const store = await gatewayState(config.gateway, given.state, log);
  const { state, folder: stateDir } = store;
  const runtimeServers = createRuntimeServers(state.kv, adapters, log, state.bus);
  const guard = (): NetworkGuard => createNetworkGuard(connect);

  const tools = builtinTools(adapters, { asAgentProxy: config.gateway.agentProxy });
  // No own name of a server's tool may be taken for one of these.
  const builtins = new Set(tools.map(({ name }) => name));
  const policy =
    config.policy &&
    (await openPolicy({
      config: config.policy,
      builtins,
      state,
      instance,
      log,
      onStateFailure: config.gateway.redis?.onStateFailure,
    }));
  const gate = policy && new Gate(policy);

  const upstreamAuth = given.credentials
    ? undefined
    : await openUpstreamAuth({
        state,
        log,
        key: config.gateway.vault?.secret,
        keyFile: config.gateway.vault?.keyFile,
        publicUrl: config.gateway.publicUrl,
        guard,
        server: (name) => {
          const member = federation.member(name);
          return member && !member.builtin ? credentialServerOf(member.config) : undefined;
        },
      });
  const logins = upstreamAuth?.logins;
  const stopHearing = logins?.onFinished(({ server }) => federation.member(server)?.reconnect?.());
  const federation = createFederation({
    instance,
    adapters,
    gateway: config.gateway,
    log,
    state: state.kv,
    memory: state.kv,
    envelope: { protocolVersion: LATEST_MODERN, clientInfo: { ...PRODUCT, instance }, clientCapabilities: ANSWERABLE },
    credentials: given.credentials ?? upstreamAuth?.credentials,
    wholeDefinitions: () => given.wholeDefinitions === true || (policy !== undefined && policy.lockMode !== 'off'),
    // What the operator configured may be anywhere; what a client connected may not.
    guardFor: ({ origin, target }) =>
      origin === 'runtime' && 'url' in target
        ? refusingOtherServers(guard(), new URL(target.url), () => federation.members())
        : undefined,
    admit: (server, signal) => policy && admitConnection(policy.hooks, server, signal),
    startAfter: given.startAfter,
  });
  const telemetry = await openTelemetry({ config: config.gateway, instance, log, env: given.telemetryEnv });
  // Together the replicas on one Redis are one gateway: they divide the places of servers, and reach what lives in each other.
  const replicas = store.isShared ? new Replicas({ state, log }) : undefined;
  const sealing = { secret: await secretOf(state, 'request-state', log, STATES_LOST), replica: state.replica };
  const lentKeys: LentKeys = new LentKeys({
    state,
    log,
    isValid: (identity) => clientAuth.isValid(identity),
    // Calls under way with the key end with it, and its sessions.
    onEnded: () => setImmediate(() => endpoint.revoke(() => true)),
  });
  const pageBase = (): string | undefined => config.gateway.publicUrl ?? localBase(endpoint.address);
  const ready = (server: string): Promise<void> => whenConnected(federation, server);
  const opened = given.auth ? undefined : await openAuthorization(config.gateway.auth);
  const connecting =
    logins &&
    gatewayConnect(logins, state, await secretOf(state, 'connect', log, CODES_LOST), pageBase, ready, opened?.check);
  const relay: Relay = new Relay({
    federation,
    log,
    instance,
    sealing,
    state,
    replicas,
    agents: config.gateway.agents ?? {},
    tracing: telemetry.tracing,
    lending: { keys: lentKeys, publicUrl: config.gateway.publicUrl, listening: () => endpoint.address },
    logins: connecting?.pages,
    ...(gate ? { gate } : {}),
  });
  const tokens = given.auth ? undefined : await tokensOf(config.gateway, given.basePath, guard, opened?.source);
  const auth = given.auth ?? authenticatorOf(config.gateway, tokens, policy?.keys, given.localKey);
  const builtin = createBuiltinUpstream(tools, {
    federation,
    viewOf: ({ identity }) => viewFor(gate, identity, federation.all),
    governs: (server) => policy?.governs(server) ?? false,
    connect,
    shareOf: (max) => shareOf(auth, max),
    runtimeServers,
    persistent: store.persistent,
    guard,
    detect: (url, context) => detectAdapter(url, reachedBy(adapters, 'auto'), context),
    admit: (name, { href: url }, signal) => policy && admitConnection(policy.hooks, { name, target: { url } }, signal),
    callAgent: (route, method, params, call) => relay.subcalls.make(route, method, params, call),
    beginRun: (route, params, call) => relay.subcalls.beginRun(route, params, call),
    runs: relay.runs,
    log,
  });
  federation.addBuiltin(OWN_NAME, builtin);
  await federation.apply(config.servers);
  // Grants may have been taken out while the gateway was not running.
  if (config.policy) void logins?.revokeGrants(grantsOf(config.policy));
  await restoreRuntimeServers({ servers: runtimeServers, federation, connect, log });
  // Keys of calls that ended with their process without a word.
  void relay.runs.restore().then((inUse) => inUse && lentKeys.endAbandoned(inUse));
  const stopFollowing = followRuntimeServers({ servers: runtimeServers, federation, connect, log, state });

  const administration =
    policy && gate
      ? await openAdministration({
          instance,
          config: config.policy,
          stateDir,
          login: config.gateway.admin?.login,
          publicUrl: config.gateway.publicUrl,
          guard,
          policy,
          gate,
          federation,
          relay,
          auth,
          clientsLogIn: tokens !== undefined,
          builtins,
          configuration: given.configuration,
          connections: logins && connecting && { logins, pages: connecting.pages },
          state,
          replicas,
          log,
        })
      : undefined;
  const isValid = brokerValidity(policy?.keys);
  const mqtt: GatewayMqtt | undefined = config.gateway.mqtt && (await openMqtt(config.gateway.mqtt));
  const clientAuth: Authenticator = mqtt ? besideBroker(auth, (identity) => mqtt.has(identity), isValid) : auth;
  const endpoint: HttpEndpoint = createHttpEndpoint({
    replica: state.replica,
    replicas: replicas && {
      replicas,
      key: await state.secret('replicas'),
      listen: config.gateway.replica ?? { host: '127.0.0.1', port: 0 },
      placeOfTask: ({ identity, view }, taskId) => relay.placeOfTask(identity, view, taskId),
    },
    relay,
    agents: { relay, kv: state.kv, webhooks: await gatewayWebhooks(config.gateway, state, instance) },
    federation,
    config: config.gateway,
    log,
    auth: withLentKeys(clientAuth, lentKeys, config.gateway.keyHeaders),
    basePath: given.basePath,
    resources: tokens?.resources,
    authorize: opened?.handler,
    admin: administration?.options && { ...administration.options, metrics: telemetry.text },
    knows: (identity, server) => {
      const member = federation.member(server);
      return !gate || (member !== undefined && gate.viewFor(identity, federation.all).reaches(member));
    },
    health: healthOf(federation),
    connect: connecting?.options,
  });

  telemetry.measure(metricSources({ federation, relay, endpoint, approvals: policy?.approvals }));
  const operators = administration?.options?.sessions;

  async function openMqtt(mqtt: MqttConfig): Promise<GatewayMqtt> {
    const { GatewayMqtt } = await import('./gateway-mqtt.ts');
    const { limits } = config.gateway;
    return new GatewayMqtt({ config: mqtt, limits, relay, view: federation.all, log, isValid });
  }

  async function openAuthorization(auth: AuthConfig | undefined) {
    if (!auth?.bridge) return undefined;
    const { openGatewayBridge } = await import('./gateway-bridge.ts');
    const { adminToken } = config.policy ?? {};
    return openGatewayBridge(auth, auth.bridge, { gateway: config.gateway, adminToken, stateDir, state, guard, log });
  }

  async function close(endClients: () => Promise<unknown>): Promise<void> {
    // First no new work, then the clients, then what they were talking to.
    administration?.close();
    await relay.close();
    await Promise.all([endpoint.close(), mqtt?.close(), endClients()]);
    await federation.close();
    await telemetry.close();
    await policy?.close();
    stopFollowing();
    stopHearing?.();
    logins?.close();
    lentKeys.close();
    await store.close();
    stopLogging();
    flushLog();
  }

  return {
    instance,
    adapters,
    log,
    policy,
    gate,
    federation,
    relay,
    logins,
    connecting,
    endpoint,
    mqtt,
    telemetry,
    operators,
    close,
  };
}

/** Whether there is a grant of this name. */
export function grantsOf({ grants }: PolicyConfig): (grant: string) => boolean {
  const names = new Set(grants.map(({ name }) => name));
  return (grant) => names.has(grant);
}

/** A secret of the state, or one of this process where the state keeps none: then `lost` is logged. */
async function secretOf(state: State, name: string, log: Log, lost: string): Promise<Buffer> {
  try {
    return await state.secret(name);
  } catch (error) {
    log.warn({ err: error }, lost);
    return randomBytes(32);
  }
}

const STATES_LOST = 'The secret of suspended calls cannot be kept: a restart makes their states invalid.';
const CODES_LOST = 'The secret of login pages cannot be kept: a restart makes their codes invalid.';

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
