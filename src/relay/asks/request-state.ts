/**
 * The sealed `requestState` of a parked call. It tells nothing, cannot be made or changed by a client, and opens only
 * for the principal, the request, the round and the gateway process it was made for, before it expires
 * (2026-07-28 basic/patterns/mrtr, server requirements 4 and 5).
 * @module
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { canonicalDigest } from '../../wire/json/digest.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';

/** Of states of parked calls. */
const PARKED = 'swb1.';

export interface StateClaims {
  /** The parked call. */
  id: string;
  /** Each round has a state of its own: an older one is a replay. */
  round: number;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export interface StateBinding {
  principal: string;
  /** {@link digestRequest} of the request that was parked. */
  digest: string;
}

/**
 * Whether a `requestState` claims to be a parked call's. Others belong to a modern upstream and pass through untouched.
 */
export const isSealed = (state: unknown): state is string => typeof state === 'string' && state.startsWith(PARKED);

export class StateSeal {
  readonly #secret = randomBytes(32);
  readonly #prefix: string;

  /** `prefix` tells states of one kind from those of another. */
  constructor(prefix: string = PARKED) {
    this.#prefix = prefix;
  }

  seal(claims: StateClaims, binding: StateBinding): string {
    const payload = Buffer.from(JSON.stringify([claims.id, claims.round, claims.expiresAt])).toString('base64url');
    return `${this.#prefix}${payload}.${this.#mac(payload, binding).toString('base64url')}`;
  }

  /** The claims, or `undefined` when the state was not made here for this binding. Expiry is the reader's to check. */
  open(state: string, binding: StateBinding): StateClaims | undefined {
    const [payload, mac, ...rest] = state.slice(this.#prefix.length).split('.');
    if (payload === undefined || mac === undefined || rest.length > 0) return undefined;
    const given = Buffer.from(mac, 'base64url');
    const expected = this.#mac(payload, binding);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    const [id, round, expiresAt] = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as [
      string,
      number,
      number,
    ];
    return { id, round, expiresAt };
  }

  #mac(payload: string, binding: StateBinding): Buffer {
    return createHmac('sha256', this.#secret)
      .update(JSON.stringify([payload, binding.principal, binding.digest]))
      .digest();
  }
}

/**
 * What makes two requests the same request: the view, the method, every parameter that a retry must repeat, and the grant
 * it came under: what one grant was allowed must not go on under another, though the principal be the same.
 */
export function digestRequest(view: string, method: string, params: JsonObject | undefined, grant?: string): string {
  // A retry adds the first two, and its envelope is its own.
  const { inputResponses, requestState, _meta, ...rest } = params ?? {};
  return canonicalDigest([view, method, rest, grant ?? null]);
}
