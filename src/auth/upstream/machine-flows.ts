/**
 * Tokens that no person logs in for: the gateway's own (client credentials, a JWT of its platform), and those made of the
 * token a caller sent (token exchange, cross-app access). The caller's token goes to authorization servers the operator named
 * or the server states, and never to the server.
 * @module
 */
import { readFile } from 'node:fs/promises';
import type { AddClientAuthentication, OAuthClientProvider } from '@modelcontextprotocol/client';
import type { CredentialServer } from '../../core/credentials.ts';
import { AWAITS_CALLER, GATEWAY_IDENTITY } from '../../core/credentials.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import type { ServerAuth, TokenSource } from '../../core/server-auth.ts';
import { type SubjectToken, subjectTokenOf } from '../../core/subject-tokens.ts';
import type { Authority } from './authority.ts';
import { clientAssertion } from './client-authentication.ts';
import { configuredClient } from './clients.ts';
import { scopeFor } from './code-flow.ts';
import type { Discoveries } from './discoveries.ts';
import { bindingOf, type DpopKey, dpopKeyFor } from './dpop.ts';
import { flowFailure, keptButUnavailable, loginFailed, oauthErrorOf } from './failures.ts';
import type { Fetch } from './guarded-fetch.ts';
import { ACCESS_TOKEN, identityGrant, TOKEN_EXCHANGE } from './identity-grant.ts';
import { type Sdk, sdk } from './sdk.ts';
import { readToken, type Token } from './tokens.ts';
import type { StoredClient, Vault } from './vault.ts';

export interface MachineRequest {
  readonly server: CredentialServer;
  readonly identity: Identity;
  /** What the server asks for, beyond what is configured. */
  readonly scopes: readonly string[];
  readonly resourceMetadata: string | undefined;
  readonly dpop: boolean;
  readonly discoveries: Discoveries;
  readonly fetch: Fetch;
}

export interface MachineToken extends Token {
  readonly dpop: DpopKey['session'] | undefined;
}

export const MACHINE_TYPES: ReadonlySet<ServerAuth['type']> = new Set([
  'client_credentials',
  'token_exchange',
  'xaa',
  'jwt_bearer',
]);

/** Those made of the caller's token. */
export const EXCHANGE_TYPES: ReadonlySet<ServerAuth['type']> = new Set(['token_exchange', 'xaa']);

const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const MAX_SOURCE_BYTES = 64 * 1024;

/**
 * Rejects with `SWB_UPSTREAM_AUTH` when there is nothing to make a token of or the issuer refuses, with
 * `SWB_UPSTREAM_UNAVAILABLE` when the issuer does not work.
 */
export async function machineToken(vault: Vault, request: MachineRequest): Promise<MachineToken> {
  const { server, fetch, resourceMetadata, discoveries } = request;
  const { name, auth } = server;
  if (!auth) throw new TypeError('This server has no auth.');
  const subject = await subjectOf(request, auth);
  const authority = await discoveries.authorityOf(server, resourceMetadata, fetch);
  const { issuer, metadata, resource } = authority;
  const client = await configuredClient(vault, server, issuer);
  const oauth = await sdk();
  const scope = scopeFor({ ...authority, metadata: undefined }, request.scopes, auth.scopes ?? []);
  const key = await dpopKeyFor(name, authority, auth.dpop, request.dpop);
  try {
    const parts = { name, url: server.url, auth, authority, client, subject, scope, discoveries, fetch };
    const provider = await providerFor(oauth, parts);
    if (key) Object.assign(provider, { dpop: () => key.session });
    const tokens = await oauth.fetchToken(provider, issuer, {
      ...(metadata ? { metadata } : {}),
      ...(resource === undefined ? {} : { resource }),
      ...(scope === undefined ? {} : { scope }),
      fetchFn: fetch,
    });
    // There is nothing to refresh: it is asked for again.
    return { ...readToken(tokens, name, scope, bindingOf(auth, key)), refreshToken: undefined, dpop: key?.session };
  } catch (error) {
    if (isOutOfOrder(error)) discoveries.doubt(name);
    throw refusal(name, error);
  }
}

/** It says nothing about this caller's token: another one would fare no better. */
function isOutOfOrder(error: unknown): boolean {
  const code = oauthErrorOf(error);
  return code === undefined || code === 'server_error' || code === 'temporarily_unavailable';
}

function refusal(server: string, error: unknown): SwitchboardError {
  if (error instanceof SwitchboardError) return error;
  const code = oauthErrorOf(error);
  if (isOutOfOrder(error)) {
    return error instanceof TypeError ? flowFailure(server, '', error) : keptButUnavailable(server, error);
  }
  return new SwitchboardError(
    'SWB_UPSTREAM_AUTH',
    `The authorization server of server '${server}' gives no token for this caller (${code}).`,
    { data: { server, reason: code } },
  );
}

interface Parts {
  readonly name: string;
  readonly url: string;
  readonly auth: ServerAuth;
  readonly authority: Authority;
  readonly client: StoredClient | undefined;
  readonly subject: SubjectToken | undefined;
  readonly scope: string | undefined;
  readonly discoveries: Discoveries;
  readonly fetch: Fetch;
}

async function providerFor(oauth: Sdk, parts: Parts): Promise<OAuthClientProvider> {
  const { name, url, auth, authority, client, subject, scope, discoveries, fetch } = parts;
  const need = <T>(value: T | undefined, key: string): T => {
    if (value !== undefined) return value;
    throw loginFailed(name, `its entry lacks auth.${key}`, 'configuration');
  };
  const provider = (grantType: string, params: Readonly<Record<string, string>>) =>
    grantProvider(client, authority.issuer, grantType, params, clientAssertion(oauth, auth));
  switch (auth.type) {
    case 'client_credentials':
      need(client, 'clientId');
      if (auth.privateKey === undefined) need(auth.clientSecret, 'clientSecret');
      return provider('client_credentials', {});
    case 'xaa': {
      need(client, 'clientId');
      const [idp, idToken] = [need(auth.idp, 'idp'), need(subject, 'subjectToken')];
      // A server that states none is known by its address.
      const { issuer: audience, resource = url } = authority;
      const endpoint = await discoveries.grantEndpointOf(name, idp, fetch);
      const grant = { audience, resource, scope, subject: idToken, endpoint, fetch };
      return provider(JWT_BEARER, { assertion: await identityGrant(name, idp, grant) });
    }
    case 'jwt_bearer':
      return provider(JWT_BEARER, { assertion: need(subject, 'assertion').token });
    default: {
      const { token, type } = need(subject, 'subjectToken');
      return provider(TOKEN_EXCHANGE, {
        subject_token: token,
        subject_token_type: type,
        requested_token_type: ACCESS_TOKEN,
        ...(auth.audience === undefined ? {} : { audience: auth.audience }),
      });
    }
  }
}

/** A provider whose token request is the parameters of one grant. */
function grantProvider(
  client: StoredClient | undefined,
  issuer: string,
  grantType: string,
  params: Readonly<Record<string, string>>,
  assertion: AddClientAuthentication | undefined,
): OAuthClientProvider {
  const method = client?.client_secret === undefined ? { token_endpoint_auth_method: 'none' } : {};
  return {
    redirectUrl: undefined,
    clientMetadata: { redirect_uris: [], grant_types: [grantType] },
    clientInformation: () =>
      client && { client_id: client.client_id, client_secret: client.client_secret, issuer, ...method },
    tokens: () => undefined,
    saveTokens: () => {},
    redirectToAuthorization: () => {},
    saveCodeVerifier: () => {},
    codeVerifier: () => '',
    ...(assertion ? { addClientAuthentication: assertion } : {}),
    prepareTokenRequest: (scope) =>
      new URLSearchParams({ grant_type: grantType, ...params, ...(scope === undefined ? {} : { scope }) }),
  };
}

/** What a token is made of. One caller's is never made of the configuration's, which is another principal's. */
async function subjectOf({ server, identity }: MachineRequest, auth: ServerAuth): Promise<SubjectToken | undefined> {
  if (auth.type === 'client_credentials') return undefined;
  if (auth.type === 'jwt_bearer') return { token: await read(server.name, auth.assertion), type: '' };
  const isGateway = auth.per === 'gateway' || identity === GATEWAY_IDENTITY;
  const own = isGateway ? undefined : subjectTokenOf(identity);
  if (own) return own;
  if (isGateway && auth.subjectToken) {
    const type = auth.subjectTokenType ?? (auth.type === 'xaa' ? ID_TOKEN : ACCESS_TOKEN);
    return { token: await read(server.name, auth.subjectToken), type };
  }
  throw new SwitchboardError(
    'SWB_UPSTREAM_AUTH',
    isGateway
      ? `Server '${server.name}' is called with tokens of callers, and none has come yet.`
      : `Server '${server.name}' is called with the token of the caller, and this one did not log in to the gateway with one.`,
    { data: { server: server.name, reason: isGateway ? AWAITS_CALLER : 'no token' } },
  );
}

async function read(server: string, source: TokenSource | undefined): Promise<string> {
  if (source === undefined) throw loginFailed(server, 'its entry names no token to begin with', 'configuration');
  if ('value' in source) return source.value;
  try {
    const bytes = await readFile(source.file);
    if (bytes.length > MAX_SOURCE_BYTES) throw new Error('too large');
    return bytes.toString('utf8').trim();
  } catch (error) {
    throw loginFailed(server, 'the file with its token cannot be read', 'configuration', error);
  }
}
