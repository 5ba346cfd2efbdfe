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

/**
 * One stream. What is written in one turn of the event loop leaves together at its end, in one chunk and with the head: a server's
 * twenty tokens that came in one packet are twenty frames, and each written alone costs as much as the rest of its way.
 */
export class EventStream implements Timed {
  previous: Timed | undefined;
  next: Timed | undefined;
  readonly #res: ServerResponse;
  readonly #keepAliveMs: number;
  #lastWrite: number;
  /** What leaves at the end of this turn: neighbouring texts are one. Undefined: nothing is to be done then. */
  #waiting: (Buffer | string)[] | undefined;
  /** Of what waits: bytes, and for texts units. */
  #size = 0;
  /** Called once, when the connection is closed or the stream has ended. */
  onClose: (() => void) | undefined;

  constructor(res: ServerResponse, keepAliveMs: number, now: number) {
    this.#res = res;
    this.#keepAliveMs = keepAliveMs;
    this.#lastWrite = now;
    // A client learns that it has a stream though nothing may come for long.
    this.#wait();
  }

  write(frame: Buffer | string): void {
    if (this.#res.writableEnded || this.#res.destroyed) return;
    if (this.#backlog > MAX_BACKLOG_BYTES) {
      this.#res.destroy();
      return;
    }
    const waiting = this.#wait();
    const last = waiting.at(-1);
    if (typeof frame === 'string' && typeof last === 'string') waiting[waiting.length - 1] = last + frame;
    else waiting.push(frame);
    this.#size += frame.length;
  }

  /** The client does not read as fast as is written. */
  get congested(): boolean {
    return this.#backlog > CONGESTED_BYTES;
  }

  get #backlog(): number {
    return this.#res.writableLength + this.#size;
  }

  end(): void {
    if (this.#res.writableEnded) return;
    const last = this.#waiting?.pop();
    this.#send();
    this.#res.end(last);
  }

  #wait(): (Buffer | string)[] {
    if (!this.#waiting) {
      this.#waiting = [];
      process.nextTick(() => {
        if (this.#waiting?.length === 0 && !this.#res.destroyed) this.#res.flushHeaders();
        this.#send();
      });
    }
    return this.#waiting;
  }

  #send(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    this.#waiting = undefined;
    this.#size = 0;
    const res = this.#res;
    if (res.writableEnded || res.destroyed) return;
    for (const frames of waiting) res.write(frames);
  }

  tick(now: number): void {
    if (now - this.#lastWrite < this.#keepAliveMs) return;
    this.#lastWrite = now;
    this.write(SSE_KEEPALIVE);
  }
}
