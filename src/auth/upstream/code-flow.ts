/**
 * Authorization code with PKCE: what is asked of a person's browser, and what is made of what it brings back. Between the two,
 * everything stands encrypted in the state, so any replica can end what another began.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { AuthorizationServerMetadata, OAuthClientInformation } from '@modelcontextprotocol/client';
import type { CredentialServer } from '../../core/credentials.ts';
import type { ServerAuth } from '../../core/server-auth.ts';
import { type Authority, findAuthority, keptMetadata } from './authority.ts';
import { clientAssertion } from './client-authentication.ts';
import { clientFor } from './clients.ts';
import { bindingOf, dpopKeyFor, dpopSessionOf } from './dpop.ts';
import { flowFailure, loginFailed } from './failures.ts';
import type { Fetch } from './guarded-fetch.ts';
import { sdk } from './sdk.ts';
import { readToken } from './tokens.ts';
import type { BegunLogin, CallbackParams } from './types.ts';
import type { StoredClient, StoredLogin, Vault } from './vault.ts';

/** What the server last asked for, of this principal. */
export interface Asked {
  readonly scopes: readonly string[];
  readonly resourceMetadata?: string | undefined;
  readonly dpop?: boolean;
  /** RFC 9470: how the person has to have logged in. */
  readonly acrValues?: string | undefined;
  readonly maxAge?: string | undefined;
}

/** A login under way, as it is kept. */
export interface PendingLogin {
  readonly principal: string;
  readonly grant: string | undefined;
  readonly server: string;
  readonly url: string;
  readonly issuer: string;
  readonly metadata: Record<string, unknown>;
  readonly resource: string | undefined;
  readonly scope: string | undefined;
  readonly client: StoredClient;
  readonly redirectUri: string;
  readonly codeVerifier: string;
  readonly dpopKey: Record<string, unknown> | undefined;
}

export interface CodeRequest {
  readonly server: CredentialServer;
  readonly principal: string;
  readonly grant: string | undefined;
  readonly redirectUri: string;
  readonly asked: Asked;
  readonly publicUrl: string | undefined;
  readonly fetch: Fetch;
}

export const PENDING_MS = 10 * 60_000;

export async function beginCode(vault: Vault, request: CodeRequest): Promise<BegunLogin> {
  const { server, principal, grant, redirectUri, asked, publicUrl, fetch } = request;
  const { name, url, auth } = server;
  const authority = await loginAuthority(server, asked.resourceMetadata, fetch);
  const { issuer, metadata, resource } = authority;
  const scope = scopeFor(authority, asked.scopes, auth?.scopes ?? []);
  const client = await clientFor(vault, { server, authority, redirectUri, scope, publicUrl, fetch });
  const dpop = await dpopKeyFor(name, authority, auth?.dpop, asked.dpop === true);
  const state = randomBytes(32).toString('base64url');
  try {
    const { startAuthorization } = await sdk();
    const { authorizationUrl, codeVerifier } = await startAuthorization(issuer, {
      ...(metadata ? { metadata } : {}),
      clientInformation: client as OAuthClientInformation,
      redirectUrl: redirectUri,
      state,
      ...(scope === undefined ? {} : { scope }),
      ...(resource === undefined ? {} : { resource }),
    });
    if (asked.acrValues !== undefined) authorizationUrl.searchParams.set('acr_values', asked.acrValues);
    if (asked.maxAge !== undefined) authorizationUrl.searchParams.set('max_age', asked.maxAge);
    requireForBrowsers(name, authorizationUrl, url);
    await fetch.admit(authorizationUrl);
    const kept = { issuer, metadata: keptMetadata(metadata), resource, scope, client, redirectUri, codeVerifier };
    const pending: PendingLogin = { principal, grant, server: name, url, ...kept, dpopKey: dpop?.jwk };
    await vault.keepPending(state, pending, PENDING_MS);
    return { authorizationUrl: authorizationUrl.href, state };
  } catch (error) {
    throw flowFailure(name, 'its authorization server cannot be used', error);
  }
}

/** Where people log in to a server. Rejects with `SWB_LOGIN_FAILED` where that is not possible or not allowed. */
export async function loginAuthority(
  server: CredentialServer,
  resourceMetadata: string | undefined,
  fetch: Fetch,
): Promise<Authority> {
  const authority = await findAuthority(server, resourceMetadata, fetch);
  const unadvertised = server.auth?.pkce === 'unadvertised';
  if (authority.metadata === undefined && !unadvertised) {
    throw loginFailed(server.name, 'it names no authorization server (auth.issuer in its entry can)', 'metadata');
  }
  requirePkce(server.name, authority, unadvertised);
  return authority;
}

/** The login that what came back stands for. The code is sent once, to the token endpoint of the issuer it is from. */
export async function finishCode(
  pending: PendingLogin,
  state: string,
  params: CallbackParams,
  auth: ServerAuth | undefined,
  fetch: Fetch,
): Promise<StoredLogin> {
  const { server, issuer, resource, client, scope, redirectUri, codeVerifier } = pending;
  const oauth = await sdk();
  const metadata =
    pending.metadata.issuer === undefined ? undefined : (pending.metadata as AuthorizationServerMetadata);
  const param = paramOf(params);
  if (param('state') !== undefined && param('state') !== state) {
    throw loginFailed(server, 'what came back belongs to another login', 'state');
  }
  try {
    // First of all: what an answer of another issuer says is not even read (RFC 9207, 2.4).
    oauth.validateAuthorizationResponseIssuer({
      iss: param('iss'),
      expectedIssuer: metadata?.issuer,
      issParameterSupported: metadata?.authorization_response_iss_parameter_supported === true,
    });
  } catch (error) {
    throw flowFailure(server, 'the answer is not from the authorization server that was asked', error);
  }
  const error = param('error');
  if (error !== undefined) {
    const said = /^[a-z_]{1,64}$/.test(error) ? error : 'an error';
    throw said === 'access_denied'
      ? loginFailed(server, 'the login was declined', said)
      : loginFailed(server, `its authorization server answered with ${said}`, said);
  }
  const code = param('code');
  if (code === undefined || code === '') throw loginFailed(server, 'no code came back', 'protocol');
  const dpop = pending.dpopKey && (await dpopSessionOf(pending.dpopKey));
  const assertion = clientAssertion(oauth, auth);
  try {
    const tokens = await oauth.exchangeAuthorization(issuer, {
      ...(metadata ? { metadata } : {}),
      clientInformation: client as OAuthClientInformation,
      authorizationCode: code,
      ...(param('iss') === undefined ? {} : { iss: param('iss') as string }),
      codeVerifier,
      redirectUri,
      ...(resource === undefined ? {} : { resource }),
      ...(assertion ? { addClientAuthentication: assertion } : {}),
      ...(dpop ? { dpop } : {}),
      fetchFn: fetch,
    });
    const token = readToken(tokens, server, scope, bindingOf(auth, dpop));
    const { principal, grant, url, dpopKey } = pending;
    const whose = { principal, grant, server, url, issuer, resource, client, redirectUri, metadata: pending.metadata };
    return { ...whose, ...token, since: Date.now(), dpopKey: token.tokenType === 'DPoP' ? dpopKey : undefined };
  } catch (error) {
    throw flowFailure(server, 'its authorization server did not accept the code', error);
  }
}

const paramOf =
  (params: CallbackParams) =>
  (name: string): string | undefined =>
    params instanceof URLSearchParams ? (params.get(name) ?? undefined) : params[name];

/** Clients must not go on where it is not sure that PKCE is checked (2026-07-28 authorization, "Authorization Code Protection"). */
function requirePkce(server: string, { metadata }: Authority, unadvertised: boolean): void {
  const methods = metadata?.code_challenge_methods_supported;
  if (methods?.includes('S256') || (methods === undefined && unadvertised)) return;
  throw loginFailed(
    server,
    'its authorization server does not say that it checks PKCE with S256 (auth.pkce in its entry can allow that)',
    'pkce',
  );
}

/** What the server asks for wins; without that, what the entry names; without that, all that the server says there is. */
export function scopeFor(
  { scopesSupported, metadata }: Authority,
  asked: readonly string[],
  configured: readonly string[],
): string | undefined {
  const wanted = new Set([...configured, ...asked]);
  const scopes = wanted.size > 0 ? wanted : new Set(scopesSupported);
  if (scopes.size === 0) return undefined;
  // Without it there is no refresh token at issuers that know it (SEP-2207).
  if (metadata?.scopes_supported?.includes('offline_access')) scopes.add('offline_access');
  return [...scopes].join(' ');
}

/** Nothing but a page of the web is opened in a person's browser. */
function requireForBrowsers(server: string, { protocol, hostname, username }: URL, serverUrl: string): void {
  const isNear =
    /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname) || hostname === new URL(serverUrl).hostname;
  if (username === '' && (protocol === 'https:' || (protocol === 'http:' && isNear))) return;
  throw loginFailed(
    server,
    'its authorization server wants people to log in at an address that is not https',
    'address',
  );
}
