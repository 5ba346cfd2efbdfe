/**
 * The endpoint on an MQTT broker: the gateway as an MCP server in EMQX's form. It shows itself by a retained message,
 * which its will takes back, and each client on the broker that the operator has named gets a session of its own.
 *
 * A session lives on one connection of the gateway to the broker: when that is lost, clients see the gateway go offline
 * (the will), and their sessions end here too.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { SwitchboardError, toRpcError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import { PRODUCT } from '../../core/product.ts';
import type { View } from '../../federation/types.ts';
import type { EndpointRelay } from '../../relay/relay.ts';
import { isObject, kindOf, type Notification, type RequestId } from '../../wire/jsonrpc.ts';
import {
  type BrokerConnection,
  type BrokerMessage,
  type BrokerOptions,
  keepBroker,
  type PublishOptions,
} from '../../wire/mqtt/index.ts';
import {
  capabilityTopic,
  clientCapabilityTopic,
  clientOf,
  clientPresenceTopic,
  controlTopic,
  DISCONNECTED,
  idProblem,
  isNotification,
  onlineMessage,
  PROPERTY,
  presenceTopic,
  rpcClientOf,
  rpcTopic,
  type ServerAddress,
} from '../../wire/mqtt/mcp-topics.ts';
import { encodeError, idOf, parseJson } from '../messages.ts';
import { ClientSession } from './client-session.ts';
import { ClientSessions } from './client-sessions.ts';
import type { IdentifyClient } from './identities.ts';
import { Refusals } from './refusals.ts';

export interface MqttServeOptions {
  relay: EndpointRelay;
  view: View;
  log: Log;
  broker: Pick<BrokerOptions, 'url' | 'login' | 'headers' | 'keepaliveSeconds'>;
  serverName: string;
  /** The client id at the broker. Default: one is made up for each start. */
  serverId: string | undefined;
  description: string;
  identify: IdentifyClient;
  /** Clients belong to several principals. */
  severalPrincipals: boolean;
  /** An identity that {@link identify} gave may still call. */
  isValid(identity: Identity): boolean;
  limits: { maxSessions: number; sessionIdleMs: number; maxBodyBytes: number };
  askTimeoutMs?: number;
  /** For tests. */
  patienceMs?: number;
}

export interface MqttEndpoint {
  readonly server: ServerAddress;
  /** Clients that have a session. */
  readonly sessions: number;
  /** Ends the sessions of identities for whom `isKept` is false and of those that are no longer valid. */
  revoke(isKept: (identity: Identity) => boolean): void;
  /** Takes the gateway off the broker. Bounded in time; never rejects. */
  close(): Promise<void>;
}

const ASK_TIMEOUT_MS = 10 * 60_000;
const PATIENCE_MS = 30_000;
/** List changes for which clients have a topic in common. */
const IS_LIST_CHANGE = /^notifications\/(?:tools|prompts|resources)\/list_changed$/;

export function serveMqtt(options: MqttServeOptions): MqttEndpoint {
  const { serverId = `switchboard-${randomBytes(6).toString('hex')}`, serverName, log, limits } = options;
  const patienceMs = options.patienceMs ?? PATIENCE_MS;
  const server = { id: serverId, name: serverName };
  const sessions = new ClientSessions({ ...limits, patienceMs }, options.severalPrincipals);
  const incoming = new IncomingMessages(options, server, sessions);
  const userProperties = { [PROPERTY.component]: 'mcp-server', [PROPERTY.sender]: serverId };
  const kept = keepBroker({
    ...options.broker,
    name: 'gateway.mqtt',
    clientId: serverId,
    version: '5',
    will: { topic: presenceTopic(server), payload: '', retain: true, userProperties },
    userProperties: {
      ...userProperties,
      [PROPERTY.meta]: JSON.stringify({ name: PRODUCT.name, version: PRODUCT.version }),
    },
    maxPayloadBytes: limits.maxBodyBytes,
    log,
    onUp: (broker) => incoming.begin(broker),
    onDown: (reason, retryMs) => {
      const { size } = sessions;
      sessions.endAll();
      log.warn({ err: reason, retryMs, sessions: size }, 'The MQTT endpoint is not connected to its broker.');
    },
  });
  const everyMs = Math.min(5_000, Math.max(10, Math.min(patienceMs, limits.sessionIdleMs) / 4));
  const timer = setInterval(() => {
    sessions.tick(performance.now());
    sessions.expel(options.isValid);
  }, everyMs);
  timer.unref();
  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    clearInterval(timer);
    sessions.endAll();
    const broker = kept.connection;
    // An orderly end does not send the will.
    broker?.publish(presenceTopic(server), '', { retain: true, properties: { userProperties } });
    await kept.close();
  }

  return {
    server,
    get sessions() {
      return sessions.size;
    },
    revoke: (isKept) => sessions.expel((identity) => isKept(identity) && options.isValid(identity)),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** What comes in from clients, on whichever connection to the broker there is. */
class IncomingMessages {
  readonly #options: MqttServeOptions;
  readonly #server: ServerAddress;
  readonly #sessions: ClientSessions;
  readonly #publishing: PublishOptions;
  readonly #refusals: Refusals;
  /** List changes that are to be announced, once each. */
  readonly #changes = new Set<string>();

  constructor(options: MqttServeOptions, server: ServerAddress, sessions: ClientSessions) {
    this.#options = options;
    this.#server = server;
    this.#sessions = sessions;
    const userProperties = { [PROPERTY.component]: 'mcp-server', [PROPERTY.sender]: server.id };
    this.#publishing = { properties: { userProperties } };
    this.#refusals = new Refusals(options.log);
  }

  /** Listens on a new connection, and then shows that the gateway is online. */
  async begin(broker: BrokerConnection): Promise<void> {
    const { id, name } = this.#server;
    const control = controlTopic(this.#server);
    const rpc = rpcTopic('+', this.#server);
    const filters = [control, rpc, clientPresenceTopic('+'), clientCapabilityTopic('+')];
    broker.on(control, (message) => this.#controlled(broker, message));
    broker.on(rpc, (message) => this.#called(broker, message));
    for (const filter of filters.slice(2)) broker.on(filter, (message) => this.#told(message));
    await Promise.all(filters.map((filter) => broker.subscribe(filter, { noLocal: true })));
    await broker.published(presenceTopic(this.#server), onlineMessage(name, this.#options.description), {
      ...this.#publishing,
      retain: true,
    });
    this.#options.log.info({ serverName: name, serverId: id }, 'The MQTT endpoint is online at its broker.');
  }

  /** A message on the topic that all clients open sessions on. Whose it is, it only claims. */
  #controlled(broker: BrokerConnection, message: BrokerMessage): void {
    if (message.retain) return;
    const sender = message.properties?.userProperties?.[PROPERTY.sender];
    if (typeof sender !== 'string' || idProblem(sender) !== undefined) {
      this.#refusals.note('a client that does not say its id (MCP-MQTT-CLIENT-ID)');
      return;
    }
    this.#open(broker, sender, message);
  }

  #open(broker: BrokerConnection, clientId: string, message: BrokerMessage): void {
    const { identify, isValid } = this.#options;
    let parsed: unknown;
    try {
      parsed = this.#parse(message);
      const id = idOf(parsed);
      if (!isObject(parsed) || id === null || kindOf(parsed) !== 'request' || parsed.method !== 'initialize') {
        throw new SwitchboardError('SWB_INVALID_REQUEST', 'This topic takes the initialize request and nothing else.');
      }
      const identity = identify(clientId);
      if (!identity || !isValid(identity)) {
        this.#refusals.note(`the client id '${clientId}', which gateway.mqtt.clients gives no grant`);
        throw new SwitchboardError('SWB_FORBIDDEN', 'This client id may not use the gateway.');
      }
      if (!this.#sessions.mayOpen(clientId, id)) {
        this.#refusals.note(`a request to open a session for '${clientId}', which is in one`);
        return;
      }
      this.#sessions.requireRoom(clientId, identity);
      const session = this.#sessionOf(broker, clientId, identity);
      this.#sessions.add(session);
      session.receive(parsed);
    } catch (error) {
      this.#refuse(broker, clientId, idOf(parsed), error);
    }
  }

  #sessionOf(broker: BrokerConnection, clientId: string, identity: Identity): ClientSession {
    const { relay, view, log, askTimeoutMs = ASK_TIMEOUT_MS } = this.#options;
    return new ClientSession({
      relay,
      view,
      log,
      askTimeoutMs,
      identity,
      clientId,
      broker,
      topic: rpcTopic(clientId, this.#server),
      publishing: this.#publishing,
      announce: (sent) => this.#announced(broker, sent),
      unread: (session) => this.#sessions.end(session),
      refused: (session, failure) => {
        this.#refusals.note(`a reply to '${session.clientId}': ${failure.message}`);
        this.#sessions.end(session);
      },
    });
  }

  /** A message on a client's own topic: from that client, as far as the broker's access control says so. */
  #called(broker: BrokerConnection, message: BrokerMessage): void {
    const clientId = rpcClientOf(message.topic);
    if (message.retain || clientId === undefined || idProblem(clientId) !== undefined) return;
    let parsed: unknown;
    try {
      parsed = this.#parse(message);
      const session = this.#sessions.of(clientId, parsed);
      if (session) this.#pass(session, parsed);
      // A client that does not open sessions where the others do.
      else if (isObject(parsed) && parsed.method === 'initialize') this.#open(broker, clientId, message);
      else if (kindOf(parsed) === 'request') {
        throw new SwitchboardError('SWB_SESSION_NOT_FOUND', 'The session is unknown or has ended. Initialize again.');
      }
    } catch (error) {
      // A client without a name is not answered on every message.
      if (!this.#options.identify(clientId)) return;
      const id = message.truncated ? idAtEdges(message.payload.toString('utf8')) : idOf(parsed);
      this.#refuse(broker, clientId, id, error);
    }
  }

  #pass(session: ClientSession, parsed: unknown): void {
    if (!this.#options.isValid(session.identity)) {
      this.#sessions.end(session);
      throw new SwitchboardError('SWB_UNAUTHENTICATED', 'The grant of this client id is no longer valid.');
    }
    if (session.congested && kindOf(parsed) === 'request') {
      throw new SwitchboardError('SWB_QUEUE_FULL', 'The broker does not take replies as fast as requests come.', {
        retryAfterMs: 1_000,
      });
    }
    session.receive(parsed);
  }

  /** A client leaves, or what it can do has changed. */
  #told({ topic, payload, retain, truncated }: BrokerMessage): void {
    const client = retain || truncated ? undefined : clientOf(topic);
    const session = client && this.#sessions.present(client.id);
    if (!client) return;
    if (client.about === 'presence') {
      if (isNotification(payload, DISCONNECTED)) this.#sessions.endOf(client.id);
      return;
    }
    try {
      const parsed = parseJson(payload);
      if (session && kindOf(parsed) === 'notification') this.#pass(session, parsed);
    } catch (error) {
      this.#options.log.debug({ err: error }, 'dropped a notification of a client');
    }
  }

  /** List changes go to all clients at once, and name nothing: each asks for the list as it may see it. */
  #announced(broker: BrokerConnection, { method }: Notification): boolean {
    if (!IS_LIST_CHANGE.test(method)) return false;
    if (this.#changes.size === 0) setImmediate(() => this.#announce(broker));
    this.#changes.add(method);
    return true;
  }

  #announce(broker: BrokerConnection): void {
    for (const method of this.#changes) {
      broker.publish(capabilityTopic(this.#server), JSON.stringify({ jsonrpc: '2.0', method }), this.#publishing);
    }
    this.#changes.clear();
  }

  #parse({ payload, truncated }: BrokerMessage): unknown {
    if (!truncated) return parseJson(payload);
    const { maxBodyBytes } = this.#options.limits;
    throw new SwitchboardError('SWB_BODY_TOO_LARGE', `A message is over ${maxBodyBytes} bytes; it was dropped.`);
  }

  #refuse(broker: BrokerConnection, clientId: string, id: ReturnType<typeof idOf>, error: unknown): void {
    broker.publish(rpcTopic(clientId, this.#server), encodeError(id, toRpcError(error)), this.#publishing);
  }
}

/** The id of a request of which only the beginning and the end are there: it stands next to one of them. */
function idAtEdges(edges: string): RequestId | null {
  const id =
    /^\s*\{\s*(?:"jsonrpc":"2\.0",)?"id":("[^"\\]{0,128}"|\d{1,15}),"method"/.exec(edges) ??
    /\},(?:"jsonrpc":"2\.0",)?"id":("[^"\\]{0,128}"|\d{1,15})(?:,"jsonrpc":"2\.0")?\}\s*$/.exec(edges);
  return id?.[1] === undefined ? null : (JSON.parse(id[1]) as RequestId);
}
