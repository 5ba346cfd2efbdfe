/**
 * The standalone GET stream of a legacy session: messages of the server outside requests. Not offered by every
 * server (405), closed and reopened at any time, polled where the server sends a `retry`.
 * Source: 2025-11-25 transports, "Listening for Messages from the Server".
 * @module
 */

import { Backoff } from '../../../src/core/backoff.ts';
import type { Log } from '../../../src/core/log.ts';
import type { Outline } from '../../../src/wire/json/outline.ts';
import type { Edges } from '../../../src/wire/lines.ts';
import { type Pieces, sizeOf } from '../../../src/wire/pieces.ts';
import { SseParser } from '../../../src/wire/sse.ts';
import {
  type BodySink,
  collector,
  type HttpExchange,
  type HttpHead,
  type HttpOrigin,
  type HttpRequest,
} from '../../shared/origin.ts';
import { eachMessage, isResponse } from '../session/frames.ts';
import { isSuccess } from './status.ts';

/** A stream that lived this long was a good one: its end is not counted as a failure. */
const GOOD_MS = 5_000;

/** How long a session waits for its first stream before it is used; servers may hold back the head. */
const HEAD_WAIT_MS = 500;

/** Statuses with which servers say that they do not know a session, see `session-gone.ts`. */
const MAY_BE_GONE: ReadonlySet<number> = new Set([400, 401, 404, 410]);
const MAX_REFUSAL_BYTES = 4_096;
const REFUSAL_MS = 5_000;
const NOTHING = Buffer.alloc(0);

export interface ListeningContext {
  readonly origin: HttpOrigin;
  readonly name: string;
  readonly maxReplyBytes: number;
  readonly log: Log;
  request(lastEventId: string | undefined): HttpRequest;
  serverMessage(message: Pieces, outline: Outline): void;
  /** A reply to a request, as some servers send them here. */
  response(message: Pieces, outline: Outline): void;
  /** A message over the limit was thrown away. */
  oversize(edges: Edges): void;
  /** What was still to come on this stream will not come. */
  ended(): void;
  /** Whether this refusal of the stream means that the server does not know the session any more. */
  isSessionGone(head: HttpHead, body: Buffer): boolean;
  /** The server does not know the session any more. */
  gone(): void;
  /** The connection failed. */
  broken(): void;
}

export class Listening {
  readonly #context: ListeningContext;
  readonly #backoff = new Backoff({ backoffBaseMs: 500, backoffCapMs: 30_000 });
  readonly #settled = Promise.withResolvers<void>();
  #exchange: HttpExchange | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastEventId: string | undefined;
  #retryMs: number | undefined;
  #openedAt = 0;
  #closed = false;
  #isOpen = false;
  /** Whether the server offers such a stream; undefined while that is not known. */
  offered: boolean | undefined;

  constructor(context: ListeningContext) {
    this.#context = context;
    this.#open();
  }

  /** Whether what the server sends now can reach the session here, be it after the stream was opened again. */
  get carries(): boolean {
    return !this.#closed && (this.#isOpen || this.#lastEventId !== undefined);
  }

  /** Resolves when the stream stands, is refused, or has taken too long to wait for. */
  async settled(): Promise<void> {
    const wait = setTimeout(this.#settled.resolve, HEAD_WAIT_MS);
    await this.#settled.promise;
    clearTimeout(wait);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#settled.resolve();
    this.#exchange?.abort(new Error('The session is closed.'));
  }

  #open(): void {
    this.#openedAt = performance.now();
    this.#isOpen = true;
    this.#exchange = this.#context.origin.send(
      this.#context.request(this.#lastEventId),
      (head) => this.#begin(head),
      () => this.#lost(true),
    );
  }

  #begin(head: HttpHead): BodySink {
    this.#settled.resolve();
    const stream = isSuccess(head.status) && head.headers['content-type']?.includes('text/event-stream') === true;
    if (!stream) return this.#refused(head);
    this.offered = true;
    const parser = new SseParser(
      {
        onEvent: ({ pieces, id }) => {
          if (id !== undefined) this.#lastEventId = id;
          if (sizeOf(pieces) > 0) this.#event(pieces);
        },
        onRetry: (ms) => {
          this.#retryMs = ms;
        },
        onOversize: (_error, edges) => {
          this.#context.oversize(edges);
          this.#context.log.warn({ server: this.#context.name }, 'an event outside requests was too large: dropped');
        },
      },
      this.#context.maxReplyBytes,
    );
    return {
      data: (chunk) => parser.push(chunk),
      end: () => this.#lost(false),
      error: () => this.#lost(false),
    };
  }

  #refused(head: HttpHead): BodySink {
    const { status } = head;
    // Before any stream stood, some servers answer 404 instead of 405: only afterwards a refusal can be about the session.
    if (this.offered && MAY_BE_GONE.has(status)) {
      const judge = (body: Buffer): void => this.#judge(head, body);
      // A body without an end says no more than its beginning would.
      this.#timer = setTimeout(() => judge(NOTHING), REFUSAL_MS).unref();
      return collector(
        MAX_REFUSAL_BYTES,
        judge,
        () => this.#lost(false),
        () => judge(NOTHING),
      );
    }
    return this.#settle(status);
  }

  #judge(head: HttpHead, body: Buffer): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    const isGone = this.#context.isSessionGone(head, body);
    this.#settle(head.status);
    if (isGone) this.#context.gone();
  }

  #settle(status: number): BodySink {
    if (status >= 500 || (this.offered && (status === 409 || status === 429))) {
      // 409: the server has not noticed yet that the last stream is gone, and allows one per session.
      this.#lost(false);
    } else {
      this.offered ??= false;
      this.#closed = true;
    }
    if (this.#closed) this.#context.ended();
    this.#exchange?.abort(new Error('No stream is offered.'));
    return { data() {}, end() {}, error() {} };
  }

  #event(data: Pieces): void {
    try {
      eachMessage(data, (message, outline) => {
        if (isResponse(outline)) this.#context.response(message, outline);
        else this.#context.serverMessage(message, outline);
      });
    } catch {
      this.#context.log.debug({ server: this.#context.name }, 'an event outside requests was not JSON-RPC: dropped');
    }
  }

  #lost(unreachable: boolean): void {
    this.#settled.resolve();
    this.#isOpen = false;
    if (this.#closed) return;
    clearTimeout(this.#timer);
    if (!this.carries) this.#context.ended();
    if (unreachable) this.#context.broken();
    if (performance.now() - this.#openedAt > GOOD_MS) this.#backoff.reset();
    const wait = this.#backoff.failures === 0 ? this.#retryMs : undefined;
    this.#timer = setTimeout(() => this.#open(), Math.max(wait ?? 0, this.#backoff.next())).unref();
  }
}
