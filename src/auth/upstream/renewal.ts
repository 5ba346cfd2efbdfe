/**
 * Renewing a login with its refresh token: once at a time for each login, in this process and among replicas, because many
 * issuers take a refresh token that comes twice for a theft.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuthorizationServerMetadata, OAuthClientInformation } from '@modelcontextprotocol/client';
import type { CredentialServer } from '../../core/credentials.ts';
import type { ServerAuth } from '../../core/server-auth.ts';
import { clientAssertion } from './client-authentication.ts';
import { bindingOf, dpopSessionOf } from './dpop.ts';
import { keptButUnavailable, oauthErrorOf } from './failures.ts';
import type { Fetch } from './guarded-fetch.ts';
import { LEASE_MS, Leases } from './leases.ts';
import { sdk } from './sdk.ts';
import type { Storage } from './storage.ts';
import { readToken } from './tokens.ts';
import type { StoredLogin, Vault } from './vault.ts';

/** The login as it is now, or `over`: a person has to log in again. */
export type Renewed = StoredLogin | 'over';

const POLL_MS = 100;

/** With these an issuer says that the refresh token, or the client it was given to, is not valid any more. */
const OVER: ReadonlySet<string> = new Set(['invalid_grant', 'invalid_client', 'unauthorized_client']);

export class Renewal {
  readonly #vault: Vault;
  readonly #leases: Leases;
  readonly #under = new Map<string, Promise<Renewed>>();

  constructor(vault: Vault, kv: Storage) {
    this.#vault = vault;
    this.#leases = new Leases(kv);
  }

  /**
   * Renews this login, unless that has happened already. Rejects with `SWB_UPSTREAM_UNAVAILABLE` when the issuer does not
   * work: the login is then kept.
   */
  renew(login: StoredLogin, server: Pick<CredentialServer, 'auth'>, fetch: Fetch): Promise<Renewed> {
    const key = `${login.server}\n${login.principal}`;
    let under = this.#under.get(key);
    if (!under) {
      under = this.#renewOnce(login, server.auth, fetch).finally(() => this.#under.delete(key));
      this.#under.set(key, under);
    }
    return under;
  }

  async #renewOnce(login: StoredLogin, auth: ServerAuth | undefined, fetch: Fetch): Promise<Renewed> {
    const { principal, server } = login;
    const until = Date.now() + LEASE_MS;
    for (;;) {
      // Another replica may hold it: what that one stores is taken.
      const release = await this.#leases.take(server, principal);
      try {
        const now = await this.#vault.login(principal, server);
        if (!isSame(now, login)) return now ?? 'over';
        if (release) return await this.#refresh(login, auth, fetch);
      } finally {
        await release?.();
      }
      if (Date.now() > until) throw keptButUnavailable(server, undefined);
      await sleep(POLL_MS);
    }
  }

  async #refresh(login: StoredLogin, auth: ServerAuth | undefined, fetch: Fetch): Promise<Renewed> {
    const { principal, server, issuer, resource, client, refreshToken, dpopKey } = login;
    if (refreshToken === undefined) return this.#over(login);
    const metadata = login.metadata.issuer === undefined ? undefined : (login.metadata as AuthorizationServerMetadata);
    try {
      const oauth = await sdk();
      const assertion = clientAssertion(oauth, auth);
      const dpop = dpopKey && (await dpopSessionOf(dpopKey));
      const tokens = await oauth.refreshAuthorization(issuer, {
        ...(metadata ? { metadata } : {}),
        clientInformation: client as OAuthClientInformation,
        refreshToken,
        ...(resource === undefined ? {} : { resource }),
        ...(assertion ? { addClientAuthentication: assertion } : {}),
        ...(dpop ? { dpop } : {}),
        fetchFn: fetch,
      });
      const token = readToken(tokens, server, login.scopes.join(' '), bindingOf(auth, dpop));
      const renewed: StoredLogin = { ...login, ...token };
      // Revoked while the issuer was asked, or logged in to anew: it stays so.
      const now = await this.#vault.login(principal, server);
      if (!isSame(now, login)) return now ?? 'over';
      await this.#vault.keep(renewed);
      return renewed;
    } catch (error) {
      const code = oauthErrorOf(error);
      if (code === undefined || !OVER.has(code)) throw keptButUnavailable(server, error);
      const now = await this.#vault.login(principal, server);
      if (!isSame(now, login)) return now ?? 'over';
      if (code !== 'invalid_grant') await this.#forgetClient(login);
      return this.#over(login);
    }
  }

  async #over({ principal, server }: StoredLogin): Promise<'over'> {
    await this.#vault.forget(principal, server);
    return 'over';
  }

  /** A registration that the issuer does not know any more is made again with the next login. */
  async #forgetClient({ issuer, redirectUri }: StoredLogin): Promise<void> {
    await this.#vault.forgetClient(issuer, redirectUri);
  }
}

/** Whether what the vault has now is still the login that was to be renewed. */
const isSame = (now: StoredLogin | undefined, login: StoredLogin): boolean => now?.accessToken === login.accessToken;
