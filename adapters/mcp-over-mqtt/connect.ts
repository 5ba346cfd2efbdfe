/**
 * Connects to the broker, reads its cards, and detects whether there are any.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectContext, DetectContext } from '../../src/core/adapter.ts';
import { BROKER_DEFAULTS, BROKER_PROTOCOLS, type BrokerLogin, type BrokerSettings } from '../../src/core/broker.ts';
import { GATEWAY_IDENTITY } from '../../src/core/credentials.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Identity } from '../../src/core/identity.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import { type BrokerConnection, openBroker } from '../../src/wire/mqtt/index.ts';
import { Cards } from './cards.ts';
import { Inbox, type InboxOptions } from './inbox.ts';
import { LoginConnections } from './logins.ts';
import { Topics, topicNamespace } from './topics.ts';
import { McpOverMqttUpstream } from './upstream.ts';

/** Retained messages have no end. They come at once, so a pause is one; what comes later is a change of the list. */
const PAUSE_MS = 100;
const MAX_CARDS_MS = 3_000;
const MAX_PROBE_BYTES = 262_144;
/** The connection of a caller, opened during its call. */
const LOGIN_CONNECT_MS = 10_000;

type Lost = (reason: SwitchboardError) => void;

export async function connect(context: ConnectContext): Promise<Upstream> {
  const { name, target, options, credentials, signal, log } = context;
  if (target.transport !== 'mqtt') {
    throw new SwitchboardError('SWB_CONFIG', `Server '${name}': kind 'mcp-over-mqtt' needs the URL of an MQTT broker.`);
  }
  const { broker } = target;
  const topics = new Topics(String(options.topicNamespace));
  const cards = new Cards(name, log);
  let upstream: McpOverMqttUpstream | undefined;
  let lost: SwitchboardError | undefined;

  const inboxOptions = (ofCaller: boolean): InboxOptions => ({
    server: name,
    topics,
    expiryMs: context.timeoutMs,
    ofCaller,
    log,
    onAnswer: () => {
      if (upstream) upstream.answered = true;
    },
  });
  const attempt = async (login: BrokerLogin, identity: Identity, until: AbortSignal, onLost: Lost) => {
    const { url } = target;
    const connection = await openBroker({
      name,
      url: new URL(url),
      login,
      headers: url.startsWith('ws') ? await credentials.headersFor(identity) : {},
      version: broker.version,
      keepaliveSeconds: broker.keepaliveSeconds,
      maxPayloadBytes: context.maxReplyBytes,
      guard: context.guard,
      log,
      signal: until,
      onLost,
    });
    try {
      const client = login.clientId ?? login.username ?? connection.clientId;
      return await Inbox.open(connection, client, inboxOptions(identity !== GATEWAY_IDENTITY));
    } catch (error) {
      await connection.close();
      throw error;
    }
  };
  /** Opens a connection; once more, with the login there is then, where a refused one may have been replaced. */
  const open = async (login: BrokerLogin, identity: Identity, until: AbortSignal, onLost: Lost): Promise<Inbox> => {
    try {
      return await attempt(login, identity, until, onLost);
    } catch (error) {
      if (!(error instanceof SwitchboardError) || error.code !== 'SWB_UPSTREAM_AUTH') throw error;
      if ((await credentials.refused?.(identity, 401, undefined)) !== 'retry') throw error;
      return attempt((await credentials.loginFor?.(identity)) ?? login, identity, until, onLost);
    }
  };

  const own = (await credentials.loginFor?.(GATEWAY_IDENTITY)) ?? broker;
  const inbox = await open(own, GATEWAY_IDENTITY, signal, (reason) => {
    lost = reason;
    upstream?.lost(reason);
  });
  try {
    const { connection } = inbox;
    await readCards(connection, topics, cards, signal, () => upstream?.cardsChanged());
    if (lost) throw lost;
    const logins = new LoginConnections({
      server: name,
      max: context.maxCallerSessions,
      open: (login, identity, onLost) => open(login, identity, AbortSignal.timeout(LOGIN_CONNECT_MS), onLost),
    });
    upstream = new McpOverMqttUpstream({ context, cards, inbox, logins });
    return upstream;
  } catch (error) {
    await inbox.connection.close();
    throw error;
  }
}

/** Subscribes to the cards and waits for those the broker has kept. */
async function readCards(
  connection: BrokerConnection,
  topics: Topics,
  cards: Cards,
  signal: AbortSignal,
  changed: () => void,
): Promise<void> {
  const latest = performance.now() + MAX_CARDS_MS;
  let last = performance.now();
  const came = (): void => {
    last = performance.now();
    changed();
  };
  connection.on(topics.serverCards, (message) => {
    cards.readServer(message);
    came();
  });
  connection.on(topics.toolCards, (message) => {
    cards.readTool(message);
    came();
  });
  await Promise.all([connection.subscribe(topics.serverCards), connection.subscribe(topics.toolCards)]);
  last = performance.now();
  for (let now = last; now - last < PAUSE_MS && now < latest; now = performance.now()) {
    await sleep(Math.ceil(last + PAUSE_MS - now), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

export async function detect(url: URL, { broker, headers, guard, signal, refused }: DetectContext): Promise<boolean> {
  if (!BROKER_PROTOCOLS.has(url.protocol)) return false;
  const settings: BrokerSettings = broker ?? BROKER_DEFAULTS;
  let connection: BrokerConnection | undefined;
  try {
    connection = await openBroker({
      name: url.hostname,
      url,
      login: settings,
      headers,
      version: settings.version,
      maxPayloadBytes: MAX_PROBE_BYTES,
      guard,
      log: silent,
      signal,
      onLost: () => {},
    });
    const cards = new Cards(url.hostname, silent);
    await readCards(connection, new Topics(topicNamespace.parse(undefined)), cards, signal, () => {});
    return cards.hasServers;
  } catch (error) {
    if (error instanceof SwitchboardError) refused?.(error);
    return false;
  } finally {
    await connection?.close();
  }
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };
