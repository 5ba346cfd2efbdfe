/**
 * Counts who holds how many of a bounded number of places, and says who may have another one. One principal's places never
 * cost another one its own.
 *
 * Rules: a principal holds its share at most. When all places are taken, a principal that holds fewer than the one with
 * most is admitted beyond them, by as many places in all as that one holds. So what a greedy principal holds is what
 * the others get back, and the number stays bounded: by twice `max`, and by one and a half times where a share is half.
 * @module
 */

import { type ErrorCode, SwitchboardError } from './errors.ts';
import type { Authenticator } from './identity.ts';

const RETRY_MS = 5_000;

/** Principals without a place whose count is kept: a place per call must not change the table. */
const MAX_IDLE = 10_000;

/**
 * How many of `max` places one principal may hold. A single user may hold all of them. One of several principals holds at
 * most half, so that none shuts the others out by itself; equal shares would be too small where most are idle.
 */
export const shareOf = ({ severalPrincipals }: Pick<Authenticator, 'severalPrincipals'>, max: number): number =>
  severalPrincipals === false ? max : Math.ceil(max / 2);

export class Shares {
  readonly max: number;
  readonly perPrincipal: number;
  readonly #held = new Map<string, { places: number }>();
  #taken = 0;

  constructor(max: number, perPrincipal: number) {
    this.max = max;
    this.perPrincipal = perPrincipal;
  }

  /** Places that are taken, by all principals. */
  get taken(): number {
    return this.#taken;
  }

  get isFull(): boolean {
    return this.#taken >= this.max;
  }

  heldBy(principal: string): number {
    return this.#held.get(principal)?.places ?? 0;
  }

  /** Who holds places, and how many. */
  holders(): [principal: string, places: number][] {
    return [...this.#held].flatMap(([principal, { places }]) => (places > 0 ? [[principal, places]] : []));
  }

  /** Whether the principal may have so many more places. */
  admits(principal: string, places = 1): boolean {
    const own = this.heldBy(principal) + places;
    if (own > this.perPrincipal) return false;
    if (this.#taken + places <= this.max) return true;
    let most = 0;
    for (const held of this.#held.values()) most = Math.max(most, held.places);
    return own < most && this.#taken + places - this.max <= most;
  }

  /** Takes places whether or not they are admitted. */
  take(principal: string, places = 1): void {
    this.#taken += places;
    const held = this.#held.get(principal);
    if (held) held.places += places;
    else {
      if (this.#held.size >= MAX_IDLE) this.#forgetIdle();
      this.#held.set(principal, { places });
    }
  }

  /** Takes places if they are admitted. */
  tryTake(principal: string, places = 1): boolean {
    if (!this.admits(principal, places)) return false;
    this.take(principal, places);
    return true;
  }

  give(principal: string, places = 1): void {
    this.take(principal, -places);
  }

  /** The error for a principal that is not admitted. `what` they are, as in "sessions in use". */
  refusal(code: ErrorCode, what: string, principal: string, places = 1): SwitchboardError {
    const own = this.heldBy(principal);
    const atShare = own + places > this.perPrincipal && this.perPrincipal < this.max;
    const who = atShare ? `This grant has ${own}` : `The gateway has ${this.max}`;
    return new SwitchboardError(code, `${who} ${what}. Try again later.`, { retryAfterMs: RETRY_MS });
  }

  #forgetIdle(): void {
    for (const [principal, { places }] of this.#held) if (places === 0) this.#held.delete(principal);
  }
}
