/**
 * The logins that servers asked principals for when they refused a request: kept until the principal has logged in, bounded in number.
 * @module
 */
import type { Challenge } from './challenge.ts';
import type { Asked } from './code-flow.ts';
import type { LoginNeeded, LoginReason } from './types.ts';

const MAX_NEEDS = 10_000;

export interface Need extends Asked {
  readonly reason: LoginReason;
}

export class Needs {
  /** By server and principal, and by server alone: what was asked for last. */
  readonly #needs = new Map<string, Need>();

  /** The login a principal was last asked for; without a principal, the one the server asked any caller for. */
  of(server: string, principal?: string): (Asked & LoginNeeded) | undefined {
    const need = this.#needs.get(keyOf(server, principal)) ?? this.#needs.get(keyOf(server, undefined));
    return need && { ...need, server };
  }

  /** Returns what is asked for now: without a challenge what was. `principal`: undefined for any caller. */
  note(
    server: string,
    principal: string | undefined,
    reason: LoginReason,
    challenge: Challenge | undefined,
  ): Need | undefined {
    const key = keyOf(server, principal);
    if (!challenge) return this.#needs.get(key);
    const { scopes, resourceMetadata, dpop, acrValues, maxAge } = challenge;
    const need = { reason, scopes, resourceMetadata, dpop, acrValues, maxAge };
    this.#needs.delete(key);
    this.#needs.set(key, need);
    if (this.#needs.size > MAX_NEEDS) {
      const [oldest] = this.#needs.keys();
      if (oldest !== undefined) this.#needs.delete(oldest);
    }
    return need;
  }

  /** The principal has logged in. */
  met(server: string, principal: string): void {
    this.#needs.delete(keyOf(server, principal));
  }
}

/** No server's name and no principal holds a line break. */
const keyOf = (server: string, principal: string | undefined): string =>
  principal === undefined ? server : `${server}\n${principal}`;
