/**
 * The open input requests of one call: a modern client is shown them as `inputRequests` and answers with `inputResponses`
 * (2026-07-28 basic/patterns/mrtr).
 * @module
 */
import type { Ask } from '../../core/call.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { RelayCall } from '../call.ts';

interface InputRequest {
  ask: Ask;
  respond(result: JsonObject): void;
}

export class InputRequests {
  readonly #call: RelayCall;
  readonly #suffix: () => string | number;
  readonly #open = new Map<string, InputRequest>();

  /** `suffix` makes keys of the same method different. */
  constructor(call: RelayCall, suffix: () => string | number) {
    this.#call = call;
    this.#suffix = suffix;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Resolves with the client's response. Rejects when the server withdraws the ask, or with the reason of an abort. */
  add(ask: Ask): Promise<JsonObject> {
    return new Promise((respond, reject) => {
      const key = `${ask.method.replace('/', '-')}-${this.#suffix()}`;
      const end = (reason: Error): void => {
        if (this.#open.delete(key)) reject(reason);
      };
      this.#open.set(key, { ask, respond });
      const withdrawn = (): void => end(new SwitchboardError('SWB_ASK_REFUSED', 'The question was withdrawn.'));
      ask.signal?.addEventListener('abort', withdrawn, { once: true });
      this.#call.onAbort(end);
    });
  }

  /** Takes the client's responses. Keys that are not open are ignored. */
  respond(responses: JsonObject): void {
    for (const [key, { respond }] of [...this.#open]) {
      const response = responses[key];
      if (!isObject(response)) continue;
      this.#open.delete(key);
      respond(response);
    }
  }

  /** As `inputRequests`. */
  list(paramsOf: (params: JsonObject) => JsonObject = (params) => params): JsonObject {
    const requests: JsonObject = {};
    for (const [key, { ask }] of this.#open) {
      const { method, params } = ask;
      requests[key] = params === undefined ? { method } : { method, params: paramsOf(params) };
    }
    return requests;
  }
}
