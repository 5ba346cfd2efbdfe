/**
 * A legacy client's session: its open requests, the gateway's requests to its client, and how both end. Streamable HTTP,
 * old HTTP+SSE and stdio share it; each brings its own framing.
 *
 * Invariants: a request id is open at most once; nothing is sent for a request that is over; closing a session cancels
 * its requests and refuses the gateway's requests to the client.
 * @module
 */
import type { Ask } from '../../core/call.ts';
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import { type Linked, LinkedList } from '../../core/linked-list.ts';
import type { Log } from '../../core/log.ts';
import type { View } from '../../federation/types.ts';
import type { EndpointRelay } from '../../relay/relay.ts';
import type { CallResult, ClientSession } from '../../relay/types.ts';
import type { JsonObject, Notification, Request, RequestId } from '../../wire/jsonrpc.ts';
import { type MessageSink, OpenRequest, type ReplySink, requestOf } from '../open-request.ts';
import { PendingAsks } from './asks.ts';

export interface LegacySessionOptions {
  /** Its `sessionId` names the session. */
  caller: Caller;
  view: View;
  relay: EndpointRelay;
  log: Log;
  /** Where notifications outside any request go. */
  sink: MessageSink;
  askTimeoutMs: number;
}

export class LegacySession implements ClientSession {
  readonly id: string;
  readonly view: View;
  caller: Caller;
  readonly #relay: EndpointRelay;
  readonly #log: Log;
  readonly #sink: MessageSink;
  readonly #askTimeoutMs: number;
  readonly #requests = new LinkedList<LegacyRequest>();
  /** Made at the first ask: most sessions never have one. */
  #asks: PendingAsks | undefined;
  #closed = false;

  constructor(options: LegacySessionOptions) {
    this.id = options.caller.sessionId ?? options.caller.key;
    this.caller = options.caller;
    this.view = options.view;
    this.#relay = options.relay;
    this.#log = options.log;
    this.#sink = options.sink;
    this.#askTimeoutMs = options.askTimeoutMs;
  }

  get busy(): boolean {
    return this.#requests.size > 0;
  }

  handles(id: RequestId): boolean {
    return requestOf(this.#requests, id) !== undefined;
  }

  /** The client is initialized: from now on it is notified of changes. */
  open(): void {
    if (!this.#closed) this.#relay.openSession(this);
  }

  /** Takes the newest identity of the session's principal: its claims may be others by now. */
  identify(identity: Identity): void {
    if (identity !== this.caller.identity) this.caller = { ...this.caller, identity };
  }

  notify(notification: Notification): void {
    if (!this.#closed) this.#sink.send(notification);
  }

  handle(request: Request, replies: ReplySink): void {
    const { id } = request;
    if (this.#closed) {
      replies.fail(id, new SwitchboardError('SWB_SESSION_NOT_FOUND', 'The session has ended. Initialize again.'));
      return;
    }
    if (requestOf(this.#requests, id)) {
      replies.fail(
        null,
        new SwitchboardError('SWB_INVALID_REQUEST', `Request id ${JSON.stringify(id)} is in use by a running request.`),
      );
      return;
    }
    const open = new LegacyRequest(id, this, replies);
    this.#requests.append(open);
    const { caller, view } = this;
    const { http } = replies;
    open.start(this.#relay.handle({ caller, view, request, channel: open, session: this, http }), this.#log);
  }

  /** A notification of the client. */
  receive(notification: Notification): void {
    switch (notification.method) {
      case 'notifications/cancelled':
        this.#withdrawn(notification.params);
        return;
      case 'notifications/initialized':
      // Progress of an ask: no server could tell whose it is.
      case 'notifications/progress':
        return;
      default:
        this.#relay.notified(notification, this.caller, this.view);
    }
  }

  /** A response of the client. Returns false when no ask waits for it, or none does any more. */
  receiveResponse(response: JsonObject): boolean {
    return this.#asks?.receiveResponse(response) ?? false;
  }

  /** The client left this request without withdrawing it: it is cancelled and nothing more is sent for it. */
  abandon(id: RequestId, reason: string): void {
    const open = requestOf(this.#requests, id);
    if (open?.end()) open.cancel(reason);
  }

  /** Open requests end with an error, asks are refused, and the relay forgets the session. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#asks?.refuseAll();
    for (const open of [...this.#requests]) open.cancel('The session has ended.');
    this.#relay.closeSession(this);
  }

  /** Asks the client in the course of a request. Rejects with `SWB_ASK_REFUSED` when that is over. */
  ask(ask: Ask, request: LegacyRequest): Promise<JsonObject> {
    if (this.#closed || request.over) {
      return Promise.reject(new SwitchboardError('SWB_ASK_REFUSED', 'The call is over.'));
    }
    this.#asks ??= new PendingAsks(this.#askTimeoutMs);
    return this.#asks.put(ask, request.replies, request);
  }

  /** Called by a request that ends. Asks that belong to it are withdrawn from the client. */
  ending(request: LegacyRequest): void {
    this.#asks?.withdrawOf(request);
    this.#requests.remove(request);
  }

  /** Malformed, unknown and late withdrawals are ignored (2025-11-25 cancellation, "Error Handling"). */
  #withdrawn(params: JsonObject | undefined): void {
    const open = requestOf(this.#requests, params?.requestId);
    if (!open?.end()) return;
    open.cancel(typeof params?.reason === 'string' ? params.reason : undefined);
    open.replies.release(open.id);
  }
}

/** One open request of a session, with the way its reply takes. */
class LegacyRequest extends OpenRequest implements Linked<LegacyRequest> {
  previous: LegacyRequest | undefined;
  next: LegacyRequest | undefined;
  readonly replies: ReplySink;
  readonly #session: LegacySession;

  constructor(id: RequestId, session: LegacySession, replies: ReplySink) {
    super(id);
    this.#session = session;
    this.replies = replies;
  }

  notify(notification: Notification): void {
    if (!this.over) this.replies.send(notification);
  }

  pause(retryMs: number): void {
    if (!this.over) this.replies.pause?.(retryMs);
  }

  ask(ask: Ask): Promise<JsonObject> {
    return this.#session.ask(ask, this);
  }

  protected reply(result: CallResult): void {
    this.replies.reply(this.id, result);
  }

  protected fail(error: unknown): void {
    this.replies.fail(this.id, error);
  }

  protected ending(): void {
    this.#session.ending(this);
  }
}
