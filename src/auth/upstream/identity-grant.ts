/**
 * Cross-app access, first half: an identity provider turns the token of a person into a grant for the authorization server of a
 * server (ID-JAG, enterprise-managed authorization 4). The second half redeems it there.
 * @module
 */
import type { IdentityProvider } from '../../core/server-auth.ts';
import type { SubjectToken } from '../../core/subject-tokens.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { authenticate } from './client-authentication.ts';
import { loginFailed, oauthFailure } from './failures.ts';
import type { Fetch } from './guarded-fetch.ts';
import { sdk } from './sdk.ts';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag';
const MAX_GRANT_LENGTH = 16 * 1024;

export interface IdentityGrantRequest {
  /** The issuer that is to accept the grant. */
  readonly audience: string;
  /** The server it is for. */
  readonly resource: string;
  readonly scope: string | undefined;
  readonly subject: SubjectToken;
  readonly endpoint: GrantEndpoint;
  readonly fetch: Fetch;
}

/** Where the identity provider gives grants, and how clients may authenticate there. */
export interface GrantEndpoint {
  readonly endpoint: string;
  readonly methods: unknown;
}

/** Rejects with an error of the SDK's that holds the provider's error code, or with `SWB_LOGIN_FAILED`. */
export async function identityGrant(
  server: string,
  idp: IdentityProvider,
  request: IdentityGrantRequest,
): Promise<string> {
  const { audience, resource, scope, subject, fetch } = request;
  const { endpoint, methods } = request.endpoint;
  const form = new URLSearchParams({
    ...{ grant_type: TOKEN_EXCHANGE, requested_token_type: ID_JAG, audience, resource },
    ...{ subject_token: subject.token, subject_token_type: subject.type },
    ...(scope === undefined ? {} : { scope }),
  });
  const headers: Record<string, string> = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
  };
  const client = { client_id: idp.clientId, client_secret: idp.clientSecret };
  await authenticate({ client, methods, auth: undefined, endpoint, issuer: idp.issuer }, headers, form);
  const response = await fetch(endpoint, { method: 'POST', headers, body: form });
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw oauthFailure(response.status, answer);
  const { access_token: grant, issued_token_type: type } = isObject(answer) ? answer : {};
  // Anything else is a token for another use, and would be shown to an authorization server that it is not for.
  const isGrant = type === ID_JAG && typeof grant === 'string' && grant !== '' && grant.length <= MAX_GRANT_LENGTH;
  if (isGrant) return grant;
  throw loginFailed(server, 'the identity provider gives no grant for it (ID-JAG)', 'protocol');
}

/** Rejects with `SWB_LOGIN_FAILED` where the provider publishes none. */
export async function grantEndpoint(
  server: string,
  { issuer, tokenEndpoint }: IdentityProvider,
  fetch: Fetch,
): Promise<GrantEndpoint> {
  if (tokenEndpoint !== undefined) return { endpoint: tokenEndpoint, methods: undefined };
  const { discoverAuthorizationServerMetadata } = await sdk();
  const metadata = await discoverAuthorizationServerMetadata(issuer, { fetchFn: fetch });
  if (metadata?.token_endpoint === undefined) {
    throw loginFailed(
      server,
      'the identity provider publishes no metadata (auth.idp.tokenEndpoint can do without)',
      'metadata',
    );
  }
  return { endpoint: metadata.token_endpoint, methods: metadata.token_endpoint_auth_methods_supported };
}
