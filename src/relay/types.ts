/**
 * The seam between endpoints (how a client talks) and the relay (what a request means). Endpoints frame and parse; the
 * relay resolves names, decides, queues, dispatches, and answers in the caller's own era.
 * @module
 */
import type { Ask } from '../core/call.ts';
import type { Caller } from '../core/caller.ts';
import type { View } from '../federation/types.ts';
import type { HttpHead } from '../observe/traces/types.ts';
import type { JsonObject, Notification, Request } from '../wire/jsonrpc.ts';
import type { Pieces } from '../wire/pieces.ts';

/** The way back to the client while one request is answered. */
export interface Channel {
  /** Sends a notification on the stream of this very request (the response becomes a stream if it was none). */
  notify(notification: Notification): void;
  /** Ends the stream of this request for now: the client comes back for the rest. Absent where it cannot. */
  pause?(retryMs: number): void;
  /** Sends a request to the client on the stream of this request. Absent when the era has no such thing. */
  ask?(ask: Ask): Promise<JsonObject>;
}

export interface Inbound {
  caller: Caller;
  view: View;
  request: Request;
  channel: Channel;
  /** The session, for legacy requests. */
  session?: ClientSession;
  /** `Mcp-Param-…` headers as sent (name → value), modern HTTP only. */
  paramHeaders?: Readonly<Record<string, string>>;
  /** The HTTP request it came in, where it did: looked at by tracing alone, while the request begins. */
  http?: HttpHead | undefined;
}

/**
 * The JSON of a `result`, in the caller's era: bytes where they could be kept, an object where one was made. `prefix` is text
 * that stands before the bytes and makes one JSON value with them: what an era adds in front costs no copy. `pieces` are
 * the bytes of `raw` in several buffers, where they came so.
 */
export type CallResult =
  | { readonly raw: Buffer; readonly pieces?: Pieces; readonly prefix?: string | undefined }
  | { readonly value: JsonObject };

/** The result as an object. */
export const resultObject = (result: CallResult): JsonObject =>
  'value' in result ? result.value : (JSON.parse((result.prefix ?? '') + result.raw.toString('utf8')) as JsonObject);

export interface InFlight {
  /** Rejects with `SwitchboardError` or `UpstreamError`; after `cancel` with `SWB_CANCELLED`. */
  readonly result: Promise<CallResult>;
  /** The client does not want the result any more: the call leaves the queue, or is cancelled upstream. */
  cancel(reason?: string): void;
}

/** A legacy client's session, as the relay uses it. Owned by an endpoint. */
export interface ClientSession {
  readonly id: string;
  readonly view: View;
  /** Replaced, never mutated, when the client sets a log level. */
  caller: Caller;
  /** Sends a notification outside any request (GET stream, SSE stream, stdio). */
  notify(notification: Notification): void;
}
