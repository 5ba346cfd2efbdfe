/**
 * Rounds: requests that a modern client sends again because the first one was answered `input_required`. They are part of a
 * call that was decided about, counted and perhaps approved. A round is recognised by the state that the server gave out,
 * for the same principal, request and rules, once.
 *
 * Without this every round would count and need approval again; and if any state were accepted, a client could make one up
 * to avoid its limits.
 * @module
 */
import { FairMap } from '../../core/fair-map.ts';
import { sha256 } from '../../core/hash.ts';

/** The request that a state belongs to. */
export interface RoundBinding {
  principal: string;
  /** Of everything that a round repeats. */
  digest: string;
}

/** In all, and of one principal: the principal with most gives way. */
const MAX_KEPT = 10_000;
const MAX_OF_ONE = 1_000;
const KEPT_MS = 15 * 60_000;

export class RoundTokens {
  /** When each expires, on the clock of `performance.now()`. */
  readonly #open = new FairMap<string, number>(MAX_KEPT, MAX_OF_ONE);

  /** How many rounds are expected, or have expired and made no room yet. */
  get size(): number {
    return this.#open.size;
  }

  /** A call was answered with this state: its next round is expected. */
  expect(binding: RoundBinding, state: unknown): void {
    this.#open.set(keyOf(binding, state), binding.principal, performance.now() + KEPT_MS);
  }

  /** Whether this is an expected round. Returns true once. */
  take(binding: RoundBinding, state: unknown): boolean {
    const key = keyOf(binding, state);
    const expiresAt = this.#open.get(key);
    this.#open.delete(key);
    return expiresAt !== undefined && expiresAt > performance.now();
  }

  /** Under new rules no call was decided about yet. */
  clear(): void {
    this.#open.clear();
  }
}

const keyOf = ({ principal, digest }: RoundBinding, state: unknown): string =>
  sha256(JSON.stringify([principal, digest, typeof state === 'string' ? state : null]));
