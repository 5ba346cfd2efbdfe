/**
 * A link carries JSON-RPC messages to one server and back. The transports differ in one thing the rest must know about:
 * whether a request has a stream of its own (Streamable HTTP) or everything comes in on one (stdio, old SSE). A handler
 * receives its reply in both cases, and other messages of the server only where they come on its own stream.
 * @module
 */
import { SwitchboardError } from '../../../src/core/errors.ts';
import type { Identity } from '../../../src/core/identity.ts';
import type { Outline } from '../../../src/wire/json/outline.ts';
import type { Notification, Request, Response } from '../../../src/wire/jsonrpc.ts';
import type { Pieces } from '../../../src/wire/pieces.ts';
import type { HttpHead } from '../../shared/origin.ts';

/** Receives the reply to one request. Exactly one of `reply` and `failed` is called, unless the request was dropped. */
export interface ResponseHandler {
  readonly id: number;
  /** Whose request it is; undefined: the gateway's own. */
  readonly identity?: Identity;
  /** The request is put on the wire: from now on it may have an effect. */
  sent?(): void;
  /** The head of the HTTP response, where there is one. */
  head?(head: HttpHead): void;
  reply(frame: Pieces, outline: Outline): void;
  /** A notification or a request of the server's on this request's own stream. */
  serverMessage(frame: Pieces, outline: Outline): void;
  /** The server has ended the reply's stream and wants to be polled for the rest after this time. */
  paused?(retryMs: number): void;
  failed(error: Error): void;
}

/** A request on its way. */
export interface Sent {
  /** Gives the request up: its stream is closed (HTTP), a late reply is dropped. The handler is not called any more. */
  drop(): void;
}

export interface LinkEvents {
  /** A notification or a request of the server's that came on no request's own stream. */
  serverMessage(frame: Pieces, outline: Outline): void;
  /**
   * The link is broken. What was in flight has failed; `hadCalls` is true when anything was. Called at most once,
   * never after `close`.
   */
  lost(reason: Error, hadCalls: boolean): void;
}

export interface Link {
  /** Set once, by the session that owns the link, before anything is sent. */
  events: LinkEvents;
  send(message: Request, handler: ResponseHandler, headers?: Readonly<Record<string, string>>): Sent;
  /** Sends a notification or a response, `identity`'s or the gateway's own. Resolves when it has been accepted or is known to be lost; never rejects. */
  post(message: Notification | Response, identity?: Identity): Promise<void>;
  /** After `initialize`: what every further message of the session carries. */
  opened?(protocolVersion: string): void;
  /** After `notifications/initialized`: opens the stream for messages outside requests. Resolves once it stands, or is refused. */
  listen?(): Promise<void>;
  /** True when every request has a stream of its own, whose closing the server notices. */
  readonly ownStreams: boolean;
  /** True when the server keeps something for this link that ends with it. */
  readonly stateful: boolean;
  /** Frees what the server holds for it; requests in flight fail with `reason`. Bounded; never rejects. */
  close(reason: Error): Promise<void>;
}

/**
 * The server no longer knows the session of a request, and its answer proves that the request did not run (HTTP
 * 404: 2025-11-25 transports, "Session Management"). Never leaves the adapter.
 */
export class SessionGone extends Error {
  readonly clientError: SwitchboardError;

  /** `clientError` is the client's error when no new session can be opened either. */
  constructor(clientError: SwitchboardError) {
    super(clientError.message);
    this.name = 'SessionGone';
    this.clientError = clientError;
  }
}

export const lostSession = (name: string, cause?: unknown): SwitchboardError =>
  new SwitchboardError(
    'SWB_UPSTREAM_SESSION_LOST',
    `The session with server '${name}' was lost, and what it held with it. The next call starts a new one.`,
    { data: { server: name }, cause },
  );

/** Events of a link that no session has taken over yet. */
export const NO_EVENTS: LinkEvents = { serverMessage() {}, lost() {} };
