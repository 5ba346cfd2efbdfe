/**
 * The gateway's requests to a legacy client that have no response yet. Ids are unique in the session. Every ask ends: by
 * its response, by its withdrawal, by the end of the request or session it belongs to, or by time.
 * @module
 */
import type { Ask } from '../../core/call.ts';
import { SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { isObject, type JsonObject, notification, type RpcError, request } from '../../wire/jsonrpc.ts';
import type { MessageSink } from '../open-request.ts';

interface Pending {
  sink: MessageSink;
  owner: object;
  settle(outcome: JsonObject | Error): void;
}

export class PendingAsks {
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, Pending>();
  #next = 1;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Sends the ask and waits. Rejects with `SWB_ASK_REFUSED` when the client cannot be reached or does not respond in
   * time, and with `UpstreamError` (the client's own code, message and data) when it responds with an error.
   */
  put(ask: Ask, sink: MessageSink, owner: object): Promise<JsonObject> {
    return new Promise((resolve, reject) => {
      if (ask.signal?.aborted) {
        reject(withdrawn());
        return;
      }
      const id = this.#next++;
      const onAbort = (): void => this.#withdraw(id, 'The server no longer needs an answer.');
      const timer = setTimeout(
        () => this.#withdraw(id, 'No answer came in time.', refused('The client did not answer in time.')),
        this.#timeoutMs,
      );
      timer.unref();
      const settle = (outcome: JsonObject | Error): void => {
        this.#pending.delete(id);
        clearTimeout(timer);
        ask.signal?.removeEventListener('abort', onAbort);
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      };
      this.#pending.set(id, { sink, owner, settle });
      ask.signal?.addEventListener('abort', onAbort, { once: true });
      if (!sink.send(request(id, ask.method, ask.params))) {
        settle(refused('The client cannot be reached in the middle of a call.'));
      }
    });
  }

  /** A response of the client. False when nothing waits for it (any more). */
  receiveResponse(response: JsonObject): boolean {
    const pending = typeof response.id === 'number' ? this.#pending.get(response.id) : undefined;
    if (!pending) return false;
    if (isObject(response.result)) pending.settle(response.result);
    else pending.settle(new UpstreamError(rpcErrorOf(response.error)));
    return true;
  }

  /** The request these asks belong to is over. */
  withdrawOf(owner: object): void {
    for (const [id, pending] of [...this.#pending]) {
      if (pending.owner === owner) this.#withdraw(id, 'The call is over.');
    }
  }

  /** The client is gone. */
  refuseAll(): void {
    for (const pending of [...this.#pending.values()]) pending.settle(refused('The session has ended.'));
  }

  #withdraw(id: number, reason: string, error: Error = withdrawn()): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    pending.settle(error);
    pending.sink.send(notification('notifications/cancelled', { requestId: id, reason }));
  }
}

const refused = (message: string): SwitchboardError => new SwitchboardError('SWB_ASK_REFUSED', message);
const withdrawn = (): SwitchboardError => new SwitchboardError('SWB_CANCELLED', 'The question was withdrawn.');

/** The client's error as it sent it; a response that is neither result nor error counts as one. */
function rpcErrorOf(error: unknown): RpcError {
  if (isObject(error) && typeof error.code === 'number' && typeof error.message === 'string') {
    return { code: error.code, message: error.message, data: error.data };
  }
  return { code: -32603, message: 'The client sent a malformed response.' };
}
