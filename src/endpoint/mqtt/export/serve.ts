/**
 * Publishes the tools that one grant may use as cards with a call topic each, in CloudSignal's form of MCP over MQTT, so
 * that the broker's access control says who may call which. Calls run as that grant, whichever client sends them: what policy
 * allows it, with its limits, in the queues of the servers.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { Caller } from '../../../core/caller.ts';
import { SwitchboardError } from '../../../core/errors.ts';
import { anyGlob } from '../../../core/globs.ts';
import type { Identity } from '../../../core/identity.ts';
import type { Log } from '../../../core/log.ts';
import { PRODUCT } from '../../../core/product.ts';
import type { View } from '../../../federation/types.ts';
import type { EndpointRelay } from '../../../relay/relay.ts';
import { type ClientSession, resultObject } from '../../../relay/types.ts';
import { LATEST_LEGACY } from '../../../wire/eras.ts';
import { isObject, type JsonObject, type Request } from '../../../wire/jsonrpc.ts';
import { type BrokerConnection, type BrokerMessage, type BrokerOptions, keepBroker } from '../../../wire/mqtt/index.ts';
import { isLevel, serverCard, serverCardTopic } from '../../../wire/mqtt/tool-topics.ts';
import { Refusals } from '../refusals.ts';
import { readCall } from './call-message.ts';
import { Cards } from './cards.ts';
import { type RunningCall, RunningCalls } from './running-calls.ts';

export interface ExportOptions {
  relay: EndpointRelay;
  view: View;
  log: Log;
  broker: Pick<BrokerOptions, 'url' | 'login' | 'headers' | 'keepaliveSeconds' | 'clientId'>;
  namespace: string;
  /** The name on the cards. */
  server: string;
  /** Who calls. */
  identity: Identity;
  /** Globs of the names tools have for clients. An empty `include` means all; `exclude` wins. */
  tools: { include: readonly string[]; exclude: readonly string[] };
  maxBodyBytes: number;
  /** The identity may still call. */
  isValid(identity: Identity): boolean;
  /** For tests. */
  staleMs?: number;
}

export interface ToolExport {
  /** Names of the tools that have a card. */
  readonly tools: readonly string[];
  /** Shows that the tools are offline. Bounded in time; never rejects. */
  close(): Promise<void>;
}

/** Cards are kept by the broker, one for each tool. */
const MAX_TOOLS = 2_000;
const MAX_PAGES = 100;

export function exportTools(options: ExportOptions): ToolExport {
  const { namespace, server, log } = options;
  const exporting = new Exporting(options);
  const card = (status: 'online' | 'offline') => JSON.stringify(serverCard(namespace, server, exporting.tools, status));
  const kept = keepBroker({
    ...options.broker,
    name: 'gateway.mqtt.export',
    will: { topic: serverCardTopic(namespace, server), payload: card('offline'), retain: true },
    maxPayloadBytes: options.maxBodyBytes,
    log,
    onUp: (broker) => exporting.begin(broker),
    onDown: (reason, retryMs) => {
      exporting.lost();
      log.warn({ err: reason, retryMs }, 'The exported tools are not connected to their broker.');
    },
  });
  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    exporting.end();
    await kept.close();
  }

  return {
    get tools() {
      return exporting.tools;
    },
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

class Exporting {
  readonly #options: ExportOptions;
  readonly #calls: RunningCalls;
  readonly #refusals: Refusals;
  readonly #cards: Cards;
  readonly #isWanted: (name: string) => boolean;
  /** The relay knows of list changes by it: those of what this grant may see. */
  readonly #session: ClientSession;
  #broker: BrokerConnection | undefined;
  #lastId = 0;
  /** A refresh is running; `again`: the list has changed since it began. */
  #refreshing = false;
  #again = false;
  #ended = false;

  constructor(options: ExportOptions) {
    this.#options = options;
    const { relay, view, identity, namespace, server, log, tools } = options;
    this.#refusals = new Refusals(log);
    const refused = (what: string): void => this.#refusals.note(what);
    this.#calls = new RunningCalls({ namespace, connection: () => this.#broker, refused });
    this.#cards = new Cards({
      namespace,
      server,
      refused,
      staleMs: options.staleMs,
      called: (tool, message) => this.#called(tool, message),
    });
    const [isIncluded, isExcluded] = [anyGlob(tools.include), anyGlob(tools.exclude)];
    this.#isWanted = (name) => isIncluded(name) && (tools.exclude.length === 0 || !isExcluded(name));
    const caller = callerFor(identity);
    this.#session = {
      id: caller.key,
      view,
      caller,
      notify: ({ method }) => {
        if (method === 'notifications/tools/list_changed') this.#refresh();
      },
    };
    relay.openSession(this.#session);
  }

  get tools(): readonly string[] {
    return this.#cards.names;
  }

  async begin(broker: BrokerConnection): Promise<void> {
    this.#broker = broker;
    this.#cards.begin(broker);
    this.#calls.connected();
    // What cannot be listed now is listed once it has changed.
    this.#refresh();
    const { namespace, server, log } = this.#options;
    log.info({ namespace, server }, 'The exported tools are connected to their broker.');
  }

  lost(): void {
    this.#broker = undefined;
    this.#cards.lost();
  }

  end(): void {
    this.#ended = true;
    this.#options.relay.closeSession(this.#session);
    this.#cards.goOffline();
  }

  /** Brings the cards up to date with the list. One run at a time; a change meanwhile is followed by another. */
  #refresh(): void {
    this.#again = true;
    if (this.#refreshing) return;
    this.#refreshing = true;
    void this.#run().finally(() => {
      this.#refreshing = false;
    });
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#ended) {
      this.#again = false;
      try {
        const tools = await this.#list();
        if (this.#broker && !this.#ended) await this.#cards.show(tools);
      } catch (error) {
        this.#options.log.warn({ err: error }, 'The exported tools could not be brought up to date.');
      }
    }
  }

  async #list(): Promise<JsonObject[]> {
    const found: JsonObject[] = [];
    let cursor: unknown;
    for (let page = 0; page < MAX_PAGES; page++) {
      const params = cursor === undefined ? {} : { cursor };
      const { result } = this.#handle({ jsonrpc: '2.0', id: ++this.#lastId, method: 'tools/list', params });
      const { tools, nextCursor } = resultObject(await result);
      for (const tool of Array.isArray(tools) ? tools : []) if (this.#isExported(tool)) found.push(tool);
      if (nextCursor === undefined || found.length >= MAX_TOOLS) break;
      cursor = nextCursor;
    }
    return found.slice(0, MAX_TOOLS);
  }

  #isExported(tool: unknown): tool is JsonObject {
    if (!isObject(tool) || typeof tool.name !== 'string' || !this.#isWanted(tool.name)) return false;
    if (isLevel(tool.name)) return true;
    this.#refusals.note(`the tool '${tool.name}', whose name can be no level of a topic`);
    return false;
  }

  #called(tool: string, message: BrokerMessage): void {
    // A call that was retained was not sent to the gateway that listens now.
    if (message.retain) return;
    const { from, refused, request } = readCall(message, this.#options.namespace);
    if (!from) {
      this.#refusals.note(refused ?? 'a call');
      return;
    }
    if (this.#calls.has(from)) return;
    const { identity, isValid } = this.#options;
    const begin = (call: RunningCall) => {
      if (!isValid(identity))
        throw new SwitchboardError('SWB_UNAUTHENTICATED', 'The grant of these tools is no longer valid.');
      return this.#handle(request(tool, ++this.#lastId), call);
    };
    const { messageExpiryInterval } = message.properties ?? {};
    this.#calls.start(tool, from, messageExpiryInterval, begin);
  }

  #handle(request: Request, call?: RunningCall) {
    const { relay, view } = this.#options;
    const channel = {
      notify: (sent: Parameters<ClientSession['notify']>[0]) => {
        if (call) this.#calls.progressed(call, sent);
      },
    };
    return relay.handle({ caller: this.#session.caller, view, request, channel, session: this.#session });
  }
}

/** The grant as one caller: who sends the calls is known to the broker alone. No server can ask it for anything. */
function callerFor(identity: Identity): Caller {
  const key = randomBytes(16).toString('hex');
  return {
    key,
    principal: identity.principal,
    identity,
    era: 'legacy',
    protocolVersion: LATEST_LEGACY,
    capabilities: {},
    clientInfo: { name: `${PRODUCT.name} (MQTT export)`, version: PRODUCT.version },
    logLevel: undefined,
    sessionId: key,
  };
}
