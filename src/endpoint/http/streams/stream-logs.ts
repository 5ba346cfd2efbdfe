/**
 * The event streams of one legacy session. Each outlives its connections, so that a client whose connection broke comes
 * back with `Last-Event-ID` and misses nothing (2025-11-25 transports, "Resumability and
 * Redelivery").
 *
 * Invariants: an event id belongs to one stream and one message; a message is on one stream only; what is stored for
 * replay is bounded in number, bytes and time, over all streams of the session.
 * @module
 */
import { type Linked, LinkedList } from '../../../core/linked-list.ts';
import type { Notification, Request } from '../../../wire/jsonrpc.ts';
import type { Pieces } from '../../../wire/pieces.ts';
import { sseFrame } from '../../../wire/sse.ts';
import { canBeLeftOut } from '../../messages.ts';
import type { EventStream } from './event-stream.ts';

export interface ReplayLimits {
  maxEvents: number;
  maxBytes: number;
}

const REPLAY_LIMITS: ReplayLimits = { maxEvents: 1_000, maxBytes: 1024 * 1024 };

/** Streams, open or waiting for their client, a session may have. */
const MAX_LOGS = 256;

/** A message that can be replayed. */
interface StoredEvent {
  seq: number;
  frame: Buffer;
}

export class StreamLogs {
  readonly #limits: ReplayLimits;
  readonly #retryMs: number | undefined;
  readonly #logs = new LinkedList<StreamLog>();
  #next = 1;
  #events = 0;
  #bytes = 0;

  /** `retryMs` is for revisions whose streams open with an event without data; older clients would take it for a message. */
  constructor(retryMs: number | undefined, limits: ReplayLimits = REPLAY_LIMITS) {
    this.#retryMs = retryMs;
    this.#limits = limits;
  }

  /** Opens the reply to one POST. `onAbandoned` is called when its client left and can no longer come back for it. */
  openReply(stream: EventStream, onAbandoned: () => void): StreamLog {
    return this.#open(`r${this.#next++}`, stream, onAbandoned);
  }

  /** Opens a stream for messages outside any request. */
  openStandalone(stream: EventStream): StreamLog {
    return this.#open(`s${this.#next++}`, stream, undefined);
  }

  #open(key: string, stream: EventStream, onAbandoned: (() => void) | undefined): StreamLog {
    if (this.#logs.size >= MAX_LOGS) this.#dropOldestUnattached();
    const log = new StreamLog(key, onAbandoned, {
      retryMs: this.#retryMs,
      stored: (bytes) => this.#stored(bytes),
      forgotten: (bytes) => this.#forgotten(bytes),
      drop: (dropped) => this.#drop(dropped),
      maxBytes: this.#limits.maxBytes,
    });
    this.#logs.append(log);
    log.attach(stream);
    return log;
  }

  /** The stream of this event and the event's number in it; undefined when the stream is unknown or forgotten. */
  find(lastEventId: string): { log: StreamLog; after: number } | undefined {
    const match = /^([rs]\d+)-(\d{1,15})$/.exec(lastEventId);
    for (const log of this.#logs) if (log.key === match?.[1]) return { log, after: Number(match[2]) };
    return undefined;
  }

  /** True when the id is one of a standalone stream: a new stream can replace a forgotten one. */
  static isStandalone(lastEventId: string): boolean {
    return /^s\d+-\d+$/.test(lastEventId);
  }

  /**
   * Sends a message outside any request: on one stream only, though there be several (2025-11-25 transports, "Multiple
   * Connections"). Without a connection it is stored for the client that is expected back; returns false when there is no stream.
   */
  sendStandalone(message: Notification | Request): boolean {
    let waiting: StreamLog | undefined;
    for (const log of this.#logs) {
      if (log.replies) continue;
      if (log.attached) {
        if (!(log.congested && canBeLeftOut(message))) log.append(JSON.stringify(message));
        return true;
      }
      waiting = log;
    }
    waiting?.append(JSON.stringify(message));
    return waiting !== undefined;
  }

  get attached(): boolean {
    for (const log of this.#logs) if (log.attached) return true;
    return false;
  }

  /** Forgets streams whose client has not come back, and events of ended ones. */
  sweep(now: number, graceMs: number): void {
    for (const log of this.#logs) {
      if (!log.attached && log.unattachedFor(now) > graceMs) this.#drop(log);
    }
  }

  /** Ends the standalone streams. Replies under way end with their own results. */
  close(): void {
    for (const log of this.#logs) {
      if (log.replies && log.attached) continue;
      log.end();
      this.#drop(log);
    }
  }

  #stored(bytes: number): void {
    this.#events++;
    this.#bytes += bytes;
    while (this.#events > this.#limits.maxEvents || this.#bytes > this.#limits.maxBytes) {
      const oldest = this.#first((log) => log.stores);
      if (!oldest) return;
      oldest.forgetOldest();
    }
  }

  #forgotten(bytes: number): void {
    this.#events--;
    this.#bytes -= bytes;
  }

  #drop(log: StreamLog): void {
    if (this.#logs.remove(log)) log.forget();
  }

  #dropOldestUnattached(): void {
    const oldest = this.#first((log) => !log.attached);
    if (oldest) this.#drop(oldest);
  }

  #first(has: (log: StreamLog) => boolean): StreamLog | undefined {
    for (const log of this.#logs) if (has(log)) return log;
    return undefined;
  }
}

interface Owner {
  retryMs: number | undefined;
  maxBytes: number;
  /** Called when a frame of this size is stored. */
  stored(bytes: number): void;
  forgotten(bytes: number): void;
  drop(log: StreamLog): void;
}

export class StreamLog implements Linked<StreamLog> {
  previous: StreamLog | undefined;
  next: StreamLog | undefined;
  readonly key: string;
  readonly #onAbandoned: (() => void) | undefined;
  readonly #owner: Owner;
  #events: StoredEvent[] = [];
  #seq = 0;
  #stream: EventStream | undefined;
  #unattachedSince = 0;
  #ended = false;
  /** The client has an event id to come back with. */
  #resumable = false;

  constructor(key: string, onAbandoned: (() => void) | undefined, owner: Owner) {
    this.key = key;
    this.#onAbandoned = onAbandoned;
    this.#owner = owner;
  }

  get attached(): boolean {
    return this.#stream !== undefined;
  }

  get congested(): boolean {
    return this.#stream?.congested === true;
  }

  /** True for the reply to a request, false for a standalone stream. */
  get replies(): boolean {
    return this.#onAbandoned !== undefined;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get stores(): boolean {
    return this.#events.length > 0;
  }

  unattachedFor(now: number): number {
    return now - this.#unattachedSince;
  }

  /** True when nothing came after this event and nothing will. */
  isOver(after: number): boolean {
    return this.#ended && !this.#events.some((event) => event.seq > after);
  }

  /** Continues on this connection, after the event the client saw last. A former connection is closed. */
  attach(stream: EventStream, after?: number): void {
    const former = this.#stream;
    this.#stream = stream;
    former?.end();
    stream.onClose = () => this.#detach(stream);
    if (after === undefined) {
      if (this.#owner.retryMs !== undefined) {
        this.#resumable = true;
        stream.write(sseFrame({ id: `${this.key}-0`, retry: this.#owner.retryMs, data: '' }));
      }
    } else {
      for (const { seq, frame } of this.#events) if (seq > after) stream.write(frame);
    }
    if (this.#ended) stream.end();
  }

  /**
   * Sends a message. `replayInstead` gives what is replayed when the message is too large to be stored; without it such a
   * message is not replayed.
   */
  append(message: Pieces | string, replayInstead?: () => string): void {
    if (this.#ended) return;
    const seq = ++this.#seq;
    const id = `${this.key}-${seq}`;
    const frame = sseFrame({ id, data: message });
    this.#resumable = true;
    this.#stream?.write(frame);
    if (frame.length <= this.#owner.maxBytes) this.#keep(seq, frame);
    else if (replayInstead) this.#keep(seq, sseFrame({ id, data: replayInstead() }));
  }

  #keep(seq: number, frame: Buffer): void {
    this.#events.push({ seq, frame });
    this.#owner.stored(frame.length);
  }

  /**
   * Closes the client's connection; the client comes back after this time (2025-11-25 transports, "Sending Messages to the Server": the
   * server may close the connection at any time, and should say when to come back). Only for clients whose stream
   * opened with an event to come back to.
   */
  pause(retryMs: number): void {
    if (this.#ended || this.#owner.retryMs === undefined) return;
    this.#stream?.write(Buffer.from(`retry: ${retryMs}\n\n`));
    this.#stream?.end();
  }

  /** Ends the stream. Its events are stored for the grace time, for a client that did not get them. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream?.end();
  }

  forgetOldest(): void {
    const oldest = this.#events.shift();
    if (oldest) this.#owner.forgotten(oldest.frame.length);
  }

  /** Called when the client cannot come back to this stream any more. */
  forget(): void {
    while (this.#events.length > 0) this.forgetOldest();
    const unfinished = !this.#ended;
    this.#ended = true;
    if (unfinished) this.#onAbandoned?.();
  }

  #detach(stream: EventStream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#unattachedSince = performance.now();
    if (!this.#resumable) this.#owner.drop(this);
  }
}
