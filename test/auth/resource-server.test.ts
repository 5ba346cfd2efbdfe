/** The gateway as a resource server: which tokens of an authorization server open it, and what refused clients learn. */
import { createHmac } from 'node:crypto';
import { type CryptoKey, exportSPKI, importJWK, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modern, openSession, post, postModern, send } from '../../src/endpoint/testing/http.ts';
import { grant } from '../policy/grants.ts';
import { bearer, callTool, challengeOf, type LoginGateway, startLoginGateway } from './tokens.ts';

const ops = grant({ policy: { version: '1', default: 'deny', tools: { v__read: {}, v__write: {} } } });
const readers = grant({ policy: { version: '1', default: 'deny', tools: { v__read: {} } } });

let login: LoginGateway;
let mcp: URL;
let audience: string;

beforeAll(async () => {
  login = await startLoginGateway({
    oidc: { groups: { alice: ['ops'] } },
    issuer: { grants: [{ claim: 'groups', value: 'op*', grant: 'ops' }], grant: 'readers' },
    gateway: () => ({ grants: { ops: ops.entry, readers: readers.entry }, audit: { file: 'state/audit.jsonl' } }),
  });
  mcp = login.gateway.at('/mcp');
  audience = mcp.href;
});
afterAll(() => login?.close());

const tokenOf = (more: object = {}): Promise<string> =>
  login.oidc.sign(login.oidc.claims(audience, { client_id: 'a-client', groups: ['ops'], ...more }));

const textOf = async (reply: Awaited<ReturnType<typeof callTool>>): Promise<string> => {
  const { result } = (await reply.json()) as { result?: { content: { text: string }[]; isError?: boolean } };
  return result?.content[0]?.text ?? '';
};

describe('an access token', () => {
  it('of a machine, by client_credentials, opens the gateway', async () => {
    const reply = await callTool(mcp, 'v__read', await login.oidc.machineToken(audience));
    expect([reply.status, await textOf(reply)]).toEqual([200, 'read done']);
  });

  it('gives the grant that a rule on its claims names, or the usual one', async () => {
    expect(await textOf(await callTool(mcp, 'v__write', await tokenOf()))).toBe('write done');
    const reader = await tokenOf({ groups: ['sales'] });
    expect(await textOf(await callTool(mcp, 'v__read', reader))).toBe('read done');
    expect(await textOf(await callTool(mcp, 'v__write', reader))).not.toBe('write done');
  });

  it('stands beside keys of grants', async () => {
    expect(await textOf(await callTool(mcp, 'v__write', ops.key))).toBe('write done');
    expect(await textOf(await callTool(mcp, 'v__write', readers.key))).not.toBe('write done');
  });

  it('opens a legacy session, which another person cannot use', async () => {
    const session = await openSession(mcp, '2025-11-25', bearer(await tokenOf()));
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    expect((await post(mcp, list, session)).status).toBe(200);
    const refreshed = { ...session, ...bearer(await tokenOf({ jti: 'the next one' })) };
    expect((await post(mcp, list, refreshed)).status).toBe(200);
    const other = { ...session, ...bearer(await tokenOf({ sub: 'mallory' })) };
    expect((await post(mcp, list, other)).status).toBe(404);
  });

  it('is for the address it was issued for, or for the whole gateway', async () => {
    const one = login.gateway.at('/servers/v/mcp');
    expect((await callTool(one, 'read', await tokenOf({ aud: one.href }))).status).toBe(200);
    expect((await callTool(one, 'read', await tokenOf({ aud: new URL('/', one).href }))).status).toBe(200);
    expect((await callTool(one, 'read', await tokenOf({ aud: audience }))).status).toBe(401);
    const spelled = audience.replace('http://', 'HTTP://');
    expect((await callTool(mcp, 'v__read', await tokenOf({ aud: `${spelled}/` }))).status).toBe(200);
  });

  it('never reaches the server or the audit', async () => {
    const token = await tokenOf({ jti: 'looked for' });
    await callTool(mcp, 'v__read', token);
    const signature = token.split('.')[2] as string;
    expect(JSON.stringify(login.upstream.heard)).not.toContain(signature);
    expect(login.gateway.log()).not.toContain(signature);
  });
});

const seconds = (from: number): number => Math.floor(Date.now() / 1000) + from;

/** HMAC with the text of a public key as its secret: what a careless verifier accepts. */
async function confused(): Promise<string> {
  const key = login.oidc.publicKey();
  const pem = await exportSPKI((await importJWK(key, 'RS256', { extractable: true })) as CryptoKey);
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'at+jwt', kid: key.kid })}.${encode(login.oidc.claims(audience))}`;
  return `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`;
}

describe('a refused token', () => {
  const cases: [string, () => Promise<string> | string][] = [
    ['of another service', () => tokenOf({ aud: 'https://another.example/mcp' })],
    ['without an audience', () => tokenOf({ aud: undefined })],
    ['that has expired', () => tokenOf({ exp: seconds(-60) })],
    ['without an end', () => tokenOf({ exp: undefined })],
    ['that is not valid yet', () => tokenOf({ nbf: seconds(120) })],
    ['of an issuer nobody configured', () => tokenOf({ iss: 'https://evil.example' })],
    ['of an issuer that only looks alike', () => tokenOf({ iss: `${login.oidc.issuer}/` })],
    ['without a signature', () => new UnsecuredJWT({ ...login.oidc.claims(audience) }).encode()],
    ['signed with the public key as a shared secret', confused],
    ['that is an ID token', () => tokenOf({ nonce: 'n' })],
    ['bound to a key of its client', () => tokenOf({ cnf: { jkt: 'a-thumbprint' } })],
    ['without a subject or client', () => tokenOf({ sub: undefined, client_id: undefined })],
    ['of another type', () => login.oidc.sign(login.oidc.claims(audience), { typ: 'logout+jwt' })],
    ['with a key id that is not there', () => login.oidc.sign(login.oidc.claims(audience), { kid: 'another' })],
    [
      'with a changed payload',
      async () => {
        const [head, body, signature] = (await tokenOf()).split('.') as [string, string, string];
        const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
        return [head, Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url'), signature].join(
          '.',
        );
      },
    ],
    ['that is no token', () => 'eyJhbGciOiJSUzI1NiJ9.not-json.AAAA'],
  ];

  it.each(cases)('%s gets the same 401', async (_what, make) => {
    const reply = await callTool(mcp, 'v__read', await make());
    const { error } = (await reply.json()) as { error: { message: string } };
    expect([reply.status, error.message]).toEqual([401, 'The token is not valid.']);
    expect(challengeOf(reply)).toEqual({
      realm: 'agent-switchboard',
      error: 'invalid_token',
      resource_metadata: new URL('/.well-known/oauth-protected-resource/mcp', mcp).href,
    });
  });

  it('leaves the reason in the log', async () => {
    await callTool(mcp, 'v__read', await tokenOf({ aud: 'https://another.example/mcp' }));
    expect(login.gateway.log()).toContain('its audience is');
  });

  it('in the URL is refused whatever it is, with a sentence that says where it belongs', async () => {
    const url = new URL(mcp);
    url.searchParams.set('access_token', await tokenOf());
    const message = modern(1, 'tools/list');
    const reply = await postModern(url, message);
    expect(reply.status).toBe(400);
    expect(await reply.text).toContain('Authorization: Bearer');
    expect(challengeOf(reply).error).toBe('invalid_request');
  });
});

describe('metadata of the protected resource', () => {
  const metadata = (path: string, more: object = {}) =>
    send(login.gateway.at(`/.well-known/oauth-protected-resource${path}`), { method: 'GET', ...more });

  it.each(['', '/mcp', '/mcp/', '/servers/v/mcp', '/servers/nobody-knows/mcp', '/sse', '/a2a/v/agent', '/v1'])(
    'at %j names the address that was typed',
    async (path) => {
      const reply = await metadata(path);
      expect(reply.status).toBe(200);
      expect(await reply.json()).toEqual({
        resource: mcp.origin + path,
        authorization_servers: [login.oidc.issuer],
        bearer_methods_supported: ['header'],
        resource_name: 'agent-switchboard',
      });
    },
  );

  it.each(['/admin', '/healthz', '/nothing', '/servers/v'])('does not exist at %j', async (path) => {
    expect((await metadata(path)).status).toBe(404);
  });

  it('can be read by a page of any origin, and only read', async () => {
    const reply = await metadata('/mcp', { headers: { origin: 'https://inspector.example' } });
    expect([reply.status, reply.headers['access-control-allow-origin']]).toEqual([200, '*']);
    expect((await metadata('/mcp', { method: 'POST' })).status).toBe(405);
    expect((await metadata('/mcp', { method: 'OPTIONS' })).status).toBe(204);
  });

  it('is named by the challenge of every endpoint, for that endpoint', async () => {
    for (const path of ['/mcp', '/servers/v/mcp', '/sse']) {
      const reply = await post(login.gateway.at(path), { jsonrpc: '2.0', id: 1, method: 'tools/list' });
      expect(reply.status).toBe(401);
      const named = challengeOf(reply).resource_metadata as string;
      expect(await (await fetch(named)).json()).toMatchObject({ resource: new URL(path, mcp).href });
      expect(challengeOf(reply).error).toBeUndefined();
    }
  });

  it('is not made of a Host header that nobody checked', async () => {
    const reply = await metadata('/mcp', { headers: { host: 'evil.example' } });
    expect(reply.status).toBe(403);
  });
});
