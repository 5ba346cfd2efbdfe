/**
 * What the retained cards say: which tools there are, and whether a server serves them.
 *
 * A server's will covers its own card alone, so after a crash its tools' cards go on saying `online`; and where two servers
 * have one tool, its card is that of the last one to start, and says `offline` as soon as that one stops (both measured). So a
 * tool is there while any server that is online has it, unless that server itself says that it has not.
 * @module
 */
import { sha256 } from '../../src/core/hash.ts';
import type { Log } from '../../src/core/log.ts';
import type { Entry } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { BrokerMessage } from '../../src/wire/mqtt/index.ts';
import { isLevel } from '../../src/wire/mqtt/tool-topics.ts';
import { cardName } from './topics.ts';

const MAX_TOOLS = 5_000;
const MAX_SERVERS = 1_000;
const MAX_CARD_BYTES = 262_144;
/** Of all cards together. */
const MAX_BYTES = 33_554_432;
/** A publisher of cards cannot fill the log. */
const MAX_WARNINGS = 100;
const MAX_DESCRIPTION = 4_000;

/** What the gateway says of a tool beyond MCP. */
const CARD_META = 'switchboard/mqtt';

export interface ToolCard {
  readonly name: string;
  readonly server: string | undefined;
  readonly isOnline: boolean;
  readonly streams: boolean;
  readonly hasOutputSchema: boolean;
  readonly value: JsonObject;
  /** Differs where the value does. */
  readonly digest: string;
}

interface ServerCard {
  readonly isOnline: boolean;
  readonly tools: ReadonlySet<string>;
}

export class Cards {
  readonly #tools = new Map<string, ToolCard>();
  readonly #servers = new Map<string, ServerCard>();
  /** Bytes of each card, by topic. */
  readonly #sizes = new Map<string, number>();
  readonly #log: Log;
  readonly #server: string;
  #bytes = 0;
  #ignored = 0;
  /** Made anew after each change. */
  #served: ReadonlySet<string> | undefined;

  /** `server`: the name of the configuration, for the log. */
  constructor(server: string, log: Log) {
    this.#server = server;
    this.#log = log;
  }

  get hasServers(): boolean {
    return this.#servers.size > 0;
  }

  /** A server's card, or the empty message that takes it away. */
  readServer(message: BrokerMessage): void {
    const name = cardName(message.topic);
    this.#servers.delete(name);
    const card = this.#read(message, this.#servers.size < MAX_SERVERS);
    if (!card) return;
    const tools = Array.isArray(card.tools) ? card.tools.filter((tool) => typeof tool === 'string') : [];
    this.#servers.set(name, { isOnline: card.status !== 'offline', tools: new Set(tools.slice(0, MAX_TOOLS)) });
  }

  /** A tool's card, or the empty message that takes it away. */
  readTool(message: BrokerMessage): void {
    const name = cardName(message.topic);
    this.#tools.delete(name);
    const card = this.#read(message, this.#tools.size < MAX_TOOLS, name);
    if (card) this.#tools.set(name, toolCard(name, card));
  }

  /** Undefined: there is none, or what is there is no card, which takes an earlier one away just the same. */
  #read({ topic, payload, truncated }: BrokerMessage, hasRoom: boolean, tool?: string): JsonObject | undefined {
    this.#served = undefined;
    this.#bytes -= this.#sizes.get(topic) ?? 0;
    this.#sizes.delete(topic);
    if (payload.length === 0) return undefined;
    const ignore = (why: string): undefined => {
      if (++this.#ignored > MAX_WARNINGS) return;
      this.#log.warn({ server: this.#server, topic: topic.slice(0, 200), why }, 'a card on the broker is ignored');
    };
    if (!hasRoom || this.#bytes + payload.length > MAX_BYTES) return ignore('there are too many');
    if (truncated || payload.length > MAX_CARD_BYTES) return ignore('it is too long');
    let card: unknown;
    try {
      card = JSON.parse(payload.toString('utf8'));
    } catch {
      return ignore('it is not JSON');
    }
    if (!isObject(card)) return ignore('it is no object');
    if (tool !== undefined && card.tool !== undefined && card.tool !== tool) return ignore('it is of another tool');
    this.#sizes.set(topic, payload.length);
    this.#bytes += payload.length;
    return card;
  }

  /** The card of a tool, whether or not it is served. */
  card(tool: string): ToolCard | undefined {
    return this.#tools.get(tool);
  }

  isServed(tool: string): boolean {
    this.#served ??= this.#findServed();
    return this.#served.has(tool);
  }

  #findServed(): Set<string> {
    const served = new Set<string>();
    for (const [name, { isOnline, tools }] of this.#servers) {
      if (!isOnline) continue;
      for (const tool of tools) if (this.#tools.get(tool)?.server !== name) served.add(tool);
    }
    for (const { name, server, isOnline } of this.#tools.values()) {
      if (isOnline && server !== undefined && this.#servers.get(server)?.isOnline) served.add(name);
    }
    return served;
  }

  /** Tools that are served, by name. */
  entries(): Entry[] {
    return this.#listed().map(({ name, value }) => ({ key: name, value }));
  }

  /** Differs where {@link entries} do. */
  digest(): string {
    return sha256(
      this.#listed()
        .map(({ name, digest }) => `${name} ${digest}`)
        .join('\n'),
    );
  }

  #listed(): ToolCard[] {
    const served = [...this.#tools.values()].filter(({ name }) => this.isServed(name));
    return served.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

function toolCard(name: string, card: JsonObject): ToolCard {
  const { description, input_schema, output_schema } = card;
  const value: JsonObject = { name };
  if (text(description)) value.description = String(description).slice(0, MAX_DESCRIPTION);
  value.inputSchema = isObject(input_schema) ? { type: 'object', ...input_schema } : { type: 'object' };
  if (isObject(output_schema)) value.outputSchema = output_schema;
  value._meta = { [CARD_META]: factsOf(card) };
  return {
    name,
    server: text(card.server),
    isOnline: card.status !== 'offline',
    streams: card.supports_streaming === true,
    hasOutputSchema: isObject(output_schema),
    value,
    digest: sha256(JSON.stringify(value)),
  };
}

/** Hints of a card: the broker's rules enforce what they say, not the gateway. */
function factsOf(card: JsonObject): JsonObject {
  const facts: JsonObject = {};
  if (text(card.server) && isLevel(String(card.server))) facts.server = card.server;
  const callers = Array.isArray(card.allowed_callers) ? card.allowed_callers : undefined;
  if (callers) facts.allowed_callers = callers.filter((caller) => typeof caller === 'string').slice(0, 100);
  for (const key of ['requires_auth', 'supports_streaming']) {
    if (typeof card[key] === 'boolean') facts[key] = card[key];
  }
  const { version_info } = card;
  if (isObject(version_info) && text(version_info.tool)) facts.version = version_info.tool;
  return facts;
}
