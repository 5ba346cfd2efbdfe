/**
 * Streamable HTTP of 2025-03-26 to 2025-11-25: a session the server may name, a GET stream it may offer, DELETE at the
 * end.
 * @module
 */
import { SwitchboardError } from '../../../src/core/errors.ts';
import type { Identity } from '../../../src/core/identity.ts';
import { LinkedList } from '../../../src/core/linked-list.ts';
import type { Log } from '../../../src/core/log.ts';
import { encodeMessage } from '../../../src/wire/json/source.ts';
import type { Notification, Request, Response } from '../../../src/wire/jsonrpc.ts';
import type { Edges } from '../../../src/wire/lines.ts';
import type { HttpHead, HttpRequest } from '../../shared/origin.ts';
import { answeredIn, asRequestId, tooLarge } from '../session/duplex.ts';
import {
  type Link,
  type LinkEvents,
  lostSession,
  NO_EVENTS,
  type ResponseHandler,
  type Sent,
} from '../session/link.ts';
import type { HttpTarget } from './http-target.ts';
import { Listening } from './listening.ts';
import { POST_HEADERS } from './modern.ts';
import { type ExchangeContext, PostExchange } from './post-exchange.ts';
import { isSessionGone } from './session-gone.ts';
import { rpcErrorOf } from './status.ts';

const POST_TIMEOUT_MS = 10_000;
/** Less than an upstream takes to close at most. What is not delivered by then leaves the session with the server. */
const DELETE_TIMEOUT_MS = 2_000;

export class LegacyHttpLink implements Link {
  events: LinkEvents = NO_EVENTS;
  readonly ownStreams = true;
  readonly #target: HttpTarget;
  readonly #log: Log;
  readonly #context: ExchangeContext;
  readonly #inFlight = new LinkedList<PostExchange>();
  readonly #broken: () => void;
  readonly #owner: Identity | undefined;
  #sessionId: string | undefined;
  #headers: Record<string, string>;
  #listening: Listening | undefined;
  #closed = false;

  /** `broken` is called when the connection, not the request, has failed. `owner`: of a session that callers do not share. */
  constructor(target: HttpTarget, log: Log, broken: () => void, owner: Identity | undefined) {
    this.#target = target;
    this.#log = log;
    this.#broken = broken;
    this.#owner = owner;
    this.#headers = { ...POST_HEADERS };
    const { name, maxReplyBytes } = target.context;
    this.#context = {
      origin: target.origin,
      name,
      maxReplyBytes,
      broken,
      skipped: () => target.replySkipped(),
      inFlight: this.#inFlight,
      hasOtherStream: () => this.#listening?.carries === true,
      resumeFrom: (lastEventId) => this.#get(lastEventId),
      isSessionGone: (head, body, said, own) => this.stateful && isSessionGone(head, body, said, own),
    };
  }

  /** Whether the server gave the session a name; one that did not keeps nothing per session. */
  get stateful(): boolean {
    return this.#sessionId !== undefined;
  }

  /** Whether the server can send messages outside requests. */
  get listens(): boolean {
    return this.#listening?.offered === true;
  }

  /** The head of the reply to `initialize`, which may name the session. */
  greeted({ headers }: HttpHead): void {
    const id = headers['mcp-session-id'];
    // Visible ASCII only (2025-11-25 transports, "Session Management"); anything else could not be sent back.
    this.#sessionId = typeof id === 'string' && /^[\x21-\x7e]+$/.test(id) ? id : undefined;
  }

  opened(protocolVersion: string): void {
    this.#headers['mcp-protocol-version'] = protocolVersion;
    if (this.#sessionId !== undefined) this.#headers['mcp-session-id'] = this.#sessionId;
  }

  async listen(): Promise<void> {
    if (this.#closed) return;
    const { origin, context } = this.#target;
    this.#listening = new Listening({
      origin,
      name: context.name,
      maxReplyBytes: context.maxReplyBytes,
      log: this.#log,
      request: (lastEventId) => this.#get(lastEventId),
      serverMessage: (message, outline) => this.events.serverMessage(message, outline),
      response: (message, outline) => this.#inFlightUnder(outline.id)?.take(message, outline),
      oversize: (edges) => this.#oversize(edges),
      ended: () => this.#replyStreamEnded(),
      isSessionGone: (head, body) => this.stateful && isSessionGone(head, body, rpcErrorOf(body)?.error, false),
      gone: () => this.#gone(),
      broken: this.#broken,
    });
    await this.#listening.settled();
  }

  send(message: Request, handler: ResponseHandler): Sent {
    return new PostExchange(this.#context, this.#post(message, this.#identityOf(handler.identity)), handler);
  }

  #inFlightUnder(id: unknown): PostExchange | undefined {
    const key = asRequestId(id);
    for (const exchange of this.#inFlight) if (exchange.id === key) return exchange;
    return undefined;
  }

  /** Something over the limit came on the GET stream: perhaps the reply to a request that waits for it there. */
  #oversize({ head, tail }: Edges): void {
    const answered = answeredIn({ head: head.replace(/^data: ?/, ''), tail });
    if (answered === 'none') return;
    const { name, maxReplyBytes } = this.#target.context;
    const error = tooLarge(name, maxReplyBytes);
    if (answered === 'unknown') this.#failElsewhere(error);
    else this.#inFlightUnder(answered)?.lost(error);
  }

  #replyStreamEnded(): void {
    if (this.#inFlight.size === 0) return;
    const { name } = this.#target.context;
    this.#failElsewhere(
      new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${name}' closed the stream its reply was to come on.`),
    );
  }

  #failElsewhere(error: Error): void {
    for (const exchange of [...this.#inFlight]) if (exchange.repliesElsewhere) exchange.lost(error);
  }

  /** A session the server keeps is one identity's: its owner's, or the gateway's where callers share it. */
  #identityOf(identity: Identity | undefined): Identity | undefined {
    return this.stateful && !this.#owner ? undefined : (identity ?? this.#owner);
  }

  async post(message: Notification | Response, identity?: Identity): Promise<void> {
    try {
      const request = this.#post(message, this.#identityOf(identity));
      const { status } = await this.#target.origin.collect(request, AbortSignal.timeout(POST_TIMEOUT_MS));
      if (status >= 400) {
        this.#log.debug({ server: this.#target.context.name, status }, 'the server did not accept a message');
      }
    } catch (error) {
      this.#log.debug({ server: this.#target.context.name, err: error }, 'a message did not reach the server');
    }
  }

  async close(reason: Error): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#listening?.close();
    this.#failElsewhere(reason);
    if (this.#sessionId === undefined) return;
    const { accept: _accept, 'content-type': _type, ...headers } = this.#headers;
    const request: HttpRequest = { method: 'DELETE', path: this.#target.path, headers, identity: this.#owner };
    // 405 means that sessions end by themselves; nothing is to be done about any other failure either.
    await this.#target.origin.collect(request, AbortSignal.timeout(DELETE_TIMEOUT_MS)).catch(() => {});
  }

  #post(message: Request | Notification | Response, identity: Identity | undefined): HttpRequest {
    const { path } = this.#target;
    return { method: 'POST', path, headers: this.#headers, body: encodeMessage(message), identity };
  }

  #get(lastEventId: string | undefined): HttpRequest {
    const { 'content-type': _type, ...rest } = this.#headers;
    const headers: Record<string, string> = { ...rest, accept: 'text/event-stream' };
    if (lastEventId !== undefined) headers['last-event-id'] = lastEventId;
    return { method: 'GET', path: this.#target.path, headers, identity: this.#owner };
  }

  #gone(): void {
    if (!this.#closed) this.events.lost(lostSession(this.#target.context.name), false);
  }
}
