/**
 * The way back to a client, as the legacy core sees it. A transport provides one per connection (stdio, old HTTP+SSE)
 * or one per POST (Streamable HTTP).
 * @module
 */
import type { CallResult } from '../relay/types.ts';
import type { Notification, Request, RequestId } from '../wire/jsonrpc.ts';

export interface MessageSink {
  /** Sends a notification or a request of ours. False when the client cannot be reached this way. */
  send(message: Notification | Request): boolean;
}

/** Every request handed to the core ends in exactly one call of `reply`, `fail` or `release`. */
export interface ReplySink extends MessageSink {
  reply(id: RequestId, answer: CallResult): void;
  /** `id` is null when an answer under the request's own id would be taken for another request's. */
  fail(id: RequestId | null, error: unknown): void;
  /** The reply's stream ends for now, where the client can come back for the rest (2025-11-25 transports). */
  pause?(retryMs: number): void;
  /** The client withdrew the request: no answer is due (2025-11-25 basic/utilities/cancellation). */
  release(id: RequestId): void;
}
