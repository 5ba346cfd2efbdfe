/**
 * What the retained cards say: which tools there are, and whether a server serves them.
 *
 * A server's will covers its own card alone, so after a crash its tools' cards go on saying `online`; and where two servers
 * have one tool, its card is that of the last one to start, and says `offline` as soon as that one stops (both measured). So a
 * tool is there while any server that is online has it, unless that server itself says that it has not.
 * @module
 */
import type { Log } from '../../src/core/log.ts';
import type { Entry } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { BrokerMessage } from '../../src/wire/mqtt/index.ts';
import { cardName, isLevel } from './topics.ts';

const MAX_TOOLS = 5_000;
const MAX_SERVERS = 1_000;
const MAX_TOOLS_OF_SERVER = 5_000;
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
}

interface ServerCard {
  readonly isOnline: boolean;
  readonly tools: ReadonlySet<string>;
}

export class Cards {
  readonly #tools = new Map<string, ToolCard>();
  readonly #servers = new Map<string, ServerCard>();
  readonly #log: Log;
  readonly #server: string;

  /** `server`: the name of the configuration, for the log. */
  constructor(server: string, log: Log) {
    this.#server = server;
    this.#log = log;
  }

  /** A server's card, or the empty message that takes it away. */
  readServer(message: BrokerMessage): void {
    const name = cardName(message.topic);
    const card = this.#read(message);
    if (!card) this.#servers.delete(name);
    else if (this.#servers.has(name) || this.#servers.size < MAX_SERVERS) {
      const tools = Array.isArray(card.tools) ? card.tools.filter((tool) => typeof tool === 'string') : [];
      this.#servers.set(name, {
        isOnline: card.status !== 'offline',
        tools: new Set(tools.slice(0, MAX_TOOLS_OF_SERVER)),
      });
    } else this.#ignore(message, 'there are too many servers');
  }

  /** A tool's card, or the empty message that takes it away. */
  readTool(message: BrokerMessage): void {
    const name = cardName(message.topic);
    const card = this.#read(message);
    if (!card) this.#tools.delete(name);
    else if (card.tool !== undefined && card.tool !== name) this.#ignore(message, 'it is of another tool');
    else if (this.#tools.has(name) || this.#tools.size < MAX_TOOLS) this.#tools.set(name, toolCard(name, card));
    else this.#ignore(message, 'there are too many tools');
  }

  /** Undefined: there is none, or what is there is no card, which takes an earlier one away just the same. */
  #read(message: BrokerMessage): JsonObject | undefined {
    if (message.payload.length === 0) return undefined;
    try {
      if (message.truncated) throw new Error('it is too long');
      const card: unknown = JSON.parse(message.payload.toString('utf8'));
      if (!isObject(card)) throw new Error('it is no object');
      return card;
    } catch (error) {
      this.#ignore(message, error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message);
      return undefined;
    }
  }

  #ignore({ topic }: BrokerMessage, why: string): void {
    this.#log.warn({ server: this.#server, topic: topic.slice(0, 200), why }, 'a card on the broker is ignored');
  }

  get hasServers(): boolean {
    return this.#servers.size > 0;
  }

  /** The card of a tool, whether or not it is served. */
  card(tool: string): ToolCard | undefined {
    return this.#tools.get(tool);
  }

  isServed(tool: string): boolean {
    const card = this.#tools.get(tool);
    if (!card) return false;
    for (const [name, { isOnline, tools }] of this.#servers) {
      if (!isOnline) continue;
      const own = card.server === name;
      if (own ? card.isOnline : tools.has(tool)) return true;
    }
    return false;
  }

  /** Tools that are served, by name. */
  entries(): Entry[] {
    const served = [...this.#tools.values()].filter(({ name }) => this.isServed(name));
    return served.map(({ name, value }) => ({ key: name, value })).sort((a, b) => (a.key < b.key ? -1 : 1));
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
