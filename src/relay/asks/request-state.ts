/**
 * The sealed `requestState` of a suspended call: `swb1.<replica>.<claims>.<mac>`. It names the replica that holds the call,
 * reveals nothing else, cannot be made or changed by a client, and opens only for the principal and the request it was made
 * for (2026-07-28 basic/patterns/mrtr, server requirements 4 and 5).
 * @module
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { newReplicaId, type ReplicaId } from '../../state/replica.ts';
import { canonicalDigest } from '../../wire/json/digest.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';

/** The prefix of states of suspended calls. */
const SUSPENDED = 'swb1.';

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

/** Whether a `requestState` claims to be a suspended call's. Others are a modern upstream's and pass through untouched. */
export const isSealed = (state: unknown): state is string => typeof state === 'string' && state.startsWith(SUSPENDED);

export interface Sealing {
  /** All replicas of one state have the same, also after a restart: a valid state whose call has ended is known as such. */
  secret: Buffer;
  /** The replica that makes the states. */
  replica: ReplicaId;
}

/** For a relay without a shared secret: its states are valid in this process only. */
export const ownSealing = (): Sealing => ({ secret: randomBytes(32), replica: newReplicaId() });

export class StateSeal {
  readonly #secret: Buffer;
  readonly #replica: ReplicaId;
  readonly #prefix: string;

  /** `prefix` distinguishes kinds of states. */
  constructor({ secret, replica }: Sealing, prefix: string = SUSPENDED) {
    this.#secret = secret;
    this.#replica = replica;
    this.#prefix = prefix;
  }

  seal(claims: StateClaims, binding: StateBinding): string {
    const text = Buffer.from(JSON.stringify([claims.id, claims.round, claims.expiresAt])).toString('base64url');
    const payload = `${this.#replica}.${text}`;
    return `${this.#prefix}${payload}.${this.#mac(payload, binding).toString('base64url')}`;
  }

  /** The claims, or `undefined` when no replica made the state for this binding. Expiry is the reader's to check. */
  open(state: string, binding: StateBinding): StateClaims | undefined {
    const [replica, text, mac, ...rest] = state.slice(this.#prefix.length).split('.');
    if (text === undefined || mac === undefined || rest.length > 0) return undefined;
    const payload = `${replica}.${text}`;
    const given = Buffer.from(mac, 'base64url');
    const expected = this.#mac(payload, binding);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    const [id, round, expiresAt] = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as [
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
 * Digests what makes two requests the same request: the view, the method, every parameter that a retry must repeat, and the
 * grant: a decision about one grant must not hold for another of the same principal.
 */
export function digestRequest(view: string, method: string, params: JsonObject | undefined, grant?: string): string {
  // A retry adds the first two, and its envelope is its own.
  const { inputResponses, requestState, _meta, ...rest } = params ?? {};
  return canonicalDigest([view, method, rest, grant ?? null]);
}
