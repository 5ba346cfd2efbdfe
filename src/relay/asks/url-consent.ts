/**
 * Error -32042 for modern clients: a server of 2025-11-25 refuses a request until a person has opened the pages in the
 * error. Later revisions have no such error, so a modern client is asked to open them in a round (`input_required`), and its
 * retry repeats the request, which the server never began. A legacy client receives the error unchanged.
 * Source: 2025-11-25 client/elicitation, "URL Elicitation Required Error"; 2026-07-28 basic/patterns/mrtr.
 * @module
 */
import { RPC, SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { CallResult } from '../types.ts';
import { declares, requiredFor } from './capabilities.ts';
import { type Sealing, type StateBinding, type StateClaims, StateSeal } from './request-state.ts';

const PREFIX = 'swbu1.';

/** Errors with more pages are passed on as errors. */
const MAX_PAGES = 32;

/** How long a person may take. Nothing is held meanwhile: only the seal expires. */
const TTL_MS = 60 * 60_000;

export class UrlConsent {
  readonly #seal: StateSeal<StateClaims>;

  constructor(sealing: Sealing) {
    this.#seal = new StateSeal(sealing, PREFIX);
  }

  /**
   * Takes the responses of such a round out of a retry, which then is the request again. Throws -32602 for a state of
   * another request, and `SWB_ASK_REFUSED` when the person did not agree.
   */
  admit(params: JsonObject, bind: () => StateBinding): void {
    const { requestState: state, inputResponses } = params;
    if (typeof state !== 'string' || !state.startsWith(PREFIX)) return;
    const claims = this.#seal.open(state, bind());
    if (!claims || Date.now() > claims.expiresAt) {
      throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.requestState is not valid for this request.');
    }
    const responses = isObject(inputResponses) ? Object.values(inputResponses) : [];
    if (responses.some((response) => isObject(response) && response.action !== 'accept')) {
      throw new SwitchboardError('SWB_ASK_REFUSED', 'The server needs a page to be opened first, which was declined.');
    }
    delete params.requestState;
    delete params.inputResponses;
  }

  /** The round that an error needs. Throws the error when it needs none, `SWB_MISSING_CLIENT_CAPABILITY` without the capability. */
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
