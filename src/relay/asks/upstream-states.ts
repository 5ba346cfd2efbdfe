/**
 * Modern client, modern upstream: the `requestState` of the server's `input_required` is sealed on its way to the client, so
 * that the responses come from the principal that was asked, for the same request. The server gets its exact state back.
 * Nothing is kept: any replica with the secret opens it. Source: 2026-07-28 basic/patterns/mrtr, server requirements 4, 5.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import { editMembers } from '../../wire/json/splice.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { type Sealing, type StateBinding, StateSeal } from './request-state.ts';

const PREFIX = 'swbm1.';

export type InterimReply = Extract<Reply, { inputRequired: JsonObject }>;

export class UpstreamStates {
  /** The claims are the server's state itself. */
  readonly #seal: StateSeal<unknown>;

  constructor(sealing: Sealing) {
    this.#seal = new StateSeal(sealing, PREFIX);
  }

  /** The reply with its state sealed; every other byte is the server's. */
  seal(reply: InterimReply, binding: StateBinding): InterimReply {
    const { inputRequired, raw } = reply;
    if (inputRequired.requestState === undefined) return reply;
    const requestState = this.#seal.seal(inputRequired.requestState, binding);
    const sealed = { ...inputRequired, requestState };
    if (!raw) return { inputRequired: sealed };
    return { inputRequired: sealed, raw: editMembers(raw, { requestState: JSON.stringify(requestState) }) };
  }

  /** Puts the server's own state into the params of a retry. Throws -32602 for a state that was not sealed for this request. */
  open(params: JsonObject, binding: StateBinding): void {
    const { requestState } = params;
    const state = typeof requestState === 'string' ? this.#seal.open(requestState, binding) : undefined;
    if (state === undefined) {
      throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.requestState is not valid for this request.');
    }
    params.requestState = state;
  }
}
