/**
 * Requests that a modern client sends again because its first one was answered with questions of the server's
 * (`input_required`): part of a call that was let in, counted and perhaps approved already. They are known by the state
 * the server gave out, for the same principal and the same request, once.
 *
 * Without it every round of a call would count and ask for approval again; and were any state taken for one of these, a
 * client could make one up and pass by its limits.
 * @module
 */
import { createHash } from 'node:crypto';
import type { StateBinding } from '../asks/request-state.ts';

const MAX_KEPT = 10_000;
const KEPT_MS = 15 * 60_000;

export class Continuations {
  /** Key → when it expires, on the clock of `performance.now()`. Oldest first. */
  readonly #open = new Map<string, number>();

  /** A call was answered with this state: its next round is known. */
  expect(binding: StateBinding, state: unknown): void {
    const now = performance.now();
    for (const [key, expiresAt] of this.#open) {
      if (expiresAt > now && this.#open.size < MAX_KEPT) break;
      this.#open.delete(key);
    }
    const key = keyOf(binding, state);
    this.#open.delete(key);
    this.#open.set(key, now + KEPT_MS);
  }

  /** Whether this is such a round. It is one only once. */
  take(binding: StateBinding, state: unknown): boolean {
    const key = keyOf(binding, state);
    const expiresAt = this.#open.get(key);
    this.#open.delete(key);
    return expiresAt !== undefined && expiresAt > performance.now();
  }
}

const keyOf = ({ principal, digest }: StateBinding, state: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify([principal, digest, typeof state === 'string' ? state : null]))
    .digest('base64url');
