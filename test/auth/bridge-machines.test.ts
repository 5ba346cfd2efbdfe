import { randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { type BridgeGateway, bridgeGateway, proofKey, register, token } from './bridge-gateway.ts';

const SECRET = 'the-secret-of-a-client-0123456789';
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const TYPE = 'oauth-id-jag+jwt';

let company: Oidc;
let bridge: BridgeGateway;

beforeAll(async () => {
  company = await startOidc();
  bridge = await bridgeGateway(
    {
      login: 'admin-token',
      clients: [
        { id: 'assistant', secret: SECRET, redirectUris: ['https://assistant.example/callback'] },
        { id: 'public', redirectUris: ['https://public.example/callback'] },
        { id: 'nightly', secret: SECRET, grant: 'machines' },
      ],
    },
    {
      auth: { issuers: [{ issuer: company.issuer, grant: 'team', idJag: true }] },
      grants: { team: {}, machines: {} },
    },
  );
});
afterAll(async () => {
  await bridge.close();
  await company.close();
});

const basic = (id: string, secret = SECRET) => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
});

const claimsOf = (jwt: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(jwt).split('.')[1] ?? '', 'base64url').toString());

const now = (): number => Math.floor(Date.now() / 1_000);

const assertion = (more: JWTPayload = {}, header: object = {}): Promise<string> =>
  company.sign(
    {
      iss: company.issuer,
      sub: 'alice',
      aud: bridge.origin,
      client_id: 'assistant',
      resource: bridge.endpoint,
      scope: 'mcp other',
      jti: randomUUID(),
      iat: now(),
      exp: now() + 300,
      ...more,
    },
    { typ: TYPE, ...header },
  );

const redeem = async (jwt: string | Promise<string>, more: Record<string, string> = {}, headers = basic('assistant')) =>
  token(bridge, { grant_type: GRANT_TYPE, assertion: await jwt, ...more }, headers);

describe('an assertion of an issuer that is allowed to (ID-JAG)', () => {
  it('becomes an access token of the person, for the endpoint and the scopes both agree on', async () => {
    const { status, body } = await redeem(assertion(), { scope: 'mcp' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: 'Bearer', scope: 'mcp' });
    expect(body.refresh_token).toBeUndefined();
    expect(claimsOf(body.access_token)).toMatchObject({
      iss: bridge.origin,
      aud: bridge.endpoint,
      client_id: 'assistant',
      scope: 'mcp',
      switchboard: { principal: `${company.issuer}#alice`, grant: 'team' },
    });
  });

  it('is offered in the metadata', async () => {
    const reply = await fetch(`${bridge.origin}/.well-known/oauth-authorization-server`);
    expect(await reply.json()).toMatchObject({
      authorization_grant_profiles_supported: ['urn:ietf:params:oauth:grant-profile:id-jag'],
      grant_types_supported: expect.arrayContaining([GRANT_TYPE, 'client_credentials']),
    });
  });

  it('is redeemed once', async () => {
    const jwt = await assertion();
    const replies = await Promise.all([redeem(jwt), redeem(jwt), redeem(jwt)]);
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect((await redeem(jwt)).body.error).toBe('invalid_grant');
  });

  it.each<[string, JWTPayload, object]>([
    ['of another type', {}, { typ: 'JWT' }],
    ['for another authorization server', { aud: 'https://other.example' }, {}],
    ['for several', { aud: ['AUD', 'https://other.example'] }, {}],
    ['for another client', { client_id: 'public' }, {}],
    ['of an unknown issuer', { iss: 'https://evil.example' }, {}],
    ['that has expired', { iat: now() - 900, exp: now() - 600 }, {}],
    ['that lives too long', { iat: now() - 7_200, exp: now() + 7_200 }, {}],
    ['without a jti', { jti: undefined }, {}],
    ['without a resource', { resource: undefined }, {}],
    ['for several resources', { resource: ['a', 'b'] }, {}],
    ['without a subject', { sub: undefined }, {}],
  ])('%s is refused', async (_which, claims, header) => {
    const aud = Array.isArray(claims.aud)
      ? { aud: claims.aud.map((each) => (each === 'AUD' ? bridge.origin : each)) }
      : {};
    const { status, body } = await redeem(assertion({ ...claims, ...aud }, header));
    expect([status, body.error]).toEqual([400, 'invalid_grant']);
    expect(body.access_token).toBeUndefined();
  });

  it('that is not signed by its issuer is refused', async () => {
    const [header, payload] = (await assertion()).split('.');
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: TYPE })).toString('base64url');
    for (const jwt of [`${header}.${payload}.AAAA`, `${none}.${payload}.`, 'a.b.c', '', 'x'.repeat(20_000)]) {
      expect((await redeem(jwt)).body.access_token).toBeUndefined();
    }
  });

  it('for an address that is no endpoint here, or another than the request names, is refused', async () => {
    expect((await redeem(assertion({ resource: 'https://other.example/mcp' }))).body.error).toBe('invalid_target');
    const other = { resource: `${bridge.origin}/servers/a/mcp` };
    expect((await redeem(assertion(), other)).body.error).toBe('invalid_target');
  });

  it('gives no scope that it does not name', async () => {
    expect((await redeem(assertion({ scope: 'other' }))).body.error).toBe('invalid_scope');
    expect((await redeem(assertion({ scope: 'mcp' }), { scope: 'other' })).body.error).toBe('invalid_scope');
    expect((await redeem(assertion({ scope: undefined }))).body.scope).toBe('mcp');
  });

  it('is taken from clients that prove who they are alone', async () => {
    expect((await redeem(assertion(), {}, basic('assistant', 'a-wrong-secret-0123456789'))).status).toBe(401);
    const asPublic = { client_id: 'public' };
    const { status, body } = await redeem(assertion(asPublic), asPublic, {} as ReturnType<typeof basic>);
    expect([status, body.access_token]).toEqual([400, undefined]);
    const registered = await register(bridge);
    const asRegistered = await redeem(
      assertion({ client_id: registered }),
      { client_id: registered },
      {} as ReturnType<typeof basic>,
    );
    expect([asRegistered.status, asRegistered.body.access_token]).toEqual([400, undefined]);
  });
});

describe('a machine with a grant of its own', () => {
  const machine = (more: Record<string, string>, headers = basic('nightly')) =>
    token(bridge, { grant_type: 'client_credentials', ...more }, headers);

  it('gets tokens by its secret', async () => {
    const { status, body } = await machine({ resource: bridge.endpoint, scope: 'mcp' });
    expect(status).toBe(200);
    expect(body.refresh_token).toBeUndefined();
    expect(claimsOf(body.access_token)).toMatchObject({
      aud: bridge.endpoint,
      switchboard: { principal: `${bridge.origin}?client=nightly`, grant: 'machines' },
    });
  });

  it('gets none with a wrong secret, and no client without a grant gets any', async () => {
    expect((await machine({}, basic('nightly', 'a-wrong-secret-0123456789'))).status).toBe(401);
    expect((await machine({}, basic('assistant'))).status).toBe(400);
    expect((await machine({ client_id: await register(bridge) }, {} as ReturnType<typeof basic>)).status).toBe(400);
  });

  it('has no page to log in at', async () => {
    const url = new URL('/authorize', bridge.origin);
    const { challenge } = proofKey();
    for (const [name, value] of Object.entries({
      client_id: 'nightly',
      response_type: 'code',
      redirect_uri: 'https://evil.example/',
      code_challenge: challenge,
      code_challenge_method: 'S256',
    }))
      url.searchParams.set(name, value);
    const reply = await fetch(url, { redirect: 'manual' });
    expect(reply.status).toBe(400);
    expect(reply.headers.get('location')).toBeNull();
  });
});
