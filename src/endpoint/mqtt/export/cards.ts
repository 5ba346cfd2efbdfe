/**
 * The retained cards of exported tools and of their server, and the subscriptions to the calls, kept in step with the
 * tools there are.
 * @module
 */
import type { SwitchboardError } from '../../../core/errors.ts';
import type { JsonObject } from '../../../wire/jsonrpc.ts';
import type { BrokerConnection, BrokerMessage } from '../../../wire/mqtt/index.ts';
import {
  type CardStatus,
  callTopic,
  isLevel,
  serverCard,
  serverCardTopic,
  sharedCallFilter,
  toolCard,
  toolCardTopic,
} from '../../../wire/mqtt/tool-topics.ts';

export interface CardsOptions {
  namespace: string;
  server: string;
  called(tool: string, message: BrokerMessage): void;
  refused(what: string): void;
  /** How long servers may take to list what they had before. */
  staleMs?: number | undefined;
}

interface Shown {
  tool: JsonObject;
  /** The tool as text, to see whether it has changed. */
  text: string;
  stop(): void;
}

/** SUBACK: the broker has no shared subscriptions. */
const NOT_SHARED = 0x9e;
/** Servers are connected by then, or will not be for a while. */
const STALE_MS = 15_000;
const MAX_STALE = 10_000;

export class Cards {
  readonly #options: CardsOptions;
  readonly #shown = new Map<string, Shown>();
  #broker: BrokerConnection | undefined;
  #isServerShown = false;
  #isShared = true;
  /** Tools of this server that have cards of an earlier run. */
  readonly #stale = new Set<string>();
  #collecting: NodeJS.Timeout | undefined;

  constructor(options: CardsOptions) {
    this.#options = options;
  }

  get names(): readonly string[] {
    return [...this.#shown.keys()];
  }

  /** A new connection: nothing is subscribed to, and cards may say that the server is offline. */
  begin(broker: BrokerConnection): void {
    this.#broker = broker;
    this.#isShared = true;
    this.#findStale(broker);
  }

  lost(): void {
    clearTimeout(this.#collecting);
    this.#broker = undefined;
    this.#shown.clear();
    this.#isServerShown = false;
  }

  /** Makes the cards those of these tools. Rejects when the broker refuses. */
  async show(tools: readonly JsonObject[]): Promise<void> {
    const before = this.names.join('\n');
    const wanted = new Map(tools.map((tool) => [tool.name as string, tool]));
    for (const [name, { stop }] of [...this.#shown]) {
      if (wanted.has(name)) continue;
      stop();
      this.#shown.delete(name);
      this.#publish(toolCardTopic(this.#options.namespace, name), '');
    }
    for (const [name, tool] of wanted) await this.#showTool(name, tool);
    if (this.#isServerShown && this.names.join('\n') === before) return;
    this.#isServerShown = true;
    this.#showServer('online');
  }

  async #showTool(name: string, tool: JsonObject): Promise<void> {
    const broker = this.#broker;
    const text = JSON.stringify(tool);
    const shown = this.#shown.get(name);
    if (!broker || shown?.text === text) return;
    const stop = shown?.stop ?? (await this.#listen(broker, name));
    if (this.#broker !== broker) return;
    this.#shown.set(name, { tool, text, stop });
    this.#showCard(tool, 'online');
  }

  /** Receives calls of a tool, before its card is seen. */
  async #listen(broker: BrokerConnection, name: string): Promise<() => void> {
    const { namespace, called } = this.#options;
    const topic = callTopic(namespace, name);
    const remove = broker.on(topic, (message) => called(name, message));
    let filter = this.#isShared ? sharedCallFilter(namespace, name) : topic;
    try {
      await broker.subscribe(filter);
    } catch (error) {
      if ((error as SwitchboardError).data?.reasonCode !== NOT_SHARED || !this.#isShared) throw error;
      this.#isShared = false;
      filter = topic;
      await broker.subscribe(filter);
    }
    return () => {
      remove();
      broker.unsubscribe(filter);
    };
  }

  goOffline(): void {
    clearTimeout(this.#collecting);
    if (!this.#broker) return;
    this.#showServer('offline');
    for (const { tool } of this.#shown.values()) this.#showCard(tool, 'offline');
  }

  #showServer(status: CardStatus): void {
    const { namespace, server } = this.#options;
    this.#publish(
      serverCardTopic(namespace, server),
      JSON.stringify(serverCard(namespace, server, this.names, status)),
    );
  }

  #showCard(tool: JsonObject, status: CardStatus): void {
    const { namespace, server } = this.#options;
    this.#publish(
      toolCardTopic(namespace, tool.name as string),
      JSON.stringify(toolCard(namespace, server, tool, status)),
    );
  }

  #publish(topic: string, payload: string): void {
    this.#broker?.publish(
      topic,
      payload,
      { retain: true, properties: { contentType: 'application/json' } },
      {
        published: (failure, reasonCode) => {
          if (failure && reasonCode !== 0) this.#options.refused(`a card on '${topic}': ${failure.message}`);
        },
      },
    );
  }

  /** Takes cards back that a run which crashed has left: their tools may be gone. */
  #findStale(broker: BrokerConnection): void {
    const { namespace, server } = this.#options;
    const filter = toolCardTopic(namespace, '+');
    const stop = broker.on(filter, ({ payload, topic, truncated }) => {
      if (truncated || this.#stale.size >= MAX_STALE) return;
      const name = topic.split('/').at(-2) ?? '';
      if (isLevel(name) && isCardOf(payload, server)) this.#stale.add(name);
    });
    // Where the broker does not let the gateway read cards, old ones stay: they are offline with their server.
    broker.subscribe(filter, { noLocal: true }).catch(() => {});
    clearTimeout(this.#collecting);
    this.#collecting = setTimeout(() => {
      stop();
      broker.unsubscribe(filter);
      for (const name of this.#stale) {
        if (!this.#shown.has(name)) this.#publish(toolCardTopic(namespace, name), '');
      }
      this.#stale.clear();
    }, this.#options.staleMs ?? STALE_MS);
    this.#collecting.unref();
  }
}

function isCardOf(payload: Buffer, server: string): boolean {
  try {
    return (JSON.parse(payload.toString('utf8')) as JsonObject | null)?.server === server;
  } catch {
    return false;
  }
}
