/**
 * Login of operators at an OIDC provider, for the pages: authorization code with PKCE by the bridge's client
 * (`bridge/oidc-login.ts`).
 *
 * A login under way is kept in the cookie of the browser that began it, encrypted, and nowhere else: nothing that strangers begin
 * takes room here, any replica finishes it, and no other browser can. Its state is accepted once.
 * @module
 */
import { EncryptJWT, jwtDecrypt } from 'jose';
import type { NetworkGuard } from '../../core/adapter.ts';
import { within } from '../../core/deadline.ts';
import { sha256 } from '../../core/hash.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { tokenCheck } from '../bearer.ts';
import { boundedFetch } from '../bridge/fetch.ts';
import { LoginRefused, oidcClient, type PendingLogin } from '../bridge/oidc-login.ts';
import type { BridgeStore } from '../bridge/store.ts';
import { principalOf } from '../tokens/claims.ts';
import type { Operator } from './operator.ts';
import { missingClaims, nameOf, type RoleRules, roleOf } from './roles.ts';

export interface OperatorLoginOptions extends RoleRules {
  issuer: string;
  clientId: string;
  clientSecret?: string | undefined;
  scopes: readonly string[];
  /** Where browsers reach the gateway, without a slash at the end. */
  publicUrl: string;
  /** Who logs out is offered to log out at the provider, too. */
  providerLogout: boolean;
  /** 32 bytes that all replicas have. */
  secret: Buffer;
  store: Pick<BridgeStore, 'setIfAbsent'>;
  /** For addresses that the provider's metadata name on other hosts. */
  guard(): NetworkGuard;
}

export interface OperatorLogin {
  /** The host of the provider. */
  readonly at: string;
  /** The pages, where logins begin and end. */
  readonly pages: URL;
  /** Tells this configuration from others: what was opened under one is nothing under another. */
  readonly version: string;
  begin(): Promise<{ url: string; sealed: string }>;
  /** The person is back with this query, in a browser with this cookie. Rejects only for what is not about the login. */
  finish(sealed: string | undefined, query: URLSearchParams): Promise<FinishedLogin>;
  /** Where the person logs out at the provider, too; undefined where that is not offered, or the provider does not answer. */
  endSession(): Promise<string | undefined>;
}

export type FinishedLogin =
  | { readonly operator: Operator }
  /** Not logged in: why, for the person. `cause`: for the log. `begun`: this browser has begun a login here. */
  | { readonly refusal: string; readonly cause?: unknown; readonly begun: boolean }
  /** Logged in at the provider as this person, whom no rule fits. */
  | { readonly stranger: Omit<Operator, 'mayChange'>; readonly missing: readonly string[] };

export const CALLBACK = '/admin/login/callback';

/** From the button until the person is back. */
const LASTS_MS = 15 * 60_000;
/** How long a log-out waits for the provider's metadata. */
const END_SESSION_MS = 2_000;
/** Asked of the provider at one time; each takes seconds at most. */
const MAX_FINISHING = 16;
/** States that were redeemed in this process; of older ones only what the state of the gateway remembers. */
const MAX_REDEEMED = 10_000;

const OVER = 'This login is over, or was begun in another browser.';

export function operatorLogin(options: OperatorLoginOptions): OperatorLogin {
  const { issuer, clientId, clientSecret, scopes, publicUrl, secret, store, guard, admins, viewers } = options;
  const pages = new URL(`${publicUrl}/admin/`);
  const rules = { admins, viewers };
  const client = oidcClient(
    { issuer, clientId, clientSecret, scopes },
    publicUrl + CALLBACK,
    boundedFetch({ guard, configured: issuer }),
  );
  const seal = sealOf(secret, `${issuer} ${clientId}`);
  let finishing = 0;
  const redeemed = new Set<string>();

  /** Once for each login, so that one that was begun asks the provider for tokens once, whatever codes come back with it. */
  function redeems(state: string): boolean {
    const key = sha256(state);
    if (redeemed.has(key)) return false;
    redeemed.add(key);
    const oldest = redeemed.values().next().value;
    if (redeemed.size > MAX_REDEEMED && oldest !== undefined) redeemed.delete(oldest);
    return true;
  }

  async function finish(pending: PendingLogin, query: URLSearchParams): Promise<FinishedLogin> {
    const claims = await client.finish(pending, {
      code: only(query, 'code'),
      iss: only(query, 'iss'),
      error: query.get('error') ?? undefined,
    });
    // Only a login that the provider vouches for is remembered, so that nothing else can fill the state.
    if (!(await store.setIfAbsent('admin-logins-used', sha256(pending.state), true, LASTS_MS)))
      return { refusal: OVER, begun: true };
    return personOf(claims as JsonObject);
  }

  function personOf(claims: JsonObject): FinishedLogin {
    const { sub } = claims;
    const principal = typeof sub === 'string' && sub !== '' ? principalOf(issuer, claims) : undefined;
    if (principal === undefined) return { refusal: 'Your login provider does not say who you are.', begun: true };
    const person = { principal, name: nameOf(claims) };
    const role = roleOf(claims, rules);
    if (role === undefined) return { stranger: person, missing: missingClaims(claims, rules) };
    return { operator: { ...person, mayChange: role === 'admin' } };
  }

  return {
    at: new URL(issuer).host,
    pages,
    version: sha256(JSON.stringify([issuer, clientId, rules])),

    async begin() {
      const { url, pending } = await client.begin();
      return { url: url.href, sealed: await seal.close(pending) };
    },

    async finish(sealed, query) {
      // What asks the provider nothing takes no place of a person.
      const pending = sealed === undefined ? undefined : await seal.open(sealed);
      if (!pending) return { refusal: OVER, begun: false };
      const state = only(query, 'state');
      if (state === undefined || !tokenCheck(pending.state)(state)) return { refusal: OVER, begun: true };
      if (finishing >= MAX_FINISHING)
        return { refusal: 'Too many people log in at this moment. Try again.', begun: true };
      if (!redeems(pending.state)) return { refusal: OVER, begun: true };
      finishing++;
      try {
        return await finish(pending, query);
      } catch (error) {
        if (!(error instanceof LoginRefused)) throw error;
        return { refusal: error.message, cause: error.cause, begun: true };
      } finally {
        finishing--;
      }
    },

    async endSession() {
      if (!options.providerLogout) return undefined;
      const found = client.endSession(pages.href).catch(() => undefined);
      return (await within(found, END_SESSION_MS, () => undefined))?.href;
    },
  };
}

/** A parameter that is there once: of two, another reader might take the other one. */
function only(query: URLSearchParams, name: string): string | undefined {
  const [value, ...more] = query.getAll(name);
  return more.length === 0 ? value : undefined;
}

const METHODS = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] };

/** `audience`: what it is sealed for; it opens nowhere else. */
function sealOf(key: Buffer, audience: string) {
  return {
    close: ({ state, nonce, verifier }: PendingLogin): Promise<string> =>
      new EncryptJWT({ state, nonce, verifier })
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .setAudience(audience)
        .setExpirationTime(Math.ceil((Date.now() + LASTS_MS) / 1_000))
        .encrypt(key),

    async open(sealed: string): Promise<PendingLogin | undefined> {
      try {
        const { payload } = await jwtDecrypt(sealed, key, { ...METHODS, audience, requiredClaims: ['exp'] });
        const { state, nonce, verifier } = payload;
        return { state: String(state), nonce: String(nonce), verifier: String(verifier) };
      } catch {
        return undefined;
      }
    },
  };
}
