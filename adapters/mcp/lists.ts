/**
 * The lists of a server: as it shows them to the gateway's own session, and as it shows them to clients with other capabilities.
 * @module
 */
import type { ConnectContext } from '../../src/core/adapter.ts';
import type { Caller } from '../../src/core/caller.ts';
import { GATEWAY_IDENTITY } from '../../src/core/credentials.ts';
import type { CapabilityLists, Catalog } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { LISTS, type ListKind, readList } from './catalog.ts';
import type { Connection } from './connection.ts';
import type { UpstreamHost } from './host.ts';
import type { CallerSessions } from './session/caller-sessions.ts';
import { refusesSecondSession } from './session/habits.ts';
import type { ServerHandshake } from './session/handshake.ts';
import type { UpstreamSession } from './session/session.ts';
import type { ToolHeaders } from './tool-headers.ts';

export interface ListSources {
  context: Pick<ConnectContext, 'name' | 'log'>;
  connection: Connection;
  host: UpstreamHost;
  handshake: ServerHandshake;
  sessions: CallerSessions;
  /** Learns of the tools that are listed; undefined where their arguments are repeated in no headers. */
  toolHeaders: ToolHeaders | undefined;
  /** A request on the gateway's own session. */
  ask(method: string, params: JsonObject, signal: AbortSignal): Promise<Buffer>;
}

export class Lists {
  readonly #from: ListSources;

  constructor(from: ListSources) {
    this.#from = from;
  }

  /** As `Upstream.listsFor`. */
  async listsFor(capabilities: JsonObject, signal: AbortSignal): Promise<CapabilityLists | undefined> {
    if (this.#from.handshake.era === 'modern') {
      const session = await this.#from.sessions.ready();
      return this.#readLists((method, params) => session.requestOwn(method, params, signal, capabilities));
    }
    // Without a session a legacy server does not know the caller's capabilities, and lists the same to every client.
    const { stateful } = this.#from.sessions.gatewaySession.link;
    const mayVary = this.#from.connection.perCaller || this.#from.host.listsChangedAtStart;
    if (!stateful || !mayVary || this.#from.host.habits.oneSession) return undefined;
    const session = await this.#openFor(capabilities, signal);
    try {
      return await this.#readLists((method, params) => session.requestOwn(method, params, signal));
    } finally {
      await session.close(new Error('Its lists were read.'));
    }
  }

  async #openFor(capabilities: JsonObject, signal: AbortSignal): Promise<UpstreamSession> {
    const caller: Caller = {
      // No client has this one.
      key: GATEWAY_IDENTITY.principal,
      principal: GATEWAY_IDENTITY.principal,
      identity: GATEWAY_IDENTITY,
      era: 'legacy',
      protocolVersion: this.#from.handshake.protocolVersion,
      capabilities,
      clientInfo: undefined,
      logLevel: undefined,
      sessionId: undefined,
    };
    const release = await this.#from.connection.startSlot?.(signal);
    try {
      return await this.#from.connection.open(caller, signal);
    } catch (error) {
      if (refusesSecondSession(error)) this.#from.host.habits.learn({ oneSession: true });
      throw error;
    } finally {
      release?.();
    }
  }

  async #readLists(ask: (method: string, params: JsonObject) => Promise<Buffer>): Promise<CapabilityLists> {
    const { name, log } = this.#from.context;
    const kinds = Object.keys(LISTS) as ListKind[];
    const reading = kinds.map((kind) =>
      readList(kind, { name, log, capabilities: this.#from.handshake.capabilities, ask }),
    );
    const lists = await Promise.all(reading);
    const read: CapabilityLists = Object.fromEntries(kinds.map((kind, index) => [kind, lists[index]]));
    return read.tools && this.#from.toolHeaders
      ? { ...read, tools: this.#from.toolHeaders.learnMore(read.tools) }
      : read;
  }

  /** The list of the gateway's own session. */
  async read(kind: ListKind, signal: AbortSignal): Promise<Catalog> {
    const { name, log } = this.#from.context;
    const list = await readList(kind, {
      name,
      log,
      capabilities: this.#from.handshake.capabilities,
      ask: (method, params) => this.#from.ask(method, params, signal),
    });
    return kind === 'tools' && this.#from.toolHeaders ? this.#from.toolHeaders.learn(list) : list;
  }
}
