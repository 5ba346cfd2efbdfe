/**
 * Replies as server-sent events: opened within a limit, kept alive, and cut off when their client does not read.
 * @module
 */
import type { ServerResponse } from 'node:http';
import type { Shares } from '../../../core/shares.ts';
import type { Timed, TimerWheel } from '../../../core/timer-wheel.ts';
import { SSE_KEEPALIVE } from '../../../wire/sse.ts';

/** A client this far behind is disconnected; what it may still want is replayed when it comes back. */
const MAX_BACKLOG_BYTES = 8 * 1024 * 1024;

/** From here on notifications that can be skipped are: progress that outruns its client must not cost the call. */
const CONGESTED_BYTES = 1024 * 1024;

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  // Proxies would hold events back (2026-07-28 streamable-http, "Receiving Messages").
  'x-accel-buffering': 'no',
};

/** The open streams of the endpoint. */
export class EventStreams {
  readonly #wheel: TimerWheel;
  readonly #keepAliveMs: number;
  readonly #shares: Shares;

  constructor(wheel: TimerWheel, keepAliveMs: number, shares: Shares) {
    this.#wheel = wheel;
    this.#keepAliveMs = keepAliveMs;
    this.#shares = shares;
  }

  get size(): number {
    return this.#shares.taken;
  }

  /** Turns a reply into a stream. Undefined when too many are open or the client is gone. */
  tryOpen(res: ServerResponse, principal: string): EventStream | undefined {
    if (!this.#shares.admits(principal) || res.headersSent || res.destroyed) return undefined;
    res.writeHead(200, STREAM_HEADERS);
    res.flushHeaders();
    const stream = new EventStream(res, this.#keepAliveMs, this.#wheel.now);
    this.#shares.take(principal);
    this.#wheel.add(stream);
    res.on('close', () => {
      this.#shares.give(principal);
      this.#wheel.delete(stream);
      stream.onClose?.();
    });
    return stream;
  }

  requireRoom(principal: string): void {
    if (!this.#shares.admits(principal)) throw this.#shares.refusal('SWB_TOO_MANY_STREAMS', 'streams open', principal);
  }
}

export class EventStream implements Timed {
  previous: Timed | undefined;
  next: Timed | undefined;
  readonly #res: ServerResponse;
  readonly #keepAliveMs: number;
  #lastWrite: number;
  /** Called once, when the connection is closed or the stream has ended. */
  onClose: (() => void) | undefined;

  constructor(res: ServerResponse, keepAliveMs: number, now: number) {
    this.#res = res;
    this.#keepAliveMs = keepAliveMs;
    this.#lastWrite = now;
  }

  write(frame: Buffer): void {
    if (this.#res.writableEnded || this.#res.destroyed) return;
    if (this.#res.writableLength > MAX_BACKLOG_BYTES) this.#res.destroy();
    else this.#res.write(frame);
  }

  /** The client does not read as fast as is written. */
  get congested(): boolean {
    return this.#res.writableLength > CONGESTED_BYTES;
  }

  end(): void {
    if (!this.#res.writableEnded) this.#res.end();
  }

  tick(now: number): void {
    if (now - this.#lastWrite < this.#keepAliveMs) return;
    this.#lastWrite = now;
    this.write(SSE_KEEPALIVE);
  }
}
