/**
 * A legacy client's session: what is in flight, what we have asked, and how both end. Streamable HTTP, old HTTP+SSE and
 * stdio share it; they bring the framing.
 *
 * Invariants: a request id is in flight at most once; after an exchange is over nothing is sent for it; closing a
 * session cancels its requests and refuses its asks.
 * @module
 */
import type { Ask } from '../../core/call.ts';
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import type { View } from '../../federation/types.ts';
import type { EndpointRelay } from '../../relay/relay.ts';
import type { Channel, ClientSession, InFlight } from '../../relay/types.ts';
import { isRequestId, type JsonObject, type Notification, type Request, type RequestId } from '../../wire/jsonrpc.ts';
import type { MessageSink, ReplySink } from '../sinks.ts';
import { PendingAsks } from './asks.ts';

export interface LegacySessionOptions {
  /** Its `sessionId` names the session. */
  caller: Caller;
  view: View;
  relay: EndpointRelay;
  log: Log;
  /** Where notifications outside any request go. */
  outlet: MessageSink;
  askTimeoutMs: number;
}

export class LegacySession implements ClientSession {
  readonly id: string;
  readonly view: View;
  caller: Caller;
  readonly #relay: EndpointRelay;
  readonly #log: Log;
  readonly #outlet: MessageSink;
  readonly #askTimeoutMs: number;
  readonly #exchanges = new Map<RequestId, LegacyRequest>();
  /** Made at the first ask: most sessions never have one. */
  #asks: PendingAsks | undefined;
  #closed = false;

  constructor(options: LegacySessionOptions) {
    this.id = options.caller.sessionId ?? options.caller.key;
    this.caller = options.caller;
    this.view = options.view;
    this.#relay = options.relay;
    this.#log = options.log;
    this.#outlet = options.outlet;
    this.#askTimeoutMs = options.askTimeoutMs;
  }

  get busy(): boolean {
    return this.#exchanges.size > 0;
  }

  /** The client is initialized: from now on it hears of changes. */
  open(): void {
    if (!this.#closed) this.#relay.openSession(this);
  }

  /** Takes the newest identity of the session's principal: its claims may be others by now. */
  identify(identity: Identity): void {
    if (identity !== this.caller.identity) this.caller = { ...this.caller, identity };
  }

  notify(notification: Notification): void {
    if (!this.#closed) this.#outlet.send(notification);
  }

  handle(request: Request, port: ReplySink): void {
    const { id } = request;
    if (this.#closed) {
      port.fail(id, new SwitchboardError('SWB_SESSION_NOT_FOUND', 'The session has ended. Initialize again.'));
      return;
    }
    if (this.#exchanges.has(id)) {
      port.fail(
        null,
        new SwitchboardError('SWB_INVALID_REQUEST', `Request id ${JSON.stringify(id)} is in use by a running request.`),
      );
      return;
    }
    const exchange = new LegacyRequest(this, port);
    this.#exchanges.set(id, exchange);
    const inFlight = this.#relay.handle({
      caller: this.caller,
      view: this.view,
      request,
      channel: exchange,
      session: this,
    });
    exchange.inFlight = inFlight;
    inFlight.answer.then(
      (answer) => {
        if (!this.#end(id, exchange)) return;
        try {
          port.reply(id, answer);
        } catch (error) {
          this.#log.error({ err: error, method: request.method }, 'an answer could not be written');
          port.fail(id, error);
        }
      },
      (error: unknown) => {
        if (this.#end(id, exchange)) port.fail(id, error);
      },
    );
  }

  /** A notification of the client. */
  receive(notification: Notification): void {
    switch (notification.method) {
      case 'notifications/cancelled':
        this.#withdrawn(notification.params);
        return;
      case 'notifications/initialized':
      // Progress of an ask: nobody upstream could tell whose it is.
      case 'notifications/progress':
        return;
      default:
        this.#relay.notified(notification, this.caller, this.view);
    }
  }

  /** A response of the client. False when nothing waits for it (any more). */
  answered(response: JsonObject): boolean {
    return this.#asks?.answered(response) ?? false;
  }

  /** The client left this request without withdrawing it: it is cancelled and nothing more is sent for it. */
  abandon(id: RequestId, reason: string): void {
    const exchange = this.#exchanges.get(id);
    if (!exchange || !this.#end(id, exchange)) return;
    exchange.inFlight?.cancel(reason);
  }

  /** Requests in flight end with an error, asks are refused, and the relay forgets the session. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#asks?.refuseAll();
    for (const exchange of [...this.#exchanges.values()]) exchange.inFlight?.cancel('The session has ended.');
    this.#relay.closeSession(this);
  }

  ask(ask: Ask, exchange: LegacyRequest): Promise<JsonObject> {
    if (this.#closed || exchange.over) {
      return Promise.reject(new SwitchboardError('SWB_ASK_REFUSED', 'The call is over.'));
    }
    this.#asks ??= new PendingAsks(this.#askTimeoutMs);
    return this.#asks.put(ask, exchange.port, exchange);
  }

  /** Malformed, unknown and late withdrawals are ignored (2025-11-25 cancellation, "Error Handling"). */
  #withdrawn(params: JsonObject | undefined): void {
    const id = params?.requestId;
    const exchange = isRequestId(id) ? this.#exchanges.get(id) : undefined;
    if (!isRequestId(id) || !exchange || !this.#end(id, exchange)) return;
    exchange.inFlight?.cancel(typeof params?.reason === 'string' ? params.reason : undefined);
    exchange.port.release(id);
  }

  /** False when the exchange was over before. */
  #end(id: RequestId, exchange: LegacyRequest): boolean {
    if (exchange.over) return false;
    // Before `over`: the client is still to be told that what it was asked is moot.
    this.#asks?.withdrawOf(exchange);
    exchange.over = true;
    this.#exchanges.delete(id);
    return true;
  }
}

/** One request of a session on its way, and the way back to its client. */
export class LegacyRequest implements Channel {
  readonly port: ReplySink;
  readonly #session: LegacySession;
  inFlight: InFlight | undefined;
  over = false;

  constructor(session: LegacySession, port: ReplySink) {
    this.#session = session;
    this.port = port;
  }

  notify(notification: Notification): void {
    if (!this.over) this.port.send(notification);
  }

  pause(retryMs: number): void {
    if (!this.over) this.port.pause?.(retryMs);
  }

  ask(ask: Ask): Promise<JsonObject> {
    return this.#session.ask(ask, this);
  }
}
