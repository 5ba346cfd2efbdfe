/**
 * One request of a client while the relay works on it: it gets exactly one reply, or none once its client withdrew it,
 * and nothing is sent for it after that.
 * @module
 */
import type { Linked, LinkedList } from '../core/linked-list.ts';
import type { Log } from '../core/log.ts';
import type { HttpHead } from '../observe/traces/types.ts';
import type { CallResult, Channel, InFlight } from '../relay/types.ts';
import type { Notification, Request, RequestId } from '../wire/jsonrpc.ts';

export abstract class OpenRequest implements Channel {
  readonly id: RequestId;
  #inFlight: InFlight | undefined;
  #over = false;

  constructor(id: RequestId) {
    this.id = id;
  }

  /** Its reply is sent, or is no longer due. */
  get over(): boolean {
    return this.#over;
  }

  abstract notify(notification: Notification): void;

  /** Throws, before anything is sent, when the result cannot be written as JSON. */
  protected abstract reply(result: CallResult): void;
  protected abstract fail(error: unknown): void;
  /** Called once, before the reply is sent. */
  protected abstract ending(): void;

  /** Sends the reply once the relay has it. */
  start(inFlight: InFlight, log: Log): void {
    this.#inFlight = inFlight;
    inFlight.result.then(
      (result) => {
        if (!this.end()) return;
        try {
          this.reply(result);
        } catch (error) {
          log.error({ err: error }, 'a result could not be written');
          this.fail(error);
        }
      },
      (error: unknown) => {
        if (this.end()) this.fail(error);
      },
    );
  }

  /** Returns false when it was over before. */
  end(): boolean {
    if (this.#over) return false;
    this.ending();
    this.#over = true;
    return true;
  }

  /** Cancels the call; the client gets the relay's error for it, unless the request is over. */
  cancel(reason: string | undefined): void {
    this.#inFlight?.cancel(reason);
  }
}

/** A transport's way to a client, outside the replies to requests. */
export interface MessageSink {
  /** Sends a notification or a request of the gateway's. Returns false when the client cannot be reached this way. */
  send(message: Notification | Request): boolean;
}

/**
 * A transport's way to the client of a legacy session: one per connection (stdio, old HTTP+SSE), or one per POST
 * (Streamable HTTP). Every request handed to a session ends in exactly one call of `reply`, `fail` or `release`.
 */
export interface ReplySink extends MessageSink {
  /** The HTTP request that the request came in, where it did. */
  readonly http?: HttpHead | undefined;
  reply(id: RequestId, result: CallResult): void;
  /** `id` is null when an error under the request's own id would be taken for another request's. */
  fail(id: RequestId | null, error: unknown): void;
  /** Ends the reply's stream for now, where the client can come back for the rest (2025-11-25 transports). */
  pause?(retryMs: number): void;
  /** The client withdrew the request: no reply is due (2025-11-25 basic/utilities/cancellation). */
  release(id: RequestId): void;
}

/**
 * The request of this id among those that are open. They are few: a client waits for most of its replies. Every request
 * asks, so that no iterator is made.
 */
export function requestOf<T extends OpenRequest & Linked<T>>(open: LinkedList<T>, id: unknown): T | undefined {
  let request = open.first;
  for (let left = open.size; left > 0; left--) {
    if (request?.id === id) return request;
    request = request?.next;
  }
  return undefined;
}
