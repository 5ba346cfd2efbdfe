/**
 * What the requests of each principal to a server carry at present, in memory: found once, then at hand. Bounded for each
 * server; what is forgotten is found again in the vault.
 * @module
 */
import type { DpopSession } from '@modelcontextprotocol/client';
import type { CredentialHeaders } from '../../core/credentials.ts';
import { renewAt, type Token } from './tokens.ts';
import type { StoredLogin } from './vault.ts';

export interface Held {
  /** The address it was found for. */
  readonly url: string;
  /** The same object as long as it is the same token; without a token those that are configured. */
  readonly headers: CredentialHeaders;
  /** Undefined: there is none, and the request goes without. */
  readonly token: Token | undefined;
  /** The login the token is of. Undefined for tokens that no person logged in for. */
  readonly login: StoredLogin | undefined;
  readonly dpop: DpopSession | undefined;
  /** From then on it is looked for again, in milliseconds since the epoch. */
  until: number;
}

const MAX_PER_SERVER = 10_000;
/** A login made elsewhere is seen after this long even if its message was lost. */
const NOTHING_MS = 30_000;

export class HeldTokens {
  readonly #servers = new Map<string, Map<string, Held>>();

  get(server: string, principal: string): Held | undefined {
    return this.#servers.get(server)?.get(principal);
  }

  set(server: string, principal: string, held: Held): void {
    let principals = this.#servers.get(server);
    if (!principals) {
      principals = new Map();
      this.#servers.set(server, principals);
    }
    principals.delete(principal);
    principals.set(principal, held);
    if (principals.size <= MAX_PER_SERVER) return;
    const [oldest] = principals.keys();
    if (oldest !== undefined) principals.delete(oldest);
  }

  delete(server: string, principal: string): void {
    this.#servers.get(server)?.delete(principal);
  }

  /** Those of a server with a token, the latest first. */
  withToken(server: string): Held[] {
    return [...(this.#servers.get(server)?.values() ?? [])].filter(({ token }) => token !== undefined).reverse();
  }
}

export const nothingHeld = (url: string, headers: CredentialHeaders): Held => ({
  ...{ url, headers, token: undefined, login: undefined, dpop: undefined },
  until: Date.now() + NOTHING_MS,
});

export function heldToken(
  url: string,
  configured: CredentialHeaders,
  token: Token,
  { login, dpop }: Pick<Held, 'login' | 'dpop'>,
): Held {
  return { url, headers: withToken(configured, token), token, login, dpop, until: renewAt(token) };
}

/** The configured headers with the token in place of any `Authorization`. */
function withToken(configured: CredentialHeaders, { tokenType, accessToken }: Token): CredentialHeaders {
  const others = Object.entries(configured).filter(([name]) => name.toLowerCase() !== 'authorization');
  return Object.freeze({ ...Object.fromEntries(others), Authorization: `${tokenType} ${accessToken}` });
}
