/**
 * Requests that a modern client sends again because its first one was answered with questions of the server's
 * (`input_required`): part of a call that was let in, counted and perhaps approved already. They are known by the state
 * the server gave out, for the same principal, the same request and the same rules, once.
 *
 * Without it every round of a call would count and ask for approval again; and were any state taken for one of these, a
 * client could make one up and pass by its limits.
 * @module
 */
import { sha256 } from '../../core/hash.ts';
import type { StateBinding } from '../asks/request-state.ts';

/** Of everybody, and of one principal: who has many gives way to who has few. */
const MAX_KEPT = 10_000;
const MAX_OF_ONE = 1_000;
const KEPT_MS = 15 * 60_000;

/** Key → when it expires, on the clock of `performance.now()`. Oldest first. */
type Open = Map<string, number>;

export class RoundTokens {
  readonly #open = new Map<string, Open>();
  #size = 0;

  /** Rounds that are waited for. */
  get size(): number {
    return this.#size;
  }

  /** A call was answered with this state: its next round is known. */
  expect(binding: StateBinding, state: unknown): void {
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

  /** Whether this is such a round. It is one only once. */
  take(binding: StateBinding, state: unknown): boolean {
    const own = this.#open.get(binding.principal);
    const key = keyOf(binding, state);
    const expiresAt = own?.get(key);
    if (own) this.#delete(binding.principal, own, key);
    return expiresAt !== undefined && expiresAt > performance.now();
  }

  /** Under other rules nothing has been let in yet. */
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

const keyOf = ({ principal, digest }: StateBinding, state: unknown): string =>
  sha256(JSON.stringify([principal, digest, typeof state === 'string' ? state : null]));
