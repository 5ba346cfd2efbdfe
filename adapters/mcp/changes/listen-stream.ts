/**
 * Changes of a modern upstream: one `subscriptions/listen` stream for all listeners, opened again when it ends and when
 * what is wanted changes. A server that does not know the method, or ends the stream before it has acknowledged it, is
 * left in peace for longer and longer; the lists are polled meanwhile.
 * Source: 2026-07-28 patterns/subscriptions.
 * @module
 */

import { Backoff } from '../../../src/core/backoff.ts';
import { RPC, UpstreamError } from '../../../src/core/errors.ts';
import type { Log } from '../../../src/core/log.ts';
import { META } from '../../../src/wire/envelope.ts';
import type { Outline } from '../../../src/wire/json/outline.ts';
import { isObject, type JsonObject, type Notification, notification } from '../../../src/wire/jsonrpc.ts';
import type { Pieces } from '../../../src/wire/pieces.ts';
import type { ListKind } from '../catalog.ts';
import { parseMessage, resultOf } from '../session/frames.ts';
import type { ResponseHandler, Sent } from '../session/link.ts';
import type { Wanted } from './hub.ts';
import { announcedLists, offersSubscriptions } from './subscriber.ts';

/** A stream that lived this long was a good one. */
const GOOD_MS = 10_000;

export interface ListenStreamContext {
  readonly name: string;
  readonly log: Log;
  readonly capabilities: JsonObject;
  wanted(): Wanted;
  /** Sends `subscriptions/listen` with these params (the envelope is added). */
  send(params: JsonObject, handler: Omit<ResponseHandler, 'id'>): { id: number; sent: Sent };
  /** Tells the server that a stream is not listened to any more, where closing it does not. */
  cancel(id: number): void;
  onNotification(notification: Notification): void;
  /** Which lists are covered may have changed. */
  covering(): void;
  /** A stream stands again after one broke: changes in between were missed. */
  missed(kinds: ReadonlySet<ListKind>, resources: readonly string[]): void;
}

interface Stream {
  filter: JsonObject;
  id: number;
  sent: Sent;
  acknowledged: boolean;
  covered: Set<ListKind>;
  resources: string[];
}

export class ListenStream {
  readonly #context: ListenStreamContext;
  readonly #backoff = new Backoff({ backoffBaseMs: 1_000, backoffCapMs: 120_000 });
  /** The stream that is listened to, and the one that will replace it. */
  #current: Stream | undefined;
  #next: Stream | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unsupported = false;
  #broke = false;
  #closed = false;

  constructor(context: ListenStreamContext) {
    this.#context = context;
  }

  /** Lists whose changes the server announces at present. */
  covered(): Set<ListKind> {
    return this.#current?.covered ?? new Set();
  }

  /** What is wanted may have changed. */
  update(): void {
    if (this.#closed || this.#unsupported || this.#timer) return;
    const filter = this.#filter();
    const latest = this.#next ?? this.#current;
    if (JSON.stringify(filter) === JSON.stringify(latest?.filter)) return;
    this.#drop(this.#next);
    this.#next = undefined;
    if (filter) {
      this.#open(filter);
    } else {
      this.#drop(this.#current);
      this.#current = undefined;
      this.#context.covering();
    }
  }

  /** The server ended a stream by cancelling it (stdio). */
  cancelledByServer(id: unknown): void {
    for (const stream of [this.#current, this.#next]) {
      if (stream && stream.id === id) {
        stream.sent.drop();
        this.#ended(stream, undefined);
      }
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#drop(this.#next);
    this.#drop(this.#current);
    this.#next = undefined;
    this.#current = undefined;
  }

  /** The subscription covers only what the upstream advertises. */
  #filter(): JsonObject | undefined {
    const { capabilities, wanted } = this.#context;
    const { lists, resources } = wanted();
    const announced = announcedLists(capabilities);
    const filter: JsonObject = {};
    if (lists && announced.has('tools')) filter.toolsListChanged = true;
    if (lists && announced.has('prompts')) filter.promptsListChanged = true;
    if (lists && announced.has('resources')) filter.resourcesListChanged = true;
    if (resources.length > 0 && offersSubscriptions(capabilities)) filter.resourceSubscriptions = resources;
    return Object.keys(filter).length > 0 ? filter : undefined;
  }

  #open(filter: JsonObject): void {
    const openedAt = performance.now();
    let stream: Stream | undefined;
    const over = (error: Error | undefined): void => {
      if (performance.now() - openedAt > GOOD_MS) this.#backoff.reset();
      if (stream) this.#ended(stream, error);
      else this.#ended(undefined, error);
    };
    const { id, sent } = this.#context.send(
      { notifications: filter },
      {
        serverMessage: (frame, outline) => this.#serverMessage(stream, frame, outline),
        // A result is the graceful end of the stream.
        reply: (frame, outline) => {
          try {
            resultOf(frame, outline, this.#context.name);
            over(undefined);
          } catch (error) {
            over(error as Error);
          }
        },
        failed: over,
      },
    );
    if (this.#timer || this.#unsupported) return;
    stream = { filter, id, sent, acknowledged: false, covered: new Set(), resources: [] };
    this.#next = stream;
  }

  /** On HTTP what comes on the stream's own response; on stdio what carries its id. */
  #serverMessage(stream: Stream | undefined, frame: Pieces, { id }: Outline): void {
    const message = id === undefined ? parseMessage(frame) : undefined;
    if (stream && message) this.#notified(stream, notification(message.method, message.params));
  }

  /** Hears a notification that carries a subscription id. True when it is one of ours. */
  notified(sent: Notification): boolean {
    const meta = sent.params?._meta;
    const id = isObject(meta) ? meta[META.subscriptionId] : undefined;
    if (id === undefined) return false;
    const stream = [this.#next, this.#current].find((candidate) => candidate && String(candidate.id) === String(id));
    // A stream that was replaced or closed: the next one carries what this one still sends.
    if (stream) this.#notified(stream, sent);
    return true;
  }

  #notified(stream: Stream, sent: Notification): void {
    if (sent.method === 'notifications/subscriptions/acknowledged') this.#acknowledged(stream, sent.params ?? {});
    else this.#context.onNotification(sent);
  }

  #acknowledged(stream: Stream, { notifications }: JsonObject): void {
    if (stream.acknowledged) return;
    stream.acknowledged = true;
    // A server that does not list what it agreed to has agreed to everything.
    const agreed = isObject(notifications) ? notifications : stream.filter;
    if (agreed.toolsListChanged === true) stream.covered.add('tools');
    if (agreed.promptsListChanged === true) stream.covered.add('prompts');
    if (agreed.resourcesListChanged === true) stream.covered.add('resources').add('templates');
    if (Array.isArray(agreed.resourceSubscriptions)) {
      stream.resources = agreed.resourceSubscriptions.filter((uri) => typeof uri === 'string');
    }
    if (stream === this.#next) {
      // The old stream is dropped only now, so that no change falls between the two.
      this.#drop(this.#current);
      this.#current = stream;
      this.#next = undefined;
    }
    this.#context.covering();
    if (this.#broke) {
      this.#broke = false;
      this.#context.missed(stream.covered, stream.resources);
    }
  }

  #ended(stream: Stream | undefined, error: Error | undefined): void {
    if (this.#closed || (stream && stream !== this.#current && stream !== this.#next)) return;
    const { name, log } = this.#context;
    if (stream?.acknowledged) this.#broke = true;
    if (!stream || stream === this.#next) this.#next = undefined;
    if (stream === this.#current) this.#current = undefined;
    this.#context.covering();
    if (error instanceof UpstreamError && error.rpcCode === RPC.methodNotFound) {
      log.info({ server: name }, 'the server has no subscriptions: lists are polled');
      this.#unsupported = true;
      return;
    }
    log.debug({ server: name, err: error }, 'the stream of changes ended: it is opened again');
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.update();
    }, this.#backoff.next()).unref();
  }

  #drop(stream: Stream | undefined): void {
    if (!stream) return;
    stream.sent.drop();
    this.#context.cancel(stream.id);
  }
}
