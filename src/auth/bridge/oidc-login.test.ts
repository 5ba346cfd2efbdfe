import { describe, expect, it } from 'vitest';
import { oidcClient } from './oidc-login.ts';

const ISSUER = 'https://login.example';

/** A provider whose metadata have these members beside the usual ones. */
function clientOf(more: object) {
  const metadata = {
    issuer: ISSUER,
    authorization_endpoint: `${ISSUER}/authorize`,
    token_endpoint: `${ISSUER}/token`,
    jwks_uri: `${ISSUER}/jwks`,
    response_types_supported: ['code'],
    ...more,
  };
  const fetch = async (): Promise<Response> =>
    new Response(JSON.stringify(metadata), { headers: { 'content-type': 'application/json' } });
  const login = { issuer: ISSUER, clientId: 'the pages', clientSecret: undefined, scopes: ['openid'] };
  return oidcClient(login, 'https://gateway.example/admin/login/callback', fetch);
}

const BACK = 'https://gateway.example/admin/';

describe('the page of a provider on which people log out', () => {
  it('gets the client and where to come back to, beside what stands in its address', async () => {
    const client = clientOf({ end_session_endpoint: `${ISSUER}/logout?realm=acme` });
    const url = await client.endSession(BACK);
    expect(`${url?.origin}${url?.pathname}`).toBe(`${ISSUER}/logout`);
    expect(Object.fromEntries(url?.searchParams ?? [])).toEqual({
      realm: 'acme',
      client_id: 'the pages',
      post_logout_redirect_uri: BACK,
    });
  });

  it.each([
    ['is not named', {}],
    ['is a script', { end_session_endpoint: 'javascript:alert(1)' }],
    ['is data', { end_session_endpoint: 'data:text/html,x' }],
    ['is no URL', { end_session_endpoint: 'logout' }],
    ['is no text', { end_session_endpoint: 7 }],
  ])('is none where it %s', async (_, more) => {
    expect(await clientOf(more).endSession(BACK)).toBeUndefined();
  });
});
