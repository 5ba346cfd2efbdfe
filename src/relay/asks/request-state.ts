/**
 * The sealed `requestState`, such as that of a suspended call: `swb1.<replica>.<claims>.<mac>`. It names the replica that
 * holds the call, cannot be made or changed by a client, and opens only for the principal and the request it was made for
 * (2026-07-28 basic/patterns/mrtr, server requirements 4 and 5).
 * @module
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { newReplicaId, type ReplicaId } from '../../state/replica.ts';
import { canonicalDigest } from '../../wire/json/digest.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';

/** The prefix of states of suspended calls. */
export const SUSPENDED = 'swb1.';

export interface StateClaims {
  /** The suspended call. */
  id: string;
  /** Each round has a state of its own: an older one is a replay. */
  round: number;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export interface StateBinding {
  principal: string;
  /** {@link digestRequest} of the request that was suspended. */
  digest: string;
}

/** Whether a `requestState` claims to be a suspended call's. */
export const isSealed = (state: unknown): state is string => typeof state === 'string' && state.startsWith(SUSPENDED);

export interface Sealing {
  /** All replicas of one state have the same, also after a restart: a valid state whose call has ended is known as such. */
  secret: Buffer;
  /** The replica that makes the states. */
  replica: ReplicaId;
}

/** For a relay without a shared secret: its states are valid in this process only. */
export const ownSealing = (): Sealing => ({ secret: randomBytes(32), replica: newReplicaId() });

/** `Claims`: what a state carries, in JSON. A client can read it. */
export class StateSeal<Claims> {
  readonly #secret: Buffer;
  readonly #replica: ReplicaId;
  readonly #prefix: string;

  /** `prefix` distinguishes kinds of states: one of a kind does not open as another. */
  constructor({ secret, replica }: Sealing, prefix: string) {
    this.#secret = secret;
    this.#replica = replica;
    this.#prefix = prefix;
  }

  seal(claims: Claims, binding: StateBinding): string {
    const text = Buffer.from(JSON.stringify(claims)).toString('base64url');
    const payload = `${this.#prefix}${this.#replica}.${text}`;
    return `${payload}.${this.#mac(payload, binding).toString('base64url')}`;
  }

  /** The claims, or `undefined` when no replica made the state for this binding. Expiry is the reader's to check. */
  open(state: string, binding: StateBinding): Claims | undefined {
    if (!state.startsWith(this.#prefix)) return undefined;
    const [replica, text, mac, ...rest] = state.slice(this.#prefix.length).split('.');
    if (text === undefined || mac === undefined || rest.length > 0) return undefined;
    const given = Buffer.from(mac, 'base64url');
    const expected = this.#mac(`${this.#prefix}${replica}.${text}`, binding);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Claims;
  }

  #mac(payload: string, binding: StateBinding): Buffer {
    return createHmac('sha256', this.#secret)
      .update(JSON.stringify([payload, binding.principal, binding.digest]))
      .digest();
  }
}

/**
 * Digests what makes two requests the same request: the view, the method, every parameter that a retry must repeat, and the
 * grant: a decision about one grant must not hold for another of the same principal.
 */
export function digestRequest(view: string, method: string, params: JsonObject | undefined, grant?: string): string {
  // A retry adds the first two, and its envelope is its own.
  const { inputResponses, requestState, _meta, ...rest } = params ?? {};
  return canonicalDigest([view, method, rest, grant ?? null]);
}
