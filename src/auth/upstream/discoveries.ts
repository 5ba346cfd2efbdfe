/**
 * What authorization servers publish of themselves, for tokens that the gateway gets without a login: found once for all callers of a server, and again
 * after ten minutes, when the server's entry was changed or removed and added, when the authorization server does not work, or when the
 * server refuses the token.
 * @module
 */
import type { CredentialServer } from '../../core/credentials.ts';
import type { IdentityProvider } from '../../core/server-auth.ts';
import { type Authority, findAuthority } from './authority.ts';
import type { Fetch } from './guarded-fetch.ts';
import { type GrantEndpoint, grantEndpoint } from './identity-grant.ts';

const LASTS_MS = 10 * 60_000;
/** A refusal makes nothing be found again that is younger: callers can cause refusals. */
const SETTLED_MS = 10_000;
const MAX_FOUND = 1_000;

interface Found {
  /** What it was found by. */
  readonly by: string;
  /** The part of the server's configuration that names hosts to trust: another object after each change of its entry. */
  readonly of: object | undefined;
  readonly is: Promise<unknown>;
  /** By `performance.now()`. */
  readonly at: number;
}

export class Discoveries {
  /** By server, and whose it is of the two. */
  readonly #found = new Map<string, Found>();

  /** As {@link findAuthority}. */
  authorityOf(server: CredentialServer, resourceMetadata: string | undefined, fetch: Fetch): Promise<Authority> {
    const { name, url, auth } = server;
    const by = JSON.stringify([url, resourceMetadata]);
    return this.#once(name, auth, by, () => findAuthority(server, resourceMetadata, fetch));
  }

  /** As {@link grantEndpoint}. */
  grantEndpointOf(server: string, idp: IdentityProvider, fetch: Fetch): Promise<GrantEndpoint> {
    return this.#once(idpKey(server), idp, '', () => grantEndpoint(server, idp, fetch));
  }

  /** What was found for this server may be out of date. */
  doubt(server: string): void {
    for (const key of [server, idpKey(server)]) {
      const found = this.#found.get(key);
      if (found && performance.now() - found.at >= SETTLED_MS) this.#found.delete(key);
    }
  }

  #once<T>(key: string, of: object | undefined, by: string, find: () => Promise<T>): Promise<T> {
    const known = this.#found.get(key);
    if (known?.of === of && known?.by === by && performance.now() - known.at < LASTS_MS) return known.is as Promise<T>;
    const found: Found = { by, of, is: find(), at: performance.now() };
    this.#found.delete(key);
    const [oldest] = this.#found.keys();
    if (this.#found.size >= MAX_FOUND && oldest !== undefined) this.#found.delete(oldest);
    this.#found.set(key, found);
    // A failure is of those who wait for it.
    found.is.catch(() => {
      if (this.#found.get(key) === found) this.#found.delete(key);
    });
    return found.is as Promise<T>;
  }
}

/** No server's name holds a line break. */
const idpKey = (server: string): string => `${server}\nidp`;
