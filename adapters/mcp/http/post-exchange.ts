/**
 * One POST of a request and what comes back on it: a JSON reply, or a stream of events that ends with one. Where the
 * era allows it (legacy), a stream the server closes early is polled again from the last event, and a request that is merely
 * accepted waits for its reply on the session's GET stream.
 *
 * Sources: 2025-11-25 transports, "Sending Messages to the Server" and "Resumability and Redelivery"; 2026-07-28
 * transports/streamable-http, "Receiving Messages".
 * @module
 */
import { SwitchboardError, type UpstreamError } from '../../../src/core/errors.ts';
import { Evidence } from '../../../src/core/evidence.ts';
import type { Linked, LinkedList } from '../../../src/core/linked-list.ts';
import { ChunkBuffer } from '../../../src/wire/chunk-buffer.ts';
import type { Outline } from '../../../src/wire/json/outline.ts';
import { skipWhitespace } from '../../../src/wire/json/scan.ts';
import { joined, type Pieces, sizeOf } from '../../../src/wire/pieces.ts';
import { type SseEvent, SseParser } from '../../../src/wire/sse.ts';
import type { BodySink, HttpExchange, HttpHead, HttpOrigin, HttpRequest } from '../../shared/origin.ts';
import { describeBody, eachMessage, isResponse, protocolError } from '../session/frames.ts';
import { lostSession, type ResponseHandler, type Sent, SessionGone } from '../session/link.ts';
import { isSuccess, rpcErrorOf, statusError } from './status.ts';

/** How long a stream may stay open after the reply, which should have ended it. */
const LINGER_MS = 2_000;

/** Where a server closes a stream and names no `retry`, and the least wait once it has done so in vain several times. */
const DEFAULT_RETRY_MS = 1_000;
const PATIENCE = 5;
/** No server means more; and a timer over 2^31 ms would go off at once. */
const MAX_RETRY_MS = 10 * 60_000;

/** Bodies of failures are read this far. */
const MAX_FAILURE_BYTES = 64 * 1024;

export interface ExchangeContext {
  readonly origin: HttpOrigin;
  /** The server's name, for messages. */
  readonly name: string;
  readonly maxReplyBytes: number;
  /** How to go on with a stream after this event; absent where streams cannot be resumed. */
  resumeFrom?(lastEventId: string): HttpRequest;
  /** Whether this failure means that the session is gone, and so that the request did not run. */
  isSessionGone?(head: HttpHead, body: Buffer, said: UpstreamError | undefined, own: boolean): boolean;
  /** The connection failed, as opposed to the request. */
  broken(): void;
  /** A reply to another request came in place of, or beside, the one to this request, and goes to no one. */
  skipped(): void;
  /** The session's requests in flight, where replies may come on another stream of the session. */
  readonly inFlight?: LinkedList<PostExchange>;
  /** Whether the session has such a stream now. */
  hasOtherStream?(): boolean;
}

export class PostExchange implements Sent, BodySink, Linked<PostExchange> {
  previous: PostExchange | undefined;
  next: PostExchange | undefined;
  /** The server has accepted the request and replies on another stream of the session. */
  repliesElsewhere = false;
  readonly #context: ExchangeContext;
  readonly #handler: ResponseHandler;
  #exchange: HttpExchange | undefined;
  #head: HttpHead | undefined;
  #parser: SseParser | undefined;
  readonly #body = new ChunkBuffer();
  #done = false;
  #timer: NodeJS.Timeout | undefined;
  #lastEventId: string | undefined;
  #retryMs: number | undefined;
  #resumed = false;
  /** Polls in a row that brought nothing new. */
  #fruitless = 0;
  /** Why there may be no reply: what came and was passed over. */
  #passedOver: string | undefined;

  constructor(context: ExchangeContext, request: HttpRequest, handler: ResponseHandler) {
    this.#context = context;
    this.#handler = handler;
    context.inFlight?.append(this);
    this.#send(request);
  }

  get id(): number {
    return this.#handler.id;
  }

  /** Takes the reply that came on another stream of the session. */
  take(message: Pieces, outline: Outline): void {
    if (this.#done) return;
    clearTimeout(this.#timer);
    this.#replied(message, outline, !this.repliesElsewhere);
  }

  /** The stream that the reply was to come on has ended, or the reply cannot be taken from it. */
  lost(error: Error): void {
    this.#give(error);
  }

  drop(): void {
    if (this.#done) return;
    this.#over();
    clearTimeout(this.#timer);
    this.#exchange?.abort(DROPPED);
  }

  #send(request: HttpRequest): void {
    try {
      this.#exchange = this.#context.origin.send(
        request,
        (head) => this.#begin(head),
        (error) => this.#broke(error),
        () => this.#handler.sent?.(),
      );
      if (this.#done) this.#exchange.abort(DROPPED);
    } catch (error) {
      // undici checks header values when it is given them.
      this.#fail(protocolError(this.#context.name, 'cannot be sent this request over HTTP', error));
    }
  }

  #begin(head: HttpHead): BodySink {
    this.#head = head;
    if (this.#body.size > 0) this.#body.takePieces();
    this.#parser = undefined;
    if (!this.#done) this.#handler.head?.(head);
    if (isSuccess(head.status) && head.headers['content-type']?.includes('text/event-stream')) {
      this.#parser = new SseParser(
        {
          onEvent: (event) => this.#event(event),
          onRetry: (ms) => {
            this.#retryMs = Math.min(ms, MAX_RETRY_MS);
          },
        },
        this.#context.maxReplyBytes,
      );
    }
    return this;
  }

  data(chunk: Buffer): void {
    if (this.#parser) {
      try {
        this.#parser.push(chunk);
      } catch (error) {
        this.#give(error as Error);
      }
      return;
    }
    if (this.#done) return;
    const { maxReplyBytes, name } = this.#context;
    const size = this.#body.size + chunk.length;
    if (this.#head && !isSuccess(this.#head.status)) {
      if (size <= MAX_FAILURE_BYTES) this.#body.add(chunk);
      else if (!this.#resumed) {
        // Enough for a message; the body may have no end.
        this.#refused(this.#body.take(), this.#head);
        this.#exchange?.abort(DROPPED);
      }
    } else if (size > maxReplyBytes) {
      this.#give(
        new SwitchboardError('SWB_REPLY_TOO_LARGE', `The reply of server '${name}' is over ${maxReplyBytes} bytes.`),
      );
    } else {
      this.#body.add(chunk);
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    if (this.#done) return;
    if (this.#parser) {
      // Ended on purpose: unlike a broken one, this is for the client to know.
      if (this.#resume()) this.#handler.paused?.(this.#retryMs ?? DEFAULT_RETRY_MS);
      else this.#fail(protocolError(this.#context.name, this.#passedOver ?? 'ended its stream without a reply'));
      return;
    }
    const head = this.#head as HttpHead;
    if (isSuccess(head.status)) this.#whole(this.#body.takePieces(), head);
    else this.#refused(this.#body.take(), head);
  }

  error(error: Error): void {
    clearTimeout(this.#timer);
    if (this.#done) return;
    if (this.#parser && this.#resume()) return;
    this.#broke(error);
  }

  /** A reply that is read as JSON, whatever its content type. */
  #whole(body: Pieces, { status, headers }: HttpHead): void {
    let what: string;
    let cause: unknown;
    let isJson = true;
    try {
      eachMessage(body, (message, outline) => this.#message(message, outline));
      if (this.#done) return;
      what = this.#passedOver ?? 'sent no reply to this request';
    } catch (error) {
      isJson = false;
      cause = error;
      what =
        status === 202 && sizeOf(body) === 0
          ? 'accepted the request but never answered it'
          : describeBody(joined(body), headers['content-type'], error);
    }
    const isAcceptance = (status === 202 || isJson) && this.#passedOver === undefined;
    if (isAcceptance && this.#context.hasOtherStream?.()) this.repliesElsewhere = true;
    else {
      const evidence = new Evidence(status, headers['content-type'], joined(body), cause);
      this.#fail(protocolError(this.#context.name, what, evidence));
    }
  }

  #refused(body: Buffer, head: HttpHead): void {
    const { name } = this.#context;
    if (this.#resumed) {
      // The request has run, at least in part: whatever the response is, it must not be sent again.
      if (head.status >= 500 && this.#fruitless <= PATIENCE && this.#resume()) return;
      this.#fail(
        new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${name}' broke off its reply and cannot resume it.`, {
          cause: statusError(name, head, body),
        }),
      );
      return;
    }
    const error = statusError(name, head, body);
    const said = rpcErrorOf(body);
    const own = said !== undefined && said.id === this.#handler.id;
    if (this.#context.isSessionGone?.(head, body, said?.error, own))
      this.#fail(new SessionGone(lostSession(name, error)));
    else this.#fail(error);
  }

  #event({ event, pieces, id }: SseEvent): void {
    if (id !== undefined && id !== this.#lastEventId) {
      this.#lastEventId = id;
      this.#fruitless = 0;
    }
    // An event without data primes resumption.
    if (sizeOf(pieces) === 0 || this.#done) return;
    try {
      eachMessage(pieces, (message, outline) => this.#message(message, outline));
    } catch (error) {
      // A sign of life under any name (`ping`, `heartbeat`, `endpoint`, none at all) need not be JSON; a broken object under
      // the name of messages was to be one, and nothing better follows it.
      if (event === 'message' && startsLikeObject(pieces)) {
        this.#give(protocolError(this.#context.name, 'sent an event that is not JSON-RPC', error));
      }
    }
  }

  #message(message: Pieces, outline: Outline): void {
    if (this.#done) return;
    if (!isResponse(outline)) {
      this.#handler.serverMessage(message, outline);
      return;
    }
    const { id, error } = outline;
    // An error without an id (PHP SDK: with an empty one) is about the only request this exchange had.
    const unnamed = id == null || id === '';
    const ours = id === this.#handler.id || String(id) === String(this.#handler.id) || (error && unnamed);
    if (!ours) {
      this.#passedOver = 'answered another request than the one it was sent';
      this.#context.skipped();
      return;
    }
    this.#replied(message, outline, this.#parser !== undefined);
  }

  /** `lingers`: the response is not at its end, though nothing more is expected of it. */
  #replied(message: Pieces, outline: Outline, lingers: boolean): void {
    this.#over();
    if (lingers) this.#timer = setTimeout(() => this.#exchange?.abort(DROPPED), LINGER_MS).unref();
    this.#handler.reply(message, outline);
  }

  #over(): void {
    this.#done = true;
    this.#context.inFlight?.remove(this);
  }

  /** Polls the stream again where the server has given an event id to resume from. */
  #resume(): boolean {
    const { resumeFrom } = this.#context;
    const lastEventId = this.#lastEventId;
    if (!resumeFrom || lastEventId === undefined) return false;
    const wait = this.#retryMs ?? DEFAULT_RETRY_MS;
    const patience = this.#fruitless++ < PATIENCE ? wait : Math.max(wait, DEFAULT_RETRY_MS);
    this.#resumed = true;
    this.#timer = setTimeout(() => this.#send(resumeFrom.call(this.#context, lastEventId)), patience);
    return true;
  }

  /** Fails the handler and stops reading. */
  #give(error: Error): void {
    if (this.#done) return;
    this.#fail(error);
    this.#exchange?.abort(DROPPED);
  }

  #broke(error: Error): void {
    this.#fail(error);
    this.#context.broken();
  }

  #fail(error: Error): void {
    if (this.#done) return;
    this.#over();
    this.#handler.failed(error);
  }
}

function startsLikeObject(data: Pieces): boolean {
  const bytes = joined(data);
  return bytes[skipWhitespace(bytes, 0)] === 0x7b;
}

const DROPPED = new SwitchboardError('SWB_CANCELLED', 'Nobody waits for this reply any more.');
