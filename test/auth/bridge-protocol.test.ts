import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openState } from '../../src/state/open.ts';
import type { State } from '../../src/state/state.ts';
import {
  allowWithToken,
  askedPage,
  authorizeUrl,
  type BridgeGateway,
  bridgeGateway,
  CURSOR,
  post,
  proofKey,
  register,
  token,
  tokensFor,
} from './bridge-gateway.ts';
import { Browser } from './browser.ts';

const LOOPBACK = 'http://localhost:8787/callback';
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

let bridge: BridgeGateway;
let state: State;
let clientId: string;

beforeAll(async () => {
  state = openState(undefined, SILENT);
  bridge = await bridgeGateway({ login: 'admin-token' }, { state });
  clientId = await register(bridge);
});
afterAll(async () => {
  await bridge.close();
  await state.close();
});

const claimsOf = (jwt: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(jwt).split('.')[1] ?? '', 'base64url').toString());

const codeFor = async (redirectUri = LOOPBACK, challenge = proofKey().challenge): Promise<string> =>
  String((await allowWithToken(bridge, { clientId, redirectUri, challenge })).searchParams.get('code'));

describe('the metadata of the bridge', () => {
  it('is one document at the places where clients look for it', async () => {
    const documents = await Promise.all(
      ['oauth-authorization-server', 'openid-configuration'].map(async (name) => {
        const reply = await fetch(`${bridge.origin}/.well-known/${name}`, {
          headers: { origin: 'https://app.example' },
        });
        expect(reply.headers.get('access-control-allow-origin')).toBe('https://app.example');
        return (await reply.json()) as Record<string, unknown>;
      }),
    );
    expect(documents[0]).toEqual(documents[1]);
    expect(documents[0]).toMatchObject({
      issuer: bridge.origin,
      authorization_endpoint: `${bridge.origin}/authorize`,
      token_endpoint: `${bridge.origin}/token`,
      registration_endpoint: `${bridge.origin}/register`,
      revocation_endpoint: `${bridge.origin}/revoke`,
      code_challenge_methods_supported: ['S256'],
      response_types_supported: ['code'],
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
    });
  });

  it('is of no other issuer', async () => {
    const reply = await fetch(`${bridge.origin}/.well-known/oauth-authorization-server/mcp`);
    expect(reply.status).toBe(404);
  });

  it('names its public address whatever a request says of itself', async () => {
    const headers = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' };
    const reply = await fetch(`${bridge.origin}/.well-known/oauth-authorization-server`, { headers });
    expect(await reply.text()).not.toContain('evil.example');
  });
});

describe('a client that registers itself', () => {
  it('may have redirect URIs of an app, a website and loopback at once, and uses each of them', async () => {
    const { status, body } = await post(`${bridge.origin}/register`, CURSOR);
    expect(status).toBe(201);
    expect(body).toMatchObject({ redirect_uris: CURSOR.redirect_uris, token_endpoint_auth_method: 'none' });
    for (const redirectUri of CURSOR.redirect_uris) {
      const end = await allowWithToken(bridge, {
        clientId: String(body.client_id),
        redirectUri,
        challenge: proofKey().challenge,
      });
      expect(end.href.startsWith(`${redirectUri}?code=`)).toBe(true);
      expect(end.searchParams.get('state')).toBe('a-state');
      expect(end.searchParams.get('iss')).toBe(bridge.origin);
    }
  });

  it('gets no grant type that nobody gave it, and members that mean nothing here do no harm', async () => {
    const { status, body } = await post(`${bridge.origin}/register`, {
      ...CURSOR,
      grant_types: [
        'authorization_code',
        'client_credentials',
        'implicit',
        'urn:ietf:params:oauth:grant-type:jwt-bearer',
      ],
      response_types: ['code', 'token'],
      scope: 'openid everything',
      contacts: ['not an address'],
      sector_identifier_uri: 'http://169.254.169.254/latest/meta-data',
      id_token_signed_response_alg: 'none',
    });
    expect(status).toBe(201);
    expect(body.grant_types).toEqual(['authorization_code', 'refresh_token']);
    expect(body.response_types).toEqual(['code']);
  });

  it.each([
    'http://app.example/callback',
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'https://user:secret@app.example/',
    'https://app.example/#fragment',
    'intent://app#Intent',
    'no uri',
  ])('cannot register the redirect URI %s', async (uri) => {
    const { status, body } = await post(`${bridge.origin}/register`, { ...CURSOR, redirect_uris: [uri] });
    expect(status).toBe(400);
    expect(body.error).toMatch(/^invalid_(redirect_uri|client_metadata)$/);
  });

  it('is bounded in size', async () => {
    const many = Array.from({ length: 21 }, (_, index) => `https://app.example/${index}`);
    expect((await post(`${bridge.origin}/register`, { ...CURSOR, redirect_uris: many })).status).toBe(400);
    const long = Array.from({ length: 20 }, (_, index) => `https://app.example/${index}${'a'.repeat(1_000)}`);
    expect((await post(`${bridge.origin}/register`, { ...CURSOR, redirect_uris: long })).status).toBe(400);
    expect((await post(`${bridge.origin}/register`, { ...CURSOR, client_name: 'a'.repeat(201) })).status).toBe(400);
    const body = { ...CURSOR, client_uri: `https://${'a'.repeat(70_000)}` };
    expect((await post(`${bridge.origin}/register`, body)).status).toBe(400);
  });

  it('comes back at any port of loopback, and nowhere else', async () => {
    const at = (redirectUri: string) => askedPage(bridge, { clientId, redirectUri, challenge: proofKey().challenge });
    expect((await at('http://localhost:63958/callback')).status).toBe(200);
    for (const redirectUri of [
      'http://localhost:8787/other',
      'http://127.0.0.1:8787/callback',
      'http://evil.example:8787/callback',
      'https://www.cursor.com/agents/mcp/oauth/callback/x',
      'https://www.cursor.com:444/agents/mcp/oauth/callback',
      'https://www.cursor.com.evil.example/agents/mcp/oauth/callback',
      'cursor://anysphere.cursor-mcp/oauth/callback?x=1',
      'cursor://evil/oauth/callback',
    ]) {
      const page = await at(redirectUri);
      expect(page.status).toBe(400);
      expect(page.next).toBeUndefined();
      expect(page.text).toContain('This login cannot go on');
    }
  });
});

describe('an authorization code', () => {
  const redeem = (code: string, more: Record<string, string>) =>
    token(bridge, {
      grant_type: 'authorization_code',
      code,
      redirect_uri: LOOPBACK,
      client_id: clientId,
      resource: bridge.endpoint,
      ...more,
    });

  it('becomes an access token for the endpoint that was asked for', async () => {
    const { status, body } = await tokensFor(bridge, clientId);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'mcp',
      refresh_token: expect.any(String),
    });
    expect(claimsOf(body.access_token)).toMatchObject({
      iss: bridge.origin,
      aud: bridge.endpoint,
      client_id: clientId,
    });
  });

  it('is for the merged endpoint where the client names none, and for no address that is not the gateway’s', async () => {
    const { verifier, challenge } = proofKey();
    const flow = { clientId, redirectUri: LOOPBACK, challenge };
    const end = await allowWithToken(bridge, { ...flow, resource: '' });
    const code = String(end.searchParams.get('code'));
    const { body } = await redeem(code, { code_verifier: verifier });
    expect(claimsOf(body.access_token).aud).toBe(bridge.endpoint);
    for (const resource of ['https://evil.example/mcp', `${bridge.origin}/admin`, `${bridge.origin}/mcp?x`, 'mcp']) {
      const { next } = await new Browser().visit(authorizeUrl(bridge, { ...flow, resource }));
      expect(next?.searchParams.get('error')).toBe('invalid_target');
      expect(next?.searchParams.get('iss')).toBe(bridge.origin);
    }
  });

  it('cannot be redeemed for another endpoint than it was given for', async () => {
    const { verifier, challenge } = proofKey();
    const code = await codeFor(LOOPBACK, challenge);
    const { status, body } = await redeem(code, {
      code_verifier: verifier,
      resource: `${bridge.origin}/servers/a/mcp`,
    });
    expect([status, body.error]).toEqual([400, 'invalid_target']);
  });

  it.each([
    ['without a proof key', undefined, undefined],
    ['with a plain proof key', 'a'.repeat(43), 'plain'],
  ])('is not given out %s', async (_how, challenge, method) => {
    const flow = { clientId, redirectUri: LOOPBACK, ...(challenge && { challenge }), ...(method && { method }) };
    const { next } = await new Browser().visit(authorizeUrl(bridge, flow));
    expect(next?.origin).toBe('http://localhost:8787');
    expect(next?.searchParams.get('error')).toBe('invalid_request');
    expect(next?.searchParams.get('iss')).toBe(bridge.origin);
    expect(next?.searchParams.has('code')).toBe(false);
  });

  it('needs the verifier, the client and the redirect URI it was given to', async () => {
    const { verifier, challenge } = proofKey();
    const code = await codeFor(LOOPBACK, challenge);
    const other = await register(bridge);
    for (const wrong of [
      { code_verifier: proofKey().verifier },
      {},
      { code_verifier: verifier, client_id: other },
      { code_verifier: verifier, redirect_uri: 'http://localhost:1/callback' },
    ]) {
      const { status, body } = await redeem(code, wrong as Record<string, string>);
      expect(status).toBe(400);
      expect(body.access_token).toBeUndefined();
    }
    expect((await redeem(code, { code_verifier: verifier })).status).toBe(200);
  });

  it('works once, and what it gave ends when it is used again', async () => {
    const { code, verifier, body } = await tokensFor(bridge, clientId);
    const again = await redeem(code, { code_verifier: verifier });
    expect([again.status, again.body.error]).toEqual([400, 'invalid_grant']);
    const refreshed = await token(bridge, {
      grant_type: 'refresh_token',
      refresh_token: String(body.refresh_token),
      client_id: clientId,
    });
    expect([refreshed.status, refreshed.body.error]).toEqual([400, 'invalid_grant']);
  });

  it('goes to one of many requests that redeem it at once', async () => {
    const { verifier, challenge } = proofKey();
    const code = await codeFor(LOOPBACK, challenge);
    const replies = await Promise.all(Array.from({ length: 10 }, () => redeem(code, { code_verifier: verifier })));
    expect(replies.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
    expect(replies.filter(({ status }) => status !== 200).every(({ body }) => body.error === 'invalid_grant')).toBe(
      true,
    );
  });

  it('is kept by the gateway in a form that opens nothing', async () => {
    const code = await codeFor();
    const records = JSON.stringify(await state.kv.entries('oauth-codes'));
    expect(records).toContain(clientId);
    expect(records).not.toContain(code);
  });
});

describe('a refresh token', () => {
  const refresh = (refreshToken: unknown, more: Record<string, string> = {}) =>
    token(bridge, {
      grant_type: 'refresh_token',
      refresh_token: String(refreshToken),
      client_id: clientId,
      ...more,
    });

  it('changes with every use', async () => {
    const { body } = await tokensFor(bridge, clientId);
    const next = await refresh(body.refresh_token);
    expect(next.status).toBe(200);
    expect(next.body.refresh_token).not.toBe(body.refresh_token);
    expect(claimsOf(next.body.access_token).aud).toBe(bridge.endpoint);
    expect((await refresh(next.body.refresh_token, { resource: bridge.endpoint })).status).toBe(200);
  });

  it('that is used twice ends the login, with the token that replaced it', async () => {
    const { body } = await tokensFor(bridge, clientId);
    const next = await refresh(body.refresh_token);
    expect((await refresh(body.refresh_token)).body.error).toBe('invalid_grant');
    expect((await refresh(next.body.refresh_token)).body.error).toBe('invalid_grant');
  });

  it('of another client is none', async () => {
    const { body } = await tokensFor(bridge, clientId);
    const other = await register(bridge);
    expect((await refresh(body.refresh_token, { client_id: other })).body.error).toBe('invalid_grant');
  });

  it('that is revoked ends the login', async () => {
    const { body } = await tokensFor(bridge, clientId);
    const revoke = (fields: Record<string, string>) =>
      post(`${bridge.origin}/revoke`, new URLSearchParams({ token: String(body.refresh_token), ...fields }));
    expect((await revoke({ client_id: await register(bridge) })).status).toBe(200);
    const next = await refresh(body.refresh_token);
    expect(next.status).toBe(200);
    const fields = new URLSearchParams({ token: String(next.body.refresh_token), client_id: clientId });
    expect((await post(`${bridge.origin}/revoke`, fields)).status).toBe(200);
    expect((await refresh(next.body.refresh_token)).body.error).toBe('invalid_grant');
  });
});

describe('registrations', () => {
  it('that nobody logs in with are forgotten, and the others stay', async () => {
    const unused = await register(bridge);
    const used = await register(bridge);
    await tokensFor(bridge, used);
    await expect.poll(async () => (await state.kv.get('oauth-clients', used)) !== undefined).toBe(true);
    expect(await state.kv.get('oauth-clients-new', used)).toBeUndefined();
    expect(await state.kv.delete('oauth-clients-new', unused)).toBe(true);
    const page = await askedPage(bridge, { clientId: unused, redirectUri: LOOPBACK, challenge: proofKey().challenge });
    expect(page.status).toBe(400);
    expect(page.next).toBeUndefined();
    expect(
      (await askedPage(bridge, { clientId: used, redirectUri: LOOPBACK, challenge: proofKey().challenge })).status,
    ).toBe(200);
  });

  it('in a flood are refused after the first of a minute', async () => {
    const flooded = await bridgeGateway({ login: 'admin-token' });
    try {
      const replies = await Promise.all(Array.from({ length: 80 }, () => post(`${flooded.origin}/register`, CURSOR)));
      expect(replies.filter(({ status }) => status === 201)).toHaveLength(60);
      const refused = replies.find(({ status }) => status === 429);
      expect(refused?.headers.get('retry-after')).toBe('60');
    } finally {
      await flooded.close();
    }
  });
});
