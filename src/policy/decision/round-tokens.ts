/**
 * Rounds: requests that a modern client sends again because the first one was answered `input_required`. They are part of a
 * call that was decided about, counted and perhaps approved. A round is recognised by the state that the server gave out,
 * for the same principal, request and rules, once.
 *
 * Without this every round would count and need approval again; and if any state were accepted, a client could make one up
 * to avoid its limits.
 * @module
 */
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

/** Key → when it expires, on the clock of `performance.now()`. Oldest first. */
type Open = Map<string, number>;

export class RoundTokens {
  readonly #open = new Map<string, Open>();
  #size = 0;

  /** How many rounds are expected. */
  get size(): number {
    return this.#size;
  }

  /** A call was answered with this state: its next round is expected. */
  expect(binding: RoundBinding, state: unknown): void {
    const now = performance.now();
    const own = this.#open.get(binding.principal) ?? new Map<string, number>();
    this.#open.set(binding.principal, own);
    for (const [key, expiresAt] of own) {
      if (expiresAt > now && own.size < MAX_OF_ONE) break;
      this.#delete(binding.principal, own, key);
    }
    if (this.#size >= MAX_KEPT) this.#makeRoom();
    const key = keyOf(binding, state);
    this.#delete(binding.principal, own, key);
    own.set(key, now + KEPT_MS);
    this.#open.set(binding.principal, own);
    this.#size++;
  }

  /** Whether this is an expected round. Returns true once. */
  take(binding: RoundBinding, state: unknown): boolean {
    const own = this.#open.get(binding.principal);
    const key = keyOf(binding, state);
    const expiresAt = own?.get(key);
    if (own) this.#delete(binding.principal, own, key);
    return expiresAt !== undefined && expiresAt > performance.now();
  }

  /** Under new rules no call was decided about yet. */
  clear(): void {
    this.#open.clear();
    this.#size = 0;
  }

  #delete(principal: string, own: Open, key: string): void {
    if (own.delete(key)) this.#size--;
    if (own.size === 0) this.#open.delete(principal);
  }

  #makeRoom(): void {
    const [principal, most] = [...this.#open].reduce((a, b) => (b[1].size > a[1].size ? b : a));
    const [oldest] = most.keys();
    if (oldest !== undefined) this.#delete(principal, most, oldest);
  }
}

const keyOf = ({ principal, digest }: RoundBinding, state: unknown): string =>
  sha256(JSON.stringify([principal, digest, typeof state === 'string' ? state : null]));
