/**
 * Login at the company's OIDC provider: authorization code with PKCE, state, nonce, and the issuer check of RFC 9207, by the
 * official SDK's functions; the ID token by `jose`.
 * @module
 */
import { randomBytes } from 'node:crypto';
import {
  type AuthorizationServerMetadata,
  discoverAuthorizationServerMetadata,
  exchangeAuthorization,
  startAuthorization,
  validateAuthorizationResponseIssuer,
} from '@modelcontextprotocol/client';
import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { TOKEN_ALGORITHMS } from '../../core/token-issuer.ts';
import type { boundedFetch } from './fetch.ts';
import type { OidcLogin } from './options.ts';

/** The gateway as a client of the provider. */
export type OidcClientOptions = Pick<OidcLogin, 'issuer' | 'clientId' | 'clientSecret' | 'scopes'>;

/** What has to be the same when the person comes back. */
export interface PendingLogin {
  state: string;
  nonce: string;
  verifier: string;
}

/** The provider's login failed or was refused. The message is for the person in the browser. */
export class LoginRefused extends Error {}

export type Claims = Readonly<Record<string, unknown>>;

/** The query of the callback. */
export interface LoginReply {
  code: string | undefined;
  iss: string | undefined;
  error: string | undefined;
}

export interface OidcClient {
  begin(): Promise<{ url: URL; pending: PendingLogin }>;
  /** The verified claims of who logged in. Rejects with {@link LoginRefused}. */
  finish(pending: PendingLogin, reply: LoginReply): Promise<Claims>;
  /**
   * Where the person logs out at the provider, which then sends the browser to `returnTo` (OpenID Connect RP-Initiated Logout 1.0).
   * Undefined where the provider has no such page. Rejects when its metadata cannot be had.
   */
  endSession(returnTo: string): Promise<URL | undefined>;
}

const METADATA_MS = 10 * 60_000;

export function oidcClient(
  login: OidcClientOptions,
  redirectUrl: string,
  fetchFn: ReturnType<typeof boundedFetch>,
): OidcClient {
  const clientInformation = {
    client_id: login.clientId,
    ...(login.clientSecret === undefined ? {} : { client_secret: login.clientSecret }),
  };
  let known: Known | undefined;
  let discovering: Promise<Known> | undefined;

  /** One request for all who wait: a provider that does not answer is asked no more often for a flood of logins. */
  async function discovered(): Promise<Known> {
    if (known && Date.now() < known.until) return known;
    discovering ??= discover().finally(() => {
      discovering = undefined;
    });
    return discovering;
  }

  async function discover(): Promise<Known> {
    const metadata = await discoverAuthorizationServerMetadata(login.issuer, { fetchFn });
    const jwksUri = metadata?.jwks_uri;
    if (!metadata || typeof jwksUri !== 'string') throw new Error('The provider has no metadata, or none with keys.');
    const keys = createRemoteJWKSet(new URL(jwksUri), { [customFetch]: fetchFn });
    known = { metadata: withPkce(metadata), keys, until: Date.now() + METADATA_MS };
    return known;
  }

  return {
    async begin() {
      const { metadata } = await discovered();
      const pending = { state: random(), nonce: random() };
      const { authorizationUrl, codeVerifier } = await startAuthorization(login.issuer, {
        metadata,
        clientInformation,
        redirectUrl,
        scope: login.scopes.join(' '),
        state: pending.state,
      });
      authorizationUrl.searchParams.set('nonce', pending.nonce);
      // The SDK asks for consent where offline access is wanted; nothing here needs it, and a company's user cannot give it everywhere.
      authorizationUrl.searchParams.delete('prompt');
      return { url: authorizationUrl, pending: { ...pending, verifier: codeVerifier } };
    },

    async finish({ verifier, nonce }, { code, iss, error }) {
      const { metadata, keys } = await discovered();
      try {
        validateAuthorizationResponseIssuer({
          iss,
          expectedIssuer: metadata.issuer,
          issParameterSupported: metadata.authorization_response_iss_parameter_supported === true,
        });
      } catch (cause) {
        throw new LoginRefused('The reply did not come from your login provider.', { cause });
      }
      if (error !== undefined || code === undefined) throw new LoginRefused('Your login provider did not log you in.');
      let token: string | undefined;
      try {
        const tokens = await exchangeAuthorization(login.issuer, {
          metadata,
          clientInformation,
          authorizationCode: code,
          iss,
          codeVerifier: verifier,
          redirectUri: redirectUrl,
          fetchFn,
        });
        token = tokens.id_token;
      } catch (cause) {
        throw new LoginRefused('Your login provider did not complete the login.', { cause });
      }
      return verified(token, keys, { issuer: metadata.issuer, login, nonce });
    },

    async endSession(returnTo) {
      const { metadata } = await discovered();
      const { end_session_endpoint: at } = metadata as { end_session_endpoint?: unknown };
      const url = typeof at === 'string' ? URL.parse(at) : null;
      // A browser goes there: no other scheme may come from metadata.
      if (url?.protocol !== 'https:' && url?.protocol !== 'http:') return undefined;
      // ID tokens are not kept, so that there is no hint: the provider asks the person.
      url.searchParams.set('client_id', login.clientId);
      url.searchParams.set('post_logout_redirect_uri', returnTo);
      return url;
    },
  };
}

/** OIDC Core 3.1.3.7: signature, issuer, audience, times, nonce. */
async function verified(
  token: string | undefined,
  keys: JWTVerifyGetKey,
  { issuer, login, nonce }: { issuer: string; login: OidcClientOptions; nonce: string },
): Promise<Claims> {
  if (token === undefined) throw new LoginRefused('Your login provider sent no ID token: the scope openid is missing.');
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience: login.clientId,
      algorithms: [...TOKEN_ALGORITHMS],
      requiredClaims: ['sub', 'exp', 'iat'],
      clockTolerance: 30,
    });
    const { azp } = payload;
    if (payload.nonce !== nonce) throw new Error('nonce');
    if (azp !== undefined && azp !== login.clientId) throw new Error('azp');
    if (Array.isArray(payload.aud) && payload.aud.length > 1 && azp === undefined) throw new Error('azp');
    return payload;
  } catch (cause) {
    throw new LoginRefused('The ID token of your login provider is not valid.', { cause });
  }
}

type Metadata = AuthorizationServerMetadata;

interface Known {
  metadata: Metadata;
  keys: JWTVerifyGetKey;
  until: number;
}

/** Providers of OIDC may support PKCE without saying so in their metadata; it is sent to all of them. */
const withPkce = (metadata: Metadata): Metadata => ({
  ...metadata,
  code_challenge_methods_supported: metadata.code_challenge_methods_supported ?? ['S256'],
});

const random = (): string => randomBytes(32).toString('base64url');
