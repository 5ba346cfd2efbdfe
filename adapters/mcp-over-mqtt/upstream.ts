/**
 * Tools on a broker as an upstream: its catalog is what the cards say, its calls go out on the caller's own connection where
 * the caller has a login, and on the gateway's otherwise.
 * @module
 */
import type { ConnectContext } from '../../src/core/adapter.ts';
import type { BrokerLogin } from '../../src/core/broker.ts';
import type { Call } from '../../src/core/call.ts';
import { untilAborted } from '../../src/core/deadline.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { Listeners } from '../../src/core/listeners.ts';
import type {
  Catalog,
  CatalogKind,
  Change,
  ListenFilter,
  Reply,
  Subscription,
  Upstream,
} from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import type { Cards, ToolCard } from './cards.ts';
import { Inbox, stopped, unserved } from './inbox.ts';
import type { LoginConnections } from './logins.ts';

/** Cards of a server that starts come one after the other: listeners hear of them together. */
const SETTLE_MS = 50;
/** A connection that lasted as long is worth coming back to at once. */
const STABLE_MS = 10_000;
/** How long a server that has said that it stops may still answer what it was asked before. */
const DRAIN_MS = 2_000;

export interface UpstreamParts {
  context: ConnectContext;
  cards: Cards;
  /** Of the gateway's own connection. */
  inbox: Inbox;
  logins: LoginConnections;
}

export class McpOverMqttUpstream implements Upstream {
  readonly kind = 'mcp-over-mqtt';
  readonly transport = 'mqtt';
  readonly era = 'legacy';
  readonly protocolVersion: string;
  readonly capabilities: JsonObject = { tools: { listChanged: true } };
  readonly serverInfo = undefined;
  readonly instructions = undefined;
  answered = false;
  readonly #parts: UpstreamParts;
  readonly #listeners: Listeners<[Change]>;
  readonly #since = performance.now();
  #listed: string;
  #settling: NodeJS.Timeout | undefined;
  #draining: NodeJS.Timeout | undefined;
  #down: SwitchboardError | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: UpstreamParts) {
    this.#parts = parts;
    this.protocolVersion = `MQTT ${parts.inbox.connection.mqtt}`;
    this.#listeners = new Listeners(parts.context.log);
    this.#listed = parts.cards.digest();
  }

  async catalog(kind: CatalogKind): Promise<Catalog> {
    this.#requireOpen();
    return { entries: kind === 'tools' ? this.#parts.cards.entries() : [] };
  }

  request(method: string, params: JsonObject, call: Call): Promise<Reply> {
    try {
      this.#requireOpen();
      if (call.aborted) return Promise.reject(call.signal.reason);
      const { name } = this.#parts.context;
      if (method !== 'tools/call') {
        const message = `Server '${name}' has tools on a broker, and no '${method.slice(0, 100)}'.`;
        return Promise.reject(new SwitchboardError('SWB_NOT_SUPPORTED', message));
      }
      return this.#callTool(this.#cardOf(params.name), params, call);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #cardOf(tool: unknown): ToolCard {
    const { cards, context } = this.#parts;
    if (typeof tool !== 'string') throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.name must be a string.');
    const card = cards.card(tool);
    if (!card)
      throw new SwitchboardError('SWB_UNKNOWN_TOOL', `Server '${context.name}' has no tool '${tool.slice(0, 200)}'.`);
    if (!cards.isServed(tool)) throw unserved(context.name, tool);
    return card;
  }

  #callTool(card: ToolCard, params: JsonObject, call: Call): Promise<Reply> {
    const { context, inbox } = this.#parts;
    const login = context.credentials.loginFor?.(call.caller.identity);
    if (login === undefined) return inbox.call(card, params, call);
    if (login instanceof Promise) return this.#callLater(login, card, params, call);
    const own = this.#parts.logins.inboxFor(login, call.caller.identity);
    return own instanceof Promise ? this.#callLater(own, card, params, call) : own.call(card, params, call);
  }

  async #callLater(
    waiting: Promise<BrokerLogin | Inbox | undefined>,
    card: ToolCard,
    params: JsonObject,
    call: Call,
  ): Promise<Reply> {
    const { inbox, logins, context } = this.#parts;
    const found = await untilAborted(waiting, call).catch((error: unknown) => {
      throw error instanceof SwitchboardError || call.aborted ? error : noLogin(context.name, error);
    });
    let own = inbox;
    if (found instanceof Inbox) own = found;
    else if (found) own = await untilAborted(Promise.resolve(logins.inboxFor(found, call.caller.identity)), call);
    this.#requireOpen();
    return own.call(card, params, call);
  }

  listen(filter: ListenFilter, onChange: (change: Change) => void): Subscription {
    if (!filter.lists || this.#closing) return { close() {} };
    return { close: this.#listeners.add(onChange) };
  }

  /** A card has come or changed. */
  cardsChanged(): void {
    if (this.#closing) return;
    this.#settling ??= setTimeout(() => this.#settled(), SETTLE_MS).unref();
    clearTimeout(this.#draining);
    this.#draining = setTimeout(() => this.#drained(), DRAIN_MS).unref();
  }

  #settled(): void {
    this.#settling = undefined;
    const now = this.#parts.cards.digest();
    if (now === this.#listed) return;
    this.#listed = now;
    this.#listeners.emit({ type: 'list', kind: 'tools' });
  }

  /** Calls of tools that no client serves any more will not be answered. */
  #drained(): void {
    this.#draining = undefined;
    const { cards, context, inbox, logins } = this.#parts;
    for (const each of [inbox, ...logins.inboxes()]) {
      each.fail(stopped(context.name), (tool) => !cards.isServed(tool));
    }
  }

  async ping(signal: AbortSignal): Promise<void> {
    this.#requireOpen();
    await this.#parts.inbox.confirm(signal);
  }

  /** The gateway's connection is lost. */
  lost(reason: SwitchboardError): void {
    if (this.#closing || this.#down) return;
    this.#down = reason;
    // Two programs with one client id push each other out: who comes back at once does so for ever.
    if (performance.now() - this.#since < STABLE_MS) this.answered = false;
    const { inbox, logins, context } = this.#parts;
    for (const each of [inbox, ...logins.inboxes()]) each.fail(reason);
    void logins.close();
    context.onDown(reason);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { inbox, logins } = this.#parts;
    clearTimeout(this.#settling);
    clearTimeout(this.#draining);
    this.#listeners.clear();
    const reason = this.#disconnected();
    for (const each of [inbox, ...logins.inboxes()]) each.fail(reason);
    await Promise.all([inbox.connection.close(), logins.close()]);
  }

  #requireOpen(): void {
    if (this.#closing) throw this.#disconnected();
    if (this.#down) throw this.#down;
  }

  #disconnected(): SwitchboardError {
    return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${this.#parts.context.name}' was disconnected.`);
  }
}

function noLogin(server: string, cause: unknown): SwitchboardError {
  const message = `There is no login for this caller that could be shown to the broker of server '${server}'.`;
  return new SwitchboardError('SWB_UPSTREAM_AUTH', message, { data: { server, reason: 'unauthorized' }, cause });
}
