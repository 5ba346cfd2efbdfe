/**
 * POST of a modern client (2026-07-28 transports/streamable-http): no session, one request, one reply, which is JSON
 * unless a notification is sent before the result. This is the hot path.
 * @module
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError, toRpcError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import type { Timed } from '../../core/timer-wheel.ts';
import type { CallResult, InFlight } from '../../relay/types.ts';
import { readEnvelope } from '../../wire/envelope.ts';
import { isModernRevision } from '../../wire/eras.ts';
import { headerMismatch } from '../../wire/headers.ts';
import { type JsonObject, kindOf, type Notification, type Request, type RequestId } from '../../wire/jsonrpc.ts';
import type { Pieces } from '../../wire/pieces.ts';
import { sseFrame, sseText } from '../../wire/sse.ts';
import { malformedEnvelope, modernCaller, requireModernVersion } from '../caller.ts';
import { batchRefused } from '../legacy/batch.ts';
import { canBeLeftOut, encodeError, encodeReply, idOf, invalidMessage } from '../messages.ts';
import { OpenRequest } from '../open-request.ts';
import { type Accepts, requireReplyType, requireStreamType } from './accept.ts';
import { type ClosedListener, whenClosed } from './closed.ts';
import type { HttpContext } from './context.ts';
import { sendAccepted, sendModernError, sendResult } from './reply.ts';
import { type HttpRequestContext, header } from './request.ts';
import type { EventStream } from './streams/event-stream.ts';

export function serveModernPost(context: HttpContext, http: HttpRequestContext, message: unknown): void {
  const { req, res } = http;
  try {
    switch (kindOf(message)) {
      case 'request':
        serveRequest(context, http, message as Request);
        return;
      case 'notification':
        receiveNotification(context, http, message as Notification);
        sendAccepted(res);
        return;
      case 'response':
        throw new SwitchboardError(
          'SWB_INVALID_REQUEST',
          'Clients of this revision send no responses: they answer input requests by sending the request again.',
        );
      case 'invalid':
        throw Array.isArray(message) ? batchRefused() : invalidMessage();
    }
  } catch (error) {
    sendModernError(res, idOf(message), error);
    if (!(error instanceof SwitchboardError)) context.log.error({ err: error, url: req.url }, 'a request failed');
  }
}

function serveRequest(context: HttpContext, { req, res, identity, view }: HttpRequestContext, request: Request): void {
  const { method, params } = request;
  const caller = callerOf(req, identity, method, params);
  const accepts = requireReplyType(header(req, 'accept'));
  if (method === 'subscriptions/listen') {
    requireStreamType(header(req, 'accept'));
    context.streams.requireRoom(identity.principal);
  }
  const open = new HttpRequest(context, res, accepts, request.id, identity.principal);
  const paramHeaders = method === 'tools/call' ? paramHeadersOf(req) : undefined;
  open.follow(context.relay.handle({ caller, view, request, channel: open, paramHeaders, http: req }));
}

/**
 * Makes the caller, once envelope and headers are checked. A version the gateway does not speak may have other headers: it
 * is refused before they are compared.
 */
function callerOf(req: IncomingMessage, identity: Identity, method: string, params: JsonObject | undefined): Caller {
  const version = header(req, 'mcp-protocol-version');
  const envelope = readEnvelope(params);
  if (typeof envelope === 'string') {
    if (version !== undefined) requireModernVersion(version);
    throw malformedEnvelope(envelope);
  }
  if (version === undefined || version === envelope.protocolVersion) requireModernVersion(envelope.protocolVersion);
  const mismatch = headerMismatch((name) => header(req, name), method, params, envelope.protocolVersion);
  if (mismatch !== undefined) {
    throw new SwitchboardError('SWB_HEADER_MISMATCH', `Header mismatch: ${mismatch}.`);
  }
  return modernCaller(identity, envelope);
}

const NO_PARAM_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** `Mcp-Param-…` headers by their lower-case names. None is something else than not knowing: a tool may demand some. */
function paramHeadersOf(req: IncomingMessage): Readonly<Record<string, string>> {
  let found: Record<string, string> | undefined;
  for (const name in req.headers) {
    if (!name.startsWith('mcp-param-')) continue;
    found ??= {};
    found[name] = String(req.headers[name]);
  }
  return found ?? NO_PARAM_HEADERS;
}

/**
 * This revision defines none over HTTP (cancelling is closing the reply's connection); extensions may. What needs no
 * response needs no envelope either, so one without is dropped.
 */
function receiveNotification(
  context: HttpContext,
  { identity, view }: HttpRequestContext,
  notification: Notification,
): void {
  if (notification.method === 'notifications/cancelled') return;
  const envelope = readEnvelope(notification.params);
  if (typeof envelope === 'string' || !isModernRevision(envelope.protocolVersion)) return;
  context.relay.notified(notification, modernCaller(identity, envelope), view);
}

/** One open request, and its HTTP response. */
class HttpRequest extends OpenRequest implements Timed, ClosedListener {
  previous: Timed | undefined;
  next: Timed | undefined;
  readonly #context: HttpContext;
  readonly #res: ServerResponse;
  readonly #accepts: Accepts;
  readonly #principal: string;
  readonly #since: number;
  #stream: EventStream | undefined;

  constructor(context: HttpContext, res: ServerResponse, accepts: Accepts, id: RequestId, principal: string) {
    super(id);
    this.#context = context;
    this.#res = res;
    this.#accepts = accepts;
    this.#principal = principal;
    this.#since = context.wheel.now;
  }

  follow(inFlight: InFlight): void {
    this.#context.wheel.add(this);
    whenClosed(this.#res, this);
    this.start(inFlight, this.#context.log);
  }

  /** A client that disconnects has cancelled (basic/patterns/cancellation, "Transport-Specific Cancellation"). */
  closed(): void {
    if (this.end()) this.cancel('The client has disconnected.');
  }

  /** Without a stream (the client takes none, or too many are open) notifications are left out: the call goes on. */
  notify(notification: Notification): void {
    if (this.over || (this.#stream?.congested && canBeLeftOut(notification))) return;
    this.#openStream();
    this.#stream?.write(sseText(JSON.stringify(notification)));
  }

  /** A slow reply becomes a stream, so that it can be kept alive. */
  tick(now: number): void {
    if (now - this.#since >= this.#context.timing.keepAliveMs) this.#openStream();
  }

  #openStream(): void {
    if (this.#stream !== undefined || !this.#accepts.stream) return;
    this.#stream = this.#context.streams.tryOpen(this.#res, this.#principal);
  }

  protected reply(result: CallResult): void {
    // Only now: an error that comes first still has its HTTP status.
    if (this.#accepts.streamFirst) this.#openStream();
    if (this.#stream) this.#finish(encodeReply(this.id, result));
    else sendResult(this.#res, this.id, result);
  }

  protected fail(error: unknown): void {
    if (this.#stream) this.#finish(encodeError(this.id, toRpcError(error, 'modern')));
    else sendModernError(this.#res, this.id, error);
  }

  protected ending(): void {
    this.#context.wheel.delete(this);
  }

  #finish(message: Pieces | string): void {
    this.#stream?.write(sseFrame({ data: message }));
    this.#stream?.end();
  }
}
