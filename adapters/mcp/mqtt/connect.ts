/**
 * Connecting to an MCP server at a broker (EMQX's form). It is a transport of sessions, so its servers are legacy. Every
 * session is a connection to the broker, with a client id of its own and with the login of its caller, where it has one.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { ConnectContext, Target } from '../../../src/core/adapter.ts';
import type { BrokerLogin } from '../../../src/core/broker.ts';
import type { Caller } from '../../../src/core/caller.ts';
import { GATEWAY_IDENTITY } from '../../../src/core/credentials.ts';
import { SwitchboardError } from '../../../src/core/errors.ts';
import { type BrokerConnection, openBroker } from '../../../src/wire/mqtt/index.ts';
import {
  clientPresenceTopic,
  DISCONNECTED_MESSAGE,
  PROPERTY,
  type ServerAddress,
} from '../../../src/wire/mqtt/mcp-topics.ts';
import type { Connected } from '../connection.ts';
import type { UpstreamHost } from '../host.ts';
import { type HandshakeOptions, initialize } from '../session/handshake.ts';
import { callerEnvelope } from '../session/params.ts';
import { UpstreamSession } from '../session/session.ts';
import { discoverServer, type Wanted } from './discover.ts';
import { MqttLink, ownProperties } from './link.ts';

export type MqttTarget = Target & { transport: 'mqtt' };

/**
 * How long a server that is not online is waited for. What is retained comes at once; longer, and the calls that wait for
 * this attempt would wait as well.
 */
const PATIENCE_MS = 1_000;

export async function connectMqtt(context: ConnectContext, target: MqttTarget, host: UpstreamHost): Promise<Connected> {
  if (target.broker.version === '3.1.1') {
    throw new SwitchboardError(
      'SWB_CONFIG',
      `Server '${context.name}' speaks MCP over MQTT 5, and its entry asks for 3.1.1.`,
    );
  }
  const sessions = new Sessions(context, target, host);
  const gatewaySession = await sessions.open(undefined, context.signal);
  return {
    gatewaySession,
    connection: {
      transport: 'mqtt',
      perCaller: context.isolation === 'caller',
      renewable: false,
      open: (caller, deadline) => sessions.open(caller, deadline),
      listens: () => true,
      close: async () => {},
    },
  };
}

class Sessions {
  readonly #context: ConnectContext;
  readonly #target: MqttTarget;
  readonly #host: UpstreamHost;
  /** The server of the first session, and so of all. */
  #server: ServerAddress | undefined;
  #version: string | undefined;

  constructor(context: ConnectContext, target: MqttTarget, host: UpstreamHost) {
    this.#context = context;
    this.#target = target;
    this.#host = host;
  }

  /** A session of the caller's, or of the gateway's. Ends everything it has opened when it fails. */
  async open(caller: Caller | undefined, signal: AbortSignal): Promise<UpstreamSession> {
    const { name, envelope, habits } = this.#host;
    const opened: { link?: MqttLink } = {};
    const broker = await this.#connect(await this.#loginOf(caller), opened, signal);
    let session: UpstreamSession | undefined;
    try {
      this.#server ??= await this.#find(broker, signal);
      opened.link = await MqttLink.open(this.#context, broker, this.#server);
      session = new UpstreamSession(opened.link, this.#host, caller?.key);
      const nextId = (): number => this.#host.nextId();
      const handshake: HandshakeOptions = { link: opened.link, name, envelope, nextId, signal, habits };
      if (caller && this.#version !== undefined) handshake.envelope = callerEnvelope(caller, this.#version, envelope);
      session.handshake = await initialize(handshake, this.#version);
      this.#version ??= session.handshake.protocolVersion;
      return session;
    } catch (error) {
      if (session) await session.close(error as Error);
      else await broker.close();
      throw error;
    }
  }

  async #loginOf(caller: Caller | undefined): Promise<BrokerLogin> {
    const login = await this.#context.credentials.loginFor?.(caller?.identity ?? GATEWAY_IDENTITY);
    return login ?? this.#target.broker;
  }

  #connect(login: BrokerLogin, opened: { link?: MqttLink }, signal: AbortSignal): Promise<BrokerConnection> {
    const { name, maxReplyBytes, guard, log, envelope } = this.#context;
    const clientId = `${login.clientId ?? 'switchboard'}-${randomBytes(8).toString('hex')}`;
    const { clientInfo } = envelope;
    return openBroker({
      name,
      url: new URL(this.#target.url),
      login,
      headers: this.#target.headers,
      version: '5',
      clientId,
      keepaliveSeconds: this.#target.broker.keepaliveSeconds,
      will: {
        topic: clientPresenceTopic(clientId),
        payload: DISCONNECTED_MESSAGE,
        userProperties: ownProperties(clientId),
      },
      userProperties: {
        [PROPERTY.component]: 'mcp-client',
        [PROPERTY.meta]: JSON.stringify({ name: clientInfo?.name, version: clientInfo?.version }),
      },
      maxPayloadBytes: maxReplyBytes,
      guard,
      log,
      signal,
      onLost: (reason) => opened.link?.brokerLost(reason),
    });
  }

  #find(broker: BrokerConnection, signal: AbortSignal): Promise<ServerAddress> {
    const { name, options } = this.#context;
    const wanted: Wanted = { name: textOf(options.serverName), id: textOf(options.serverId) };
    return discoverServer({ name, broker, wanted, patienceMs: PATIENCE_MS, signal });
  }
}

const textOf = (option: unknown): string | undefined => (typeof option === 'string' ? option : undefined);
