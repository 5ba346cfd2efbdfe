/**
 * The HTTP+SSE transport of 2024-11-05: one GET stream on which everything comes in, and an endpoint it names to which
 * everything is POSTed. The session is that stream: when it drops, or names another endpoint, the session is lost.
 *
 * Bodies of POST responses are never read for meaning: replies come on the stream, and a real server answers POSTs with
 * made-up results (measured: MQTTX SSE server).
 * @module
 */
import { SwitchboardError } from '../../../src/core/errors.ts';
import type { Identity } from '../../../src/core/identity.ts';
import type { Log } from '../../../src/core/log.ts';
import { encodeMessage } from '../../../src/wire/json/source.ts';
import { type Notification, notification, type Request, type Response } from '../../../src/wire/jsonrpc.ts';
import { joined, type Pieces, sizeOf } from '../../../src/wire/pieces.ts';
import { type SseEvent, SseParser } from '../../../src/wire/sse.ts';
import { type BodySink, collector, type HttpExchange, type HttpHead, type HttpRequest } from '../../shared/origin.ts';
import type { HttpTarget } from '../http/http-target.ts';
import { isSuccess, statusError } from '../http/status.ts';
import { ResponseHandlers, tooLarge } from '../session/duplex.ts';
import { parseMessage, protocolError } from '../session/frames.ts';
import { type Link, type LinkEvents, lostSession, type ResponseHandler, type Sent } from '../session/link.ts';
import { Watchdog } from './watchdog.ts';

const POST_TIMEOUT_MS = 10_000;
const MAX_POST_REPLY_BYTES = 64 * 1024;

/** The GET that should open the stream got another response; `head` is its head. */
export class NoStream extends Error {
  readonly head: HttpHead;
  readonly clientError: Error;

  constructor(head: HttpHead, clientError: Error) {
    super(clientError.message);
    this.name = 'NoStream';
    this.head = head;
    this.clientError = clientError;
  }
}

export class SseLink implements Link {
  readonly ownStreams = false;
  readonly stateful = true;
  readonly #target: HttpTarget;
  readonly #name: string;
  readonly #log: Log;
  /** Whose the session is, where callers do not share it. */
  readonly #owner: Identity | undefined;
  readonly #responses: ResponseHandlers;
  readonly #watchdog: Watchdog;
  readonly #ready = Promise.withResolvers<void>();
  #stream: HttpExchange | undefined;
  #endpoint: string | undefined;
  /** Why it is over. */
  #ended: Error | undefined;
  #version: string | undefined;

  private constructor(target: HttpTarget, log: Log, owner: Identity | undefined) {
    this.#owner = owner;
    this.#target = target;
    this.#name = target.context.name;
    this.#log = log;
    this.#responses = new ResponseHandlers((what) => log.debug({ server: this.#name }, `the server sent ${what}`));
    this.#watchdog = new Watchdog(() => {
      this.#lose(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${this.#name}' has fallen silent.`));
    });
  }

  /**
   * Opens the stream and waits for its endpoint. Rejects with {@link NoStream} when the server answers, but not with a
   * stream.
   */
  static async open(target: HttpTarget, log: Log, signal: AbortSignal, owner: Identity | undefined): Promise<SseLink> {
    signal.throwIfAborted();
    const link = new SseLink(target, log, owner);
    const stop = (): void => void link.#end(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    try {
      link.#listen();
      await link.#ready.promise;
      return link;
    } catch (error) {
      await link.close(error as Error);
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  get events(): LinkEvents {
    return this.#responses.events;
  }

  set events(events: LinkEvents) {
    this.#responses.events = {
      serverMessage: (message, outline) => {
        const isLog = outline.method === 'notifications/message' && outline.id === undefined && !outline.deep;
        events.serverMessage(isLog ? repairLogMessage(message) : message, outline);
      },
      lost: (reason, hadCalls) => events.lost(reason, hadCalls),
    };
  }

  opened(protocolVersion: string): void {
    this.#version = protocolVersion;
  }

  send(message: Request, handler: ResponseHandler): Sent {
    const sent = this.#responses.add(handler);
    if (this.#ended) {
      this.#responses.fail(handler, this.#ended);
      return sent;
    }
    this.#target.origin.send(
      this.#post(message),
      (head) => this.#posted(head, handler),
      (error) => this.#responses.fail(handler, error),
      () => handler.sent?.(),
    );
    return sent;
  }

  async post(message: Notification | Response): Promise<void> {
    await this.#target.origin
      .collect(this.#post(message), AbortSignal.timeout(POST_TIMEOUT_MS))
      .catch((error: unknown) =>
        this.#log.debug({ server: this.#name, err: error }, 'a message did not reach the server'),
      );
  }

  async close(reason: Error): Promise<void> {
    this.#end(reason);
  }

  #post(message: Request | Notification | Response): HttpRequest {
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'accept-encoding': 'identity',
    };
    if (this.#version !== undefined) headers['mcp-protocol-version'] = this.#version;
    const path = this.#endpoint ?? this.#target.path;
    return { method: 'POST', path, headers, body: encodeMessage(message), identity: this.#owner };
  }

  /** Success only means that the message has arrived; a failure is all there will be. */
  #posted(head: HttpHead, handler: ResponseHandler): BodySink {
    if (isSuccess(head.status)) return { data() {}, end() {}, error: (error) => this.#responses.fail(handler, error) };
    const fail = (error: Error): void => this.#responses.fail(handler, error);
    return collector(
      MAX_POST_REPLY_BYTES,
      (body) => {
        // The endpoint no longer exists, and with it the session it belongs to.
        if (head.status === 404 || head.status === 410) this.#lose(lostSession(this.#name));
        fail(statusError(this.#name, head, body));
      },
      fail,
      fail,
    );
  }

  #listen(): void {
    const { origin, path } = this.#target;
    this.#stream = origin.send(
      {
        method: 'GET',
        path,
        headers: { accept: 'text/event-stream', 'accept-encoding': 'identity' },
        identity: this.#owner,
      },
      (head) => this.#begin(head),
      (error) => this.#lose(error),
    );
  }

  #begin(head: HttpHead): BodySink {
    if (!isSuccess(head.status) || !head.headers['content-type']?.includes('text/event-stream')) {
      const clientError = isSuccess(head.status)
        ? protocolError(this.#name, 'does not answer with an event stream')
        : statusError(this.#name, head, Buffer.alloc(0));
      this.#lose(new NoStream(head, clientError));
      return { data() {}, end() {}, error() {} };
    }
    const { maxReplyBytes } = this.#target.context;
    const parser = new SseParser(
      {
        onEvent: (event) => this.#event(event),
        onComment: () => this.#watchdog.beat(),
        onOversize: (_error, { head: start, tail }) =>
          this.#responses.oversize(tooLarge(this.#name, maxReplyBytes), { head: start.replace(/^data: ?/, ''), tail }),
      },
      maxReplyBytes,
    );
    const ended = (): void =>
      this.#lose(
        new SwitchboardError(
          'SWB_UPSTREAM_UNAVAILABLE',
          `Server '${this.#name}' closed the stream of its session, and what the session held is lost.`,
        ),
      );
    return { data: (chunk) => parser.push(chunk), end: ended, error: ended };
  }

  #event({ event, pieces }: SseEvent): void {
    if (this.#ended) return;
    this.#watchdog.alive();
    if (event === 'endpoint') this.#named(joined(pieces).toString('utf8').trim());
    else if (isHeartbeat(event)) this.#watchdog.beat();
    else if (event === 'message' && sizeOf(pieces) > 0) this.#responses.receive(pieces);
  }

  #named(address: string): void {
    if (this.#endpoint !== undefined) {
      // The server has started a new session on this stream; nothing of ours is in it.
      this.#lose(lostSession(this.#name));
      return;
    }
    const url = URL.parse(address, this.#target.url.href);
    if (!url || url.origin !== this.#target.url.origin) {
      // Another origin may have another owner, and requests carry credentials.
      this.#lose(protocolError(this.#name, 'names an endpoint on another origin'));
      return;
    }
    this.#endpoint = url.pathname + url.search;
    this.#ready.resolve();
  }

  /** The session is over, and not by our doing. */
  #lose(reason: Error): void {
    if (this.#ended) return;
    const hadCalls = this.#end(reason);
    if (this.#endpoint !== undefined) this.events.lost(reason, hadCalls);
  }

  /** Returns true when requests were in flight. */
  #end(reason: Error): boolean {
    if (this.#ended) return false;
    this.#ended = reason;
    this.#watchdog.stop();
    this.#ready.reject(reason);
    this.#ready.promise.catch(() => {});
    this.#stream?.abort(reason);
    return this.#responses.failAll(reason);
  }
}

// Habits of real servers, measured of the MQTTX SSE server; other old servers share some of them.

/** Events that are signs of life and nothing else. */
const isHeartbeat = (event: string): boolean => event === 'heartbeat' || event === 'ping';

/**
 * A `notifications/message` that carries no log record but the server's own payload (`{topic, payload}`) becomes one, so
 * that clients which check what they read do not drop it. Anything else is left alone.
 */
function repairLogMessage(message: Pieces): Pieces {
  const params = parseMessage(message)?.params;
  if (!params || 'data' in params) return message;
  const repaired = notification('notifications/message', { level: 'info', logger: 'upstream', data: params });
  return [Buffer.from(JSON.stringify(repaired))];
}
