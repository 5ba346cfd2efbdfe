/**
 * Tells an issuer that a token is not used any more (RFC 7009). What it answers changes nothing: the gateway has forgotten it.
 * @module
 */
import type { ServerAuth } from '../../core/server-auth.ts';
import { authenticate } from './client-authentication.ts';
import type { Fetch } from './guarded-fetch.ts';
import type { StoredLogin } from './vault.ts';

/** Never rejects. */
export async function revokeAtIssuer(login: StoredLogin, auth: ServerAuth | undefined, fetch: Fetch): Promise<void> {
  const { revocation_endpoint: endpoint, token_endpoint_auth_methods_supported: methods } = login.metadata;
  if (typeof endpoint !== 'string') return;
  // Revoking the refresh token ends the access tokens made of it too.
  const [token, hint] =
    login.refreshToken === undefined ? [login.accessToken, 'access_token'] : [login.refreshToken, 'refresh_token'];
  const body = new URLSearchParams({ token, token_type_hint: hint });
  const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
  try {
    await authenticate({ client: login.client, methods, auth, endpoint, issuer: login.issuer }, headers, body);
    await fetch(endpoint, { method: 'POST', headers, body });
  } catch {
    // Unreachable, or it does not take the token: it expires there by itself.
  }
}
