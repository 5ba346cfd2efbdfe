/**
 * A client on one two-way channel that carries messages of both eras (stdio, old HTTP+SSE): modern requests are served
 * each by itself, `initialize` opens the channel's one legacy session, and the two may be mixed (2026-07-28
 * basic/versioning, "Backward Compatibility": a dual-era server may serve both on the same process).
 * @module
 */

import { randomBytes } from 'node:crypto';
import { SwitchboardError, toRpcError } from '../core/errors.ts';
import type { Identity } from '../core/identity.ts';
import { type Linked, LinkedList } from '../core/linked-list.ts';
import type { Log } from '../core/log.ts';
import type { View } from '../federation/types.ts';
import type { EndpointRelay } from '../relay/relay.ts';
import type { CallResult } from '../relay/types.ts';
import { claimsModern } from '../wire/envelope.ts';
import { LATEST_LEGACY } from '../wire/eras.ts';
import { type JsonObject, kindOf, type Notification, type Request, type RequestId } from '../wire/jsonrpc.ts';
import type { Pieces } from '../wire/pieces.ts';
import { legacyCaller, modernCaller, requireEnvelope, requireModernVersion } from './caller.ts';
import { batchRefused, handleBatch, requireBatch } from './legacy/batch.ts';
import { LegacySession } from './legacy/session.ts';
import { encodeError, encodeReply, idOf, invalidMessage } from './messages.ts';
import { OpenRequest, type ReplySink, requestOf } from './open-request.ts';

/** `subscriptions/listen` open at one time. They share one connection, so that no limit of connections bounds them. */
const MAX_LISTENING = 100;

export interface DuplexOptions {
  relay: EndpointRelay;
  view: View;
  identity: Identity;
  log: Log;
  askTimeoutMs: number;
  /**
   * A legacy request without a session opens one. Clients of old HTTP+SSE connect again by themselves when their stream
   * drops, and go on as if nothing had happened: servers of the official SDKs do not insist on `initialize`.
   */
  opensImplicitly?: boolean;
  /** Sends one message. Never throws. */
  write(message: Pieces | string): void;
  /** The client does not read as fast as we write: what can be left out is. */
  congested(): boolean;
  /** Takes a notification for which the transport has another way, common to its clients. Returns whether it did. */
  announce?(sent: Notification): boolean;
}

export class DuplexConnection implements ReplySink {
  readonly #options: DuplexOptions;
  readonly #modern = new LinkedList<DuplexRequest>();
  #session: LegacySession | undefined;
  #closed = false;

  constructor(options: DuplexOptions) {
    this.#options = options;
  }

  /** Takes one parsed message, or a batch. What is wrong with it is sent back, not thrown. */
  receive(message: unknown): void {
    if (this.#closed) return;
    try {
      if (Array.isArray(message)) {
        this.#batch(message);
        return;
      }
      switch (kindOf(message)) {
        case 'request':
          this.#request(message as Request);
          return;
        case 'notification':
          this.#notification(message as Notification);
          return;
        case 'response':
          // Unknown and late ones are ignored: an ask may have timed out in the meantime.
          this.#session?.receiveResponse(message as JsonObject);
          return;
        case 'invalid':
          throw invalidMessage();
      }
    } catch (error) {
      this.fail(idOf(message), error);
    }
  }

  /** Whether a request of this id is in flight in the channel's session. */
  handles(id: RequestId): boolean {
    return this.#session?.handles(id) ?? false;
  }

  /** Cancels what is in flight and ends the session. Nothing is sent any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const open of [...this.#modern]) {
      open.end();
      open.cancel('The client has disconnected.');
    }
    this.#session?.close();
  }

  send(message: Notification | Request): boolean {
    if (this.#closed) return false;
    if (!('id' in message) && this.#options.announce?.(message)) return true;
    if (this.#options.congested()) return false;
    this.#write(JSON.stringify(message));
    return true;
  }

  reply(id: RequestId, result: CallResult): void {
    this.#write(encodeReply(id, result));
  }

  fail(id: RequestId | null, error: unknown): void {
    this.#write(encodeError(id, toRpcError(error, 'legacy')));
  }

  release(): void {}

  #write(message: Pieces | string): void {
    if (!this.#closed) this.#options.write(message);
  }

  #request(request: Request): void {
    if (claimsModern(request.params)) this.#handleModern(request);
    else if (request.method === 'initialize') this.#initialize(request);
    else if (this.#session) this.#session.handle(request, this);
    else if (this.#options.opensImplicitly) this.#openImplicitly().handle(request, this);
    else {
      throw new SwitchboardError(
        'SWB_NOT_INITIALIZED',
        "Send 'initialize' first, or carry the 2026-07-28 envelope in params._meta.",
      );
    }
  }

  /** What the client declared is not known any more, so it is asked for nothing. */
  #openImplicitly(): LegacySession {
    const session = this.#newSession({ protocolVersion: LATEST_LEGACY });
    this.#session = session;
    session.open();
    return session;
  }

  #newSession(params: JsonObject | undefined): LegacySession {
    const { relay, view, identity, log, askTimeoutMs } = this.#options;
    const caller = legacyCaller(identity, randomBytes(16).toString('hex'), params);
    return new LegacySession({ caller, view, relay, log, sink: this, askTimeoutMs });
  }

  /** A client that starts over (a restarted host behind the same pipe) gets a new session for the old one. */
  #initialize(request: Request): void {
    const session = this.#newSession(request.params);
    this.#session?.close();
    this.#session = session;
    session.handle(request, {
      send: (message) => this.send(message),
      reply: (requestId, result) => {
        this.reply(requestId, result);
        session.open();
      },
      fail: (requestId, error) => {
        this.fail(requestId, error);
        session.close();
        if (this.#session === session) this.#session = undefined;
      },
      release: () => {},
    });
  }

  #handleModern(request: Request): void {
    const { relay, view, identity, log } = this.#options;
    const { id, params } = request;
    try {
      if (requestOf(this.#modern, id)) {
        const error = new SwitchboardError('SWB_INVALID_REQUEST', `Request id ${JSON.stringify(id)} is in use.`);
        this.failModern(null, error);
        return;
      }
      const envelope = requireEnvelope(params);
      requireModernVersion(envelope.protocolVersion);
      const listens = request.method === 'subscriptions/listen';
      if (listens) this.#requireRoom();
      const open = new DuplexRequest(id, this, listens);
      const inFlight = relay.handle({ caller: modernCaller(identity, envelope), view, request, channel: open });
      this.#modern.append(open);
      open.start(inFlight, log);
    } catch (error) {
      this.failModern(id, error);
    }
  }

  failModern(id: RequestId | null, error: unknown): void {
    this.#write(encodeError(id, toRpcError(error, 'modern')));
  }

  /** Called by a modern request that ends. */
  ending(request: DuplexRequest): void {
    this.#modern.remove(request);
  }

  #requireRoom(): void {
    let open = 0;
    for (const { listens } of this.#modern) if (listens) open++;
    if (open < MAX_LISTENING) return;
    throw new SwitchboardError('SWB_TOO_MANY_STREAMS', `A connection may hold ${MAX_LISTENING} subscriptions.`);
  }

  /** A notification is never answered, not even a malformed one. */
  #notification(notification: Notification): void {
    const { method, params } = notification;
    if (method === 'notifications/cancelled' && this.#withdrawModern(params)) return;
    if (!claimsModern(params)) {
      this.#session?.receive(notification);
      return;
    }
    const { relay, view, identity, log } = this.#options;
    try {
      relay.notified(notification, modernCaller(identity, requireEnvelope(params)), view);
    } catch (error) {
      log.debug({ err: error, method }, 'dropped a notification');
    }
  }

  /** On a shared channel a modern client cancels by notification (2026-07-28 transports/stdio, "Cancellation"). */
  #withdrawModern(params: JsonObject | undefined): boolean {
    const open = requestOf(this.#modern, params?.requestId);
    if (!open) return false;
    open.end();
    open.cancel(typeof params?.reason === 'string' ? params.reason : undefined);
    return true;
  }

  #batch(batch: unknown[]): void {
    if (!this.#session) throw batchRefused();
    requireBatch(this.#session, batch);
    handleBatch(this.#session, batch, this, (replies) => {
      if (replies) this.#write(replies);
    });
  }
}

/** One open request of a modern client. */
class DuplexRequest extends OpenRequest implements Linked<DuplexRequest> {
  previous: DuplexRequest | undefined;
  next: DuplexRequest | undefined;
  /** It is a subscription, which ends when its client wants it to. */
  readonly listens: boolean;
  readonly #connection: DuplexConnection;

  constructor(id: RequestId, connection: DuplexConnection, listens: boolean) {
    super(id);
    this.#connection = connection;
    this.listens = listens;
  }

  notify(notification: Notification): void {
    if (!this.over) this.#connection.send(notification);
  }

  protected reply(result: CallResult): void {
    this.#connection.reply(this.id, result);
  }

  protected fail(error: unknown): void {
    this.#connection.failModern(this.id, error);
  }

  protected ending(): void {
    this.#connection.ending(this);
  }
}
