/**
 * Requests of legacy servers in the middle of a call: which client answers them, and what the server gets when none can be
 * asked. Source: 2025-11-25 client/elicitation, client/sampling and client/roots, "Error Handling".
 * @module
 */

import type { Ask, AskMethod, Call } from '../../../src/core/call.ts';
import { RPC, SwitchboardError, UpstreamError } from '../../../src/core/errors.ts';
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

/**
 * The server's answer where no person could be asked. It must not say that one declined. `unsupported`: the
 * client did not declare what it takes.
 */
export function refusal(method: AskMethod, why: string, unsupported = false): ClientResponse {
  if (unsupported) return { error: { code: RPC.methodNotFound, message: why } };
  if (method === 'elicitation/create') return { result: { action: 'cancel' } };
  return { error: { code: RPC.invalidRequest, message: why } };
}

const TOO_MANY = 'The client has too many questions to answer already.';
const NO_ANSWER = 'The client gave no answer.';

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

  /**
   * Asks the client of a call. `isOwn`: the session is the client's alone and declares what the client did; a server that asks all
   * the same gets what such clients answer. One that callers share could not know. Never rejects: every failure is an answer to the server. */
  async put(
    id: RequestId,
    method: AskMethod,
    params: JsonObject | undefined,
    call: Call,
    isOwn: boolean,
  ): Promise<ClientResponse> {
    const { principal } = call.caller;
    if (this.#open.has(id) || !this.#shares.tryTake(principal)) return refusal(method, TOO_MANY);
    const controller = new AbortController();
    this.#open.set(id, { call, controller });
    const ask: Ask = { method, signal: controller.signal };
    if (params) ask.params = params;
    try {
      const result = await call.ask(ask);
      return isObject(result) ? { result } : refusal(method, NO_ANSWER);
    } catch (error) {
      // The client's own error is its answer and goes to the server.
      if (error instanceof UpstreamError) {
        const { rpcCode: code, message, data } = error;
        return { error: data === undefined ? { code, message } : { code, message, data } };
      }
      if (!(error instanceof SwitchboardError)) return refusal(method, NO_ANSWER);
      const isUnsupported = error.data.unsupported === true;
      return refusal(method, isUnsupported && isOwn ? 'Method not found' : error.message, isUnsupported);
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
