/**
 * The reply to one POST of a legacy session: one JSON body, or a stream as soon as a message is to be sent before the
 * result, or the result is slow (2025-11-25 transports, "Sending Messages to the Server").
 *
 * A client that disconnects: revision 2025-11-25 says this is not a cancellation, because streams can be resumed. So a
 * call whose stream has event ids runs on for the grace time; one whose reply no client could fetch any more is cancelled.
 * @module
 */

import type { ServerResponse } from 'node:http';
import { SwitchboardError, toRpcError } from '../../../core/errors.ts';
import type { Timed } from '../../../core/timer-wheel.ts';
import type { HttpHead } from '../../../observe/traces/types.ts';
import type { CallResult } from '../../../relay/types.ts';
import type { Notification, Request, RequestId } from '../../../wire/jsonrpc.ts';
import { joined, type Pieces } from '../../../wire/pieces.ts';
import { canBeLeftOut, encodeError, encodeReply } from '../../messages.ts';
import type { ReplySink } from '../../open-request.ts';
import type { Accepts } from '../accept.ts';
import { type ClosedListener, whenClosed } from '../closed.ts';
import type { HttpContext } from '../context.ts';
import { sendError, sendJson, sendResult } from '../reply.ts';
import { logsOf } from '../streams/requests.ts';
import type { StreamLog } from '../streams/stream-logs.ts';
import type { HttpSession } from './session-table.ts';

export interface PostReplyOptions {
  context: HttpContext;
  session: HttpSession;
  res: ServerResponse;
  accepts: Accepts;
  /** The requests of this POST. */
  ids: readonly RequestId[];
}

export class PostReply implements ReplySink, Timed, ClosedListener {
  previous: Timed | undefined;
  next: Timed | undefined;
  readonly #context: HttpContext;
  readonly #session: HttpSession;
  readonly #res: ServerResponse;
  readonly #accepts: Accepts;
  readonly #ids: readonly RequestId[];
  readonly #since: number;
  #log: StreamLog | undefined;
  #done = false;

  constructor({ context, session, res, accepts, ids }: PostReplyOptions) {
    this.#context = context;
    this.#session = session;
    this.#res = res;
    this.#accepts = accepts;
    this.#ids = ids;
    this.#since = context.wheel.now;
    context.wheel.add(this);
    whenClosed(res, this);
    // A scope that is missing is HTTP status 403, for which no stream may have begun: there the first message opens it.
    if (accepts.streamFirst && !session.core.caller.identity.scopes) this.#openStream();
  }

  get http(): HttpHead {
    return this.#res.req;
  }

  /** Without a stream to come back to, the client that left has left the requests. */
  closed(): void {
    if (!this.#log) this.#abandon();
  }

  send(message: Notification | Request): boolean {
    const log = this.#openStream();
    if (!log) return this.#session.logs?.sendStandalone(message) ?? false;
    if (!(log.congested && canBeLeftOut(message))) log.append(JSON.stringify(message));
    return true;
  }

  reply(id: RequestId, result: CallResult): void {
    if (this.#done) return;
    if (this.#preferred()) this.#finishStream(encodeReply(id, result));
    else {
      sendResult(this.#res, id, result);
      this.#finished();
    }
  }

  /** In legacy revisions a request that got its response got HTTP 200, an error too; but a challenge has a status. */
  fail(id: RequestId | null, error: unknown): void {
    if (this.#done) return;
    if (!isScopeMissing(error)) this.#preferred();
    if (this.#log) this.#finishStream(encodeError(id, toRpcError(error)));
    else {
      this.#finished();
      sendError(this.#res, statusOf(id, error), id, error, 'legacy');
    }
  }

  /**
   * Other requests of the same POST are not the ones to wait for. However long the upstream wants to be left alone, the
   * client comes back while its stream is kept for it: then it waits here.
   */
  pause(retryMs: number): void {
    const latestMs = Math.floor(this.#context.timing.resumeGraceMs / 2);
    if (this.#ids.length === 1) this.#openStream()?.pause(Math.min(retryMs, latestMs));
  }

  /** Ends the stream without a response. SDK clients take it quietly; an error would be a stray response to them. */
  release(id: RequestId): void {
    if (this.#done) return;
    if (this.#openStream()) this.#finishStream(undefined);
    else this.fail(id, new SwitchboardError('SWB_CANCELLED', 'The client cancelled the request.'));
  }

  /** The replies to a batch as one JSON array; undefined when every request of it was withdrawn. */
  finishBatch(replies: Pieces | undefined): void {
    if (this.#done) return;
    if (this.#preferred() || replies === undefined) {
      this.#openStream();
      this.#finishStream(replies);
    } else {
      this.#finished();
      sendJson(this.#res, 200, joined(replies));
    }
  }

  /** A slow reply becomes a stream: it can be kept alive, and its client can come back for it. */
  tick(now: number): void {
    if (now - this.#since >= this.#context.timing.keepAliveMs) this.#openStream();
  }

  /** The stream, where there is one or the client would rather have one. */
  #preferred(): StreamLog | undefined {
    return this.#accepts.streamFirst ? this.#openStream() : this.#log;
  }

  #openStream(): StreamLog | undefined {
    if (this.#log || !this.#accepts.stream || this.#done) return this.#log;
    const stream = this.#context.streams.tryOpen(this.#res, this.#session.core.caller.principal);
    if (stream) this.#log = logsOf(this.#session, this.#context).openReply(stream, () => this.#abandon());
    return this.#log;
  }

  #finishStream(message: Pieces | string | undefined): void {
    this.#finished();
    if (message !== undefined) this.#log?.append(message, () => this.#tooLargeToKeep());
    this.#log?.end();
  }

  #tooLargeToKeep(): string {
    const error = new SwitchboardError(
      'SWB_REPLY_TOO_LARGE',
      'The connection broke while a reply was sent that is too large to be kept for a reconnect.',
    );
    return encodeError(this.#ids[0] ?? null, toRpcError(error));
  }

  #finished(): void {
    this.#done = true;
    this.#context.wheel.delete(this);
  }

  #abandon(): void {
    if (this.#done) return;
    this.#finished();
    for (const id of this.#ids) this.#session.core.abandon(id, 'The client has disconnected.');
  }
}

function statusOf(id: RequestId | null, error: unknown): number {
  if (isScopeMissing(error)) return error.httpStatus;
  return id === null ? 400 : 200;
}

const isScopeMissing = (error: unknown): error is SwitchboardError =>
  error instanceof SwitchboardError && error.code === 'SWB_INSUFFICIENT_SCOPE';
