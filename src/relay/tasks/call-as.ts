/**
 * A call seen by the adapter as another caller's: the same client in every way, with more capabilities than it declared,
 * because the gateway does for it what they stand for.
 * @module
 */
import type { Ask, AskMethod, Call } from '../../core/call.ts';
import type { Caller } from '../../core/caller.ts';
import type { JsonObject, Notification } from '../../wire/jsonrpc.ts';

export class CallAs implements Call {
  readonly caller: Caller;
  readonly #call: Call;

  constructor(call: Call, caller: Caller) {
    this.#call = call;
    this.caller = caller;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get aborted(): boolean {
    return this.#call.aborted;
  }

  get wantsProgress(): boolean {
    return this.#call.wantsProgress;
  }

  get paramHeaders(): Call['paramHeaders'] {
    return this.#call.paramHeaders;
  }

  onAbort(listener: (reason: Error) => void): () => void {
    return this.#call.onAbort(listener);
  }

  notify(notification: Notification): void {
    this.#call.notify(notification);
  }

  left(): void {
    this.#call.left?.();
  }

  pause(retryMs: number): void {
    this.#call.pause?.(retryMs);
  }

  canAsk(method: AskMethod): boolean {
    return this.#call.canAsk(method);
  }

  ask(ask: Ask): Promise<JsonObject> {
    return this.#call.ask(ask);
  }
}
