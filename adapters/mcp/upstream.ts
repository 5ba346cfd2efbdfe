/**
 * A connected MCP server of either era and any transport as an {@link Upstream}.
 * @module
 */

import type { ConnectContext } from '../../src/core/adapter.ts';
import type { Call } from '../../src/core/call.ts';
import type { Caller } from '../../src/core/caller.ts';
import { untilAborted, within } from '../../src/core/deadline.ts';
import { RPC, SwitchboardError, UpstreamError } from '../../src/core/errors.ts';
import type {
  CapabilityLists,
  Catalog,
  CatalogKind,
  Change,
  ListenFilter,
  Reply,
  Subscription,
  Upstream,
} from '../../src/core/upstream.ts';
import type { Implementation } from '../../src/wire/envelope.ts';
import type { Era } from '../../src/wire/eras.ts';
import { isObject, type JsonObject, type Notification } from '../../src/wire/jsonrpc.ts';
import { isListKind } from './catalog.ts';
import { Changes } from './changes/changes.ts';
import type { Connection } from './connection.ts';
import { asUnavailable } from './errors.ts';
import { Health } from './health.ts';
import type { UpstreamHost } from './host.ts';
import { Lists } from './lists.ts';
import { CallerSessions } from './session/caller-sessions.ts';
import { refusesSecondSession } from './session/habits.ts';
import { discover, type ServerHandshake } from './session/handshake.ts';
import { lostSession, SessionGone } from './session/link.ts';
import type { LostCallers } from './session/lost-callers.ts';
import { type ResetRule, resetRule, resetting } from './session/reset.ts';
import type { UpstreamSession } from './session/session.ts';
import { ToolHeaders } from './tool-headers.ts';

const SET_LEVEL_TIMEOUT_MS = 5_000;
const LIST_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 3_000;

const OPEN_TIMEOUT_MS = 30_000;

export class McpUpstream implements Upstream {
  readonly kind = 'mcp';
  readonly transport: string;
  readonly handshake: ServerHandshake;
  readonly #context: ConnectContext;
  readonly #host: UpstreamHost;
  readonly #connection: Connection;
  readonly #sessions: CallerSessions;
  readonly #changes: Changes;
  readonly #toolHeaders: ToolHeaders | undefined;
  readonly #lists: Lists;
  readonly #health: Health;
  readonly #resets: ResetRule;
  readonly #lostCallers: LostCallers | undefined;
  #ended: Error | undefined;
  #closing: Promise<void> | undefined;
  readonly #closed = new AbortController();
  #silentAboutLevels = false;

  /** `lostCallers`: those whose sessions ended with the connection before; undefined where sessions are renewed unnoticed. */
  constructor(
    context: ConnectContext,
    connection: Connection,
    gatewaySession: UpstreamSession,
    host: UpstreamHost,
    lostCallers?: LostCallers,
  ) {
    this.#lostCallers = lostCallers;
    this.#context = context;
    this.#host = host;
    this.#connection = connection;
    this.transport = connection.transport;
    this.#resets = connection.perCaller ? resetRule(context.options) : undefined;
    this.handshake = gatewaySession.handshake;
    this.#sessions = new CallerSessions(
      {
        name: context.name,
        limit: context.maxCallerSessions,
        open: (caller, wanted) => this.#open(caller, wanted),
        shares: (caller, error) => connection.shares?.(caller, error) ?? false,
        renewed: () => this.#changes.renewed(),
        down: (reason) => this.#down(reason),
        isUntold: (key) => lostCallers?.tell(key) ?? false,
      },
      gatewaySession,
      connection.perCaller,
    );
    this.#changes = new Changes({
      name: context.name,
      log: context.log,
      handshake: this.handshake,
      gatewaySession: () => this.#sessions.gatewaySession,
      listens: () => connection.listens(this.#sessions.gatewaySession),
      ask: (method, params, signal) => this.#ask(method, params, signal),
      read: (kind) => this.catalog(kind, AbortSignal.timeout(LIST_TIMEOUT_MS)),
    });
    this.#health = new Health({
      name: context.name,
      era: this.handshake.era,
      ping: (signal) => this.ping(signal),
      isModern: (signal) => this.#isModern(host, signal),
      down: (reason) => this.#down(reason),
    });
    if (this.handshake.era === 'modern' && connection.transport === 'streamable-http') {
      this.#toolHeaders = new ToolHeaders(context.name, context.log);
    }
    this.#lists = new Lists({
      ...{ context, connection, host },
      handshake: this.handshake,
      sessions: this.#sessions,
      toolHeaders: this.#toolHeaders,
      ask: (method, params, signal) => this.#ask(method, params, signal),
    });
    host.attach(this);
  }

  get answered(): boolean {
    return this.#host.answered;
  }

  get oneSession(): boolean {
    return this.#connection.perCaller && this.#host.habits.oneSession;
  }

  /** Of commands every session is a process, and there is no saying no. */
  async trySession(signal: AbortSignal): Promise<void> {
    if (!this.#connection.perCaller || this.transport !== 'streamable-http') return;
    try {
      const session = await this.#connection.open(undefined, signal);
      await session.close(new Error('It was only tried.'));
    } catch (error) {
      if (refusesSecondSession(error)) this.#host.habits.learn({ oneSession: true });
    }
  }

  get era(): Era {
    return this.handshake.era;
  }

  get protocolVersion(): string {
    return this.handshake.protocolVersion;
  }

  get capabilities(): JsonObject {
    return this.handshake.capabilities;
  }

  get serverInfo(): Implementation | undefined {
    return this.handshake.serverInfo;
  }

  get instructions(): string | undefined {
    return this.handshake.instructions;
  }

  async catalog(kind: CatalogKind, signal: AbortSignal): Promise<Catalog> {
    this.#live();
    if (!isListKind(kind)) return { entries: [] };
    const catalog = await this.#lists.read(kind, signal);
    this.#changes.seen(kind, catalog);
    return catalog;
  }

  async listsFor(capabilities: JsonObject, signal: AbortSignal): Promise<CapabilityLists | undefined> {
    this.#live();
    return this.#lists.listsFor(capabilities, signal);
  }

  /** Most requests have nothing to wait for: their only promise is that of the reply. */
  request(method: string, params: JsonObject, call: Call): Promise<Reply> {
    try {
      this.#live();
      if (call.aborted) throw call.signal.reason;
      if (method === 'logging/setLevel' && this.era === 'modern') return Promise.resolve({ value: {} });
      const mustList = this.#toolHeaders?.known === false && method === 'tools/call' && call.paramHeaders === undefined;
      if (!mustList) return this.#inSession(method, params, call);
      const listed = untilAborted(this.#lists.read('tools', call.signal), call);
      return listed.then(() => this.#inSession(method, params, call));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  #inSession(method: string, params: JsonObject, call: Call): Promise<Reply> {
    const reply = this.#inItsSession(method, params, call);
    if (!this.#resets?.(method, params)) return reply;
    return resetting(reply, () => this.#sessions.release(call.caller.key));
  }

  #inItsSession(method: string, params: JsonObject, call: Call): Promise<Reply> {
    const session = this.#sessions.of(call.caller);
    if (!(session instanceof Promise)) return this.#leveled(session, method, params, call);
    return untilAborted(session, call).then((opened) => this.#leveled(opened, method, params, call));
  }

  #leveled(session: UpstreamSession, method: string, params: JsonObject, call: Call): Promise<Reply> {
    if (this.era === 'legacy' && call.caller.logLevel !== undefined) {
      const setting = this.#setLevel(session, session.levels.change(call.caller));
      if (setting) return untilAborted(setting, call).then(() => this.#send(session, method, params, call));
    }
    return this.#send(session, method, params, call);
  }

  #send(session: UpstreamSession, method: string, params: JsonObject, call: Call): Promise<Reply> {
    this.#live();
    const headers = call.paramHeaders ?? (method === 'tools/call' ? this.#toolHeaders?.of(params) : undefined);
    return session.request(method, params, call, headers, (error) =>
      this.#secondChance(error, session, method, params, call),
    );
  }

  /** Sends a request again where its failure proves that it did not run; rethrows every other failure. */
  async #secondChance(
    error: unknown,
    session: UpstreamSession,
    method: string,
    params: JsonObject,
    call: Call,
  ): Promise<Reply> {
    if (error instanceof SessionGone) {
      const renewed = await untilAborted(Promise.resolve(this.#sessions.renew(session, call.caller)), call);
      try {
        return await renewed.request(method, params, call);
      } catch (again) {
        throw again instanceof SessionGone ? again.clientError : again;
      }
    }
    this.#health.failed(error);
    if (!(error instanceof UpstreamError)) throw error;
    if (error.rpcCode === RPC.headerMismatch && this.#toolHeaders && call.paramHeaders === undefined) {
      // The tool may have changed since it was listed: look, and try once with what it declares now.
      const before = JSON.stringify(this.#toolHeaders.of(params));
      await untilAborted(this.#lists.read('tools', call.signal), call);
      const headers = this.#toolHeaders.of(params);
      if (JSON.stringify(headers) !== before) return session.request(method, params, call, headers);
    }
    throw error;
  }

  listen(filter: ListenFilter, onChange: (change: Change) => void): Subscription {
    return this.#changes.listen(filter, onChange);
  }

  notify(notification: Notification, caller: Caller): void {
    if (this.#ended) return;
    // A modern server asks for roots in each request that needs them, and knows no such notification.
    if (this.era === 'modern' && notification.method === 'notifications/roots/list_changed') return;
    for (const session of this.#sessions.existing(caller.key)) void session.link.post(notification, caller.identity);
  }

  release(callerKey: string): void {
    this.#sessions.release(callerKey);
    if (this.#ended) return;
    const { gatewaySession } = this.#sessions;
    this.#setLevel(gatewaySession, gatewaySession.levels.forget(callerKey));
  }

  async ping(signal: AbortSignal): Promise<void> {
    this.#live();
    try {
      if (this.era === 'legacy') await this.#ask('ping', {}, signal);
      else await this.#sessions.gatewaySession.requestOwn('server/discover', {}, signal);
    } catch (error) {
      // Any answer shows that it is alive (measured: servers that do not know `ping`).
      if (!(error instanceof UpstreamError)) throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const reason = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${this.#context.name}' was disconnected.`);
    this.#ended ??= reason;
    this.#closed.abort(this.#ended);
    this.#changes.close();
    this.#sessions.fail(this.#ended);
    await within(this.#sessions.close(this.#ended), CLOSE_TIMEOUT_MS - 500, () => undefined);
    await this.#connection.close();
  }

  // Of sessions

  changed(notification: Notification): boolean {
    return this.#changes.onNotification(notification);
  }

  onNotification(notification: Notification, callerKey: string | undefined): void {
    if (!this.#ended) this.#context.onNotification(notification, callerKey);
  }

  lost(session: UpstreamSession, reason: Error, hadCalls: boolean): void {
    if (this.#ended) return;
    if (session === this.#sessions.gatewaySession) {
      if (!this.#connection.renewable) this.#down(reason);
      else void Promise.resolve(this.#sessions.renew(session, undefined)).catch(() => {});
    } else {
      this.#sessions.lost(session, hadCalls || this.#connection.renewable);
    }
  }

  suspect(): void {
    if (!this.#ended) this.#health.suspect();
  }

  /** The time to open a session begins with its process, which may have to wait for its turn to start. */
  async #open(caller: Caller | undefined, isWanted: () => boolean): Promise<UpstreamSession> {
    const release = await this.#connection.startSlot?.(this.#closed.signal, caller?.principal);
    try {
      if (!isWanted()) throw lostSession(this.#context.name);
      return await this.#connection.open(caller, AbortSignal.timeout(OPEN_TIMEOUT_MS));
    } finally {
      release?.();
    }
  }

  #down(cause: Error): void {
    if (this.#ended) return;
    this.#ended = asUnavailable(this.#context.name, cause);
    this.#changes.close();
    this.#lostCallers?.remember(this.#sessions.unaware());
    this.#sessions.fail(this.#ended);
    this.#context.onDown(this.#ended);
    // Nothing of it is of use any more, and children and sessions of callers may well be alive.
    void this.close();
  }

  #live(): void {
    if (this.#ended) throw this.#ended;
  }

  /** A request of the gateway's own on the gateway's own session, which is replaced when it is gone. */
  async #ask(method: string, params: JsonObject, signal: AbortSignal): Promise<Buffer> {
    this.#live();
    const session = await this.#sessions.ready();
    try {
      return await session.requestOwn(method, params, signal);
    } catch (error) {
      if (!(error instanceof SessionGone)) throw error;
      const renewed = await this.#sessions.renew(session, undefined);
      return renewed.requestOwn(method, params, signal).catch((again) => {
        throw again instanceof SessionGone ? again.clientError : again;
      });
    }
  }

  async #isModern(host: UpstreamHost, signal: AbortSignal): Promise<boolean> {
    const { link } = this.#sessions.gatewaySession;
    const { name, envelope } = host;
    return (await discover({ link, name, envelope, nextId: () => host.nextId(), signal })) !== 'legacy';
  }

  /** Sets the log level of a legacy session, where there is one to set. */
  #setLevel(session: UpstreamSession, level: string | undefined): Promise<void> | undefined {
    if (level === undefined || this.era === 'modern' || this.#silentAboutLevels) return undefined;
    if (!isObject(this.capabilities.logging)) return undefined;
    return session.requestOwn('logging/setLevel', { level }, AbortSignal.timeout(SET_LEVEL_TIMEOUT_MS)).then(
      () => {},
      (error) => {
        // Log messages are a service: a call is not refused for want of them.
        if (error instanceof UpstreamError) this.#silentAboutLevels = true;
        else session.levels.unset();
      },
    );
  }
}
