/**
 * One client's request while it is in flight upstream: settles exactly once, by the reply, a failure or the client's
 * own cancellation, and receives what the server sends in the meantime.
 * @module
 */

import type { Call } from '../../../src/core/call.ts';
import type { Identity } from '../../../src/core/identity.ts';
import type { Linked } from '../../../src/core/linked-list.ts';
import type { Reply } from '../../../src/core/upstream.ts';
import type { Outline } from '../../../src/wire/json/outline.ts';
import type { Notification, RequestId } from '../../../src/wire/jsonrpc.ts';
import type { Pieces } from '../../../src/wire/pieces.ts';
import { replyOf } from './frames.ts';
import type { ResponseHandler, Sent } from './link.ts';

/** What a pending call needs of its session. */
export interface PendingHost {
  readonly name: string;
  readonly modern: boolean;
  /** A call was answered. */
  answered(): void;
  serverMessage(frame: Pieces, outline: Outline, pending: PendingCall): void;
  /** The call is over, in whatever way. */
  ended(pending: PendingCall): void;
  /** Sends the server a cancellation, where closing the stream is none. */
  cancelled(pending: PendingCall, reason: Error): void;
}

export class PendingCall implements ResponseHandler, Linked<PendingCall> {
  previous: PendingCall | undefined;
  next: PendingCall | undefined;
  readonly id: number;
  readonly call: Call;
  /** Whether the client wants progress notifications. */
  readonly progress: boolean;
  /** The task whose result it waits for: the server's requests about that task belong to this call. */
  waitsFor: string | undefined;
  /** The client's own progress token, of a call that waits for a task. */
  token: RequestId | undefined;
  /** A subscription of the client's: notifications that carry its id belong to this call. */
  listens = false;
  readonly #host: PendingHost;
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (error: Error) => void;
  #sent: Sent | undefined;
  #stopListening: (() => void) | undefined;
  #settled = false;

  constructor(
    host: PendingHost,
    id: number,
    call: Call,
    progress: boolean,
    resolve: (reply: Reply) => void,
    reject: (error: Error) => void,
  ) {
    this.#host = host;
    this.id = id;
    this.call = call;
    this.progress = progress;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get identity(): Identity {
    return this.call.caller.identity;
  }

  /** The request has been handed to the link. */
  started(sent: Sent): void {
    if (this.#settled) return;
    this.#sent = sent;
    this.#stopListening = this.call.onAbort((reason) => this.#cancel(reason));
    if (this.#settled) this.#stopListening();
  }

  sent(): void {
    if (!this.#settled) this.call.left?.();
  }

  reply(frame: Pieces, outline: Outline): void {
    if (!this.#settle()) return;
    this.#host.answered();
    try {
      this.#resolve(replyOf(frame, outline, this.#host.name, this.#host.modern));
    } catch (error) {
      this.#reject(error as Error);
    }
  }

  serverMessage(frame: Pieces, outline: Outline): void {
    if (!this.#settled) this.#host.serverMessage(frame, outline, this);
  }

  paused(retryMs: number): void {
    if (!this.#settled) this.call.pause?.(retryMs);
  }

  failed(error: Error): void {
    if (this.#settle()) this.#reject(error);
  }

  /** The session ends under it. */
  end(reason: Error): void {
    if (!this.#settle()) return;
    this.#sent?.drop();
    this.#reject(reason);
  }

  /** Progress under our own token; the relay stamps the client's. */
  report({ method, params }: Notification): void {
    if (this.#settled || !this.progress) return;
    const { progressToken: _ours, ...rest } = params ?? {};
    this.call.notify({ jsonrpc: '2.0', method, params: rest });
  }

  #cancel(reason: Error): void {
    if (!this.#settle()) return;
    this.#host.cancelled(this, reason);
    this.#sent?.drop();
    this.#reject(reason);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#stopListening?.();
    this.#host.ended(this);
    return true;
  }
}
