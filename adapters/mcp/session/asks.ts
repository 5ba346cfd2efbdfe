/**
 * Requests of legacy servers in the middle of a call: which client answers them, and what the server gets when none can be
 * asked. Source: 2025-11-25 client/elicitation, client/sampling and client/roots, "Error Handling".
 * @module
 */

import type { Ask, AskMethod, Call } from '../../../src/core/call.ts';
import { RPC, UpstreamError } from '../../../src/core/errors.ts';
import { Shares } from '../../../src/core/shares.ts';
import { isObject, type JsonObject, type RequestId, type RpcError } from '../../../src/wire/jsonrpc.ts';

/** More asks of one principal than this at one time on one session are refused: callers may share it. */
const MAX_ASKS_PER_PRINCIPAL = 64;

const MAX_ASKS = 1_024;

export type ClientResponse = { result: JsonObject } | { error: RpcError };

const ASK_METHODS: ReadonlySet<string> = new Set<AskMethod>([
  'elicitation/create',
  'sampling/createMessage',
  'roots/list',
  'tasks/get',
  'tasks/result',
  'tasks/list',
  'tasks/cancel',
]);

export const isAsk = (method: string): method is AskMethod => ASK_METHODS.has(method);

/** The server's answer when no client can be asked, in the form that each feature declines with. */
export function refusal(method: AskMethod): ClientResponse {
  switch (method) {
    case 'elicitation/create':
      return { result: { action: 'decline' } };
    case 'sampling/createMessage':
      return { error: { code: -1, message: 'User rejected sampling request' } };
    case 'roots/list':
      return {
        error: {
          code: RPC.methodNotFound,
          message: 'Roots not supported',
          data: { reason: 'Client does not have roots capability' },
        },
      };
    default:
      return { error: { code: RPC.methodNotFound, message: 'Tasks not supported' } };
  }
}

/** The answer where no single client is the server's request for: no call is in flight, or calls of several callers are. */
export const UNKNOWN_ASKER: ClientResponse = {
  error: {
    code: RPC.invalidRequest,
    message: 'This question cannot be put to a client: it belongs to no single client whose request is in progress.',
  },
};

/** The asks of one session that have no answer yet. */
export class OpenAsks {
  readonly #open = new Map<RequestId, { call: Call; controller: AbortController }>();
  readonly #shares = new Shares(MAX_ASKS, MAX_ASKS_PER_PRINCIPAL);

  /** Asks the client of a call. Never rejects: every failure is an answer to the server. */
  async put(id: RequestId, method: AskMethod, params: JsonObject | undefined, call: Call): Promise<ClientResponse> {
    const { principal } = call.caller;
    if (this.#open.has(id) || !this.#shares.tryTake(principal)) return refusal(method);
    const controller = new AbortController();
    this.#open.set(id, { call, controller });
    const ask: Ask = { method, signal: controller.signal };
    if (params) ask.params = params;
    try {
      const result = await call.ask(ask);
      return isObject(result) ? { result } : refusal(method);
    } catch (error) {
      // The client's own error is its answer and goes to the server.
      if (error instanceof UpstreamError) {
        const { rpcCode: code, message, data } = error;
        return { error: data === undefined ? { code, message } : { code, message, data } };
      }
      return refusal(method);
    } finally {
      this.#open.delete(id);
      this.#shares.give(principal);
    }
  }

  /** The server withdraws an ask (`notifications/cancelled`). */
  withdraw(id: unknown): void {
    const open = this.#open.get(id as RequestId);
    open?.controller.abort(new Error('The server withdrew its question.'));
  }

  /** A call is over: answers to its asks are of no use any more. */
  end(call: Call): void {
    for (const open of this.#open.values()) {
      if (open.call === call) open.controller.abort(new Error('The call that asked is over.'));
    }
  }

  get size(): number {
    return this.#open.size;
  }
}
