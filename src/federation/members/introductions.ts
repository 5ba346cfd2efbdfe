/**
 * The first callers of servers that can be connected with a caller's credentials only (tokens made of callers' tokens): one that
 * asks for such a server brings them, and its request waits until the server is connected.
 * @module
 */
import { within } from '../../core/deadline.ts';
import type { Identity } from '../../core/identity.ts';
import type { Federation } from '../types.ts';
import type { ServerMember } from './member.ts';
import { whenState } from './when-connected.ts';

/** How long lists do not wait for a server that was not connected in time. */
const LATE_MS = 30_000;

export class Introductions {
  readonly #onStateChange: Federation['onStateChange'];
  readonly #listMs: number;
  readonly #awaiting = new Set<ServerMember>();
  readonly #lateUntil = new WeakMap<ServerMember, number>();

  /** `listMs`: how long a list waits at most. */
  constructor(onStateChange: Federation['onStateChange'], listMs: number) {
    this.#onStateChange = onStateChange;
    this.#listMs = listMs;
  }

  get pending(): boolean {
    return this.#awaiting.size > 0;
  }

  /** Call when the state of a server has changed, or it is gone. */
  note(member: ServerMember, isThere: boolean): void {
    if (isThere && member.awaitsCaller) this.#awaiting.add(member);
    else this.#awaiting.delete(member);
  }

  /** Undefined: nothing to wait for. With `mustReach` it rejects where this identity has no credentials for the server, with why. */
  introduce(
    counts: (member: ServerMember) => boolean,
    identity: Identity,
    mustReach: boolean,
  ): Promise<void> | undefined {
    const now = performance.now();
    const waiting = [...this.#awaiting].filter(
      (member) => counts(member) && (mustReach || now >= (this.#lateUntil.get(member) ?? 0)),
    );
    if (waiting.length === 0) return undefined;
    const introduced = Promise.all(waiting.map((member) => this.#introduce(member, identity)));
    const done = introduced.then(() => {});
    if (mustReach) return done;
    const late = (): void => {
      for (const member of waiting) this.#lateUntil.set(member, performance.now() + LATE_MS);
    };
    return within(done, this.#listMs, late).catch(() => {});
  }

  /** Resolves when an attempt to connect it has ended, or its time is over. */
  async #introduce(member: ServerMember, identity: Identity): Promise<void> {
    await member.introduce(identity);
    if (member.awaitsCaller) await whenState(member, this.#onStateChange, () => !member.awaitsCaller);
  }
}
