/**
 * A server of 2025-11-25 may refuse a request until a person has opened a page: error -32042, with the pages. Later
 * revisions have no such error. A modern client is asked to open them as in any other round (`input_required`), and its
 * retry repeats the request, which the server never began; a legacy client gets the error as it is.
 * Source: 2025-11-25 client/elicitation, "URL Elicitation Required Error"; 2026-07-28 basic/patterns/mrtr.
 * @module
 */
import { RPC, SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { CallResult } from '../types.ts';
import { declares, requiredFor } from './capabilities.ts';
import { type Sealing, type StateBinding, StateSeal } from './request-state.ts';

const PREFIX = 'swbu1.';

/** More pages than these are not put to a person. */
const MAX_PAGES = 32;

/** How long a person may take. The request is not held meanwhile: only the seal is dated. */
const TTL_MS = 60 * 60_000;

export class UrlConsent {
  readonly #seal: StateSeal;

  constructor(sealing: Sealing) {
    this.#seal = new StateSeal(sealing, PREFIX);
  }

  /**
   * Takes the answers of such a round out of a retry, which then is the request again. Throws -32602 for a state that is
   * not of this request, and `SWB_ASK_REFUSED` when the person did not agree.
   */
  admit(params: JsonObject, bind: () => StateBinding): void {
    const { requestState: state, inputResponses } = params;
    if (typeof state !== 'string' || !state.startsWith(PREFIX)) return;
    const claims = this.#seal.open(state, bind());
    if (!claims || Date.now() > claims.expiresAt) {
      throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.requestState is not valid for this request.');
    }
    const answers = isObject(inputResponses) ? Object.values(inputResponses) : [];
    if (answers.some((answer) => isObject(answer) && answer.action !== 'accept')) {
      throw new SwitchboardError('SWB_ASK_REFUSED', 'The server needs a page to be opened first, which was declined.');
    }
    delete params.requestState;
    delete params.inputResponses;
  }

  /** The round of an error that asks for one; throws the error when it does not, or when this client cannot. */
  ask(error: unknown, capabilities: JsonObject, bind: () => StateBinding): CallResult {
    const pages = pagesOf(error);
    if (!pages) throw error;
    const ask = { method: 'elicitation/create', params: { mode: 'url' } } as const;
    if (!declares(capabilities, ask)) {
      throw new SwitchboardError(
        'SWB_MISSING_CLIENT_CAPABILITY',
        'This needs a client that can have a person open a page.',
        { data: { requiredCapabilities: requiredFor(ask) }, cause: error },
      );
    }
    const inputRequests: JsonObject = {};
    for (const [i, params] of pages.entries()) {
      inputRequests[`elicitation-create-${i + 1}`] = {
        method: 'elicitation/create',
        params: { ...params, mode: 'url' },
      };
    }
    const requestState = this.#seal.seal({ id: '', round: 0, expiresAt: Date.now() + TTL_MS }, bind());
    return { value: { resultType: 'input_required', inputRequests, requestState } };
  }
}

function pagesOf(error: unknown): JsonObject[] | undefined {
  if (!(error instanceof UpstreamError) || error.rpcCode !== RPC.urlElicitationRequired) return undefined;
  const listed = isObject(error.data) ? error.data.elicitations : undefined;
  if (!Array.isArray(listed) || listed.length === 0 || listed.length > MAX_PAGES) return undefined;
  return listed.every((page) => isObject(page) && typeof page.url === 'string') ? (listed as JsonObject[]) : undefined;
}
