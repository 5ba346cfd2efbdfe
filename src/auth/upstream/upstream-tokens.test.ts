/** Credentials from the vault, with an issuer whose faults no real one makes (msw). */
import { randomBytes } from 'node:crypto';
import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CredentialServer, credentialsFor, GATEWAY_IDENTITY } from '../../core/credentials.ts';
import { identityOf } from '../../core/identity.ts';
import { createLog } from '../../observe/log.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import { describeCredentials } from '../credentials-cases.ts';
import { guardedFetch } from './guarded-fetch.ts';
import { Renewal } from './renewal.ts';
import { UpstreamTokens } from './upstream-tokens.ts';
import { type StoredLogin, Vault } from './vault.ts';
import { VaultKeys } from './vault-keys.ts';
import { VaultLogins } from './vault-logins.ts';

const ISSUER = 'https://issuer.example';
const URL_OF_SERVER = 'https://notes.example/mcp';
const CALLBACK = 'http://127.0.0.1:7300/connect/callback';
const server: CredentialServer = {
  name: 'notes',
  url: URL_OF_SERVER,
  headers: Object.freeze({ 'X-Own': '1' }),
  auth: { type: 'oauth', per: 'user' },
};
const log = createLog('silent');
const [ada, bob] = [identityOf('ada'), identityOf('bob')];
const metadata = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  registration_endpoint: `${ISSUER}/register`,
  response_types_supported: ['code'],
  code_challenge_methods_supported: ['S256'],
  authorization_response_iss_parameter_supported: true,
};
const resource = { resource: URL_OF_SERVER, authorization_servers: [ISSUER], scopes_supported: ['read'] };

let tokens = 0;
let asked: URLSearchParams[] = [];
const token = http.post(`${ISSUER}/token`, async ({ request }) => {
  asked.push(new URLSearchParams(await request.text()));
  const n = ++tokens;
  return HttpResponse.json({ access_token: `a${n}`, token_type: 'Bearer', refresh_token: `r${n}`, expires_in: 3600 });
});
const issuer = setupServer(
  http.get('https://notes.example/.well-known/oauth-protected-resource/mcp', () => HttpResponse.json(resource)),
  http.get(`${ISSUER}/.well-known/oauth-authorization-server`, () => HttpResponse.json(metadata)),
  http.post(`${ISSUER}/register`, () =>
    HttpResponse.json({ client_id: 'c', redirect_uris: [CALLBACK] }, { status: 201 }),
  ),
  token,
);
beforeAll(() => issuer.listen());
afterEach(() => {
  issuer.resetHandlers();
  asked = [];
});
afterAll(() => issuer.close());

const guard = () => ({ check: async () => {}, lookup: () => {} });
const loginOf = (principal: string, more: Partial<StoredLogin> = {}): StoredLogin => ({
  ...{ principal, grant: principal, server: 'notes', url: URL_OF_SERVER, issuer: ISSUER, resource: URL_OF_SERVER },
  ...{
    accessToken: `access-${principal}`,
    tokenType: 'Bearer',
    refreshToken: `refresh-${principal}`,
    scopes: ['read'],
  },
  ...{
    since: 1,
    expiresAt: undefined,
    client: { client_id: 'c' },
    redirectUri: CALLBACK,
    metadata,
    dpopKey: undefined,
  },
  ...more,
});

function rig(...logins: StoredLogin[]) {
  const state = memoryState(log);
  const vault = new Vault(state.kv, new VaultKeys([randomBytes(32)]), log);
  // In memory it is there before anything is awaited.
  for (const login of logins) void vault.keep(login);
  const fetchFor = ({ name }: CredentialServer) =>
    guardedFetch({ server: name, guard, trustedHosts: new Set(), timeoutMs: 2_000 });
  const credentials = new UpstreamTokens({ vault, renewal: new Renewal(vault, state.kv), fetchFor });
  const find = (name: string) => (name === 'notes' ? server : undefined);
  const parts = { vault, tokens: credentials, bus: state.bus, replica: state.replica, log, publicUrl: undefined };
  return { state, vault, credentials, logins: new VaultLogins({ ...parts, fetchFor, server: find }) };
}

describeCredentials('the vault', () => ({
  credentials: rig(loginOf('ada'), loginOf('bob')).credentials,
  server,
  perPrincipal: true,
  after401: 'retry',
}));

const bearer = (headers: object): string => (headers as { Authorization: string }).Authorization;
const refuse = (credentials: UpstreamTokens, status: 401 | 403 = 401, challenge = 'Bearer error="invalid_token"') =>
  credentials.refused({ identity: ada, server, status, challenge });

describe('a refused token', () => {
  it('is renewed once for all requests that carried it', async () => {
    const { credentials } = rig(loginOf('ada'));
    const shown = await credentials.headersFor(ada, server);
    const refusal = { identity: ada, server, status: 401, challenge: 'Bearer', shown } as const;
    expect(await Promise.all([1, 2, 3].map(() => credentials.refused(refusal)))).toEqual(['retry', 'retry', 'retry']);
    expect(asked.map((params) => params.get('refresh_token'))).toEqual(['refresh-ada']);
    expect(asked[0]?.get('resource')).toBe(URL_OF_SERVER);
    expect(await credentials.refused(refusal)).toBe('retry');
    expect(asked).toHaveLength(1);
  });

  it('is dropped when the issuer says that its login is over, and the person is asked', async () => {
    issuer.use(http.post(`${ISSUER}/token`, () => HttpResponse.json({ error: 'invalid_grant' }, { status: 400 })));
    const { credentials, vault } = rig(loginOf('ada'), loginOf('bob'));
    await credentials.headersFor(ada, server);
    await expect(refuse(credentials)).rejects.toMatchObject({
      code: 'SWB_LOGIN_NEEDED',
      data: { server: 'notes', reason: 'expired', scopes: ['read'] },
    });
    expect(await vault.login('ada', 'notes')).toBeUndefined();
    expect(bearer(await credentials.headersFor(bob, server))).toBe('Bearer access-bob');
  });

  it.each([
    ['fails', () => HttpResponse.json({ error: 'server_error' }, { status: 503 })],
    ['answers with a page', () => HttpResponse.html('<h1>refresh-ada</h1>', { status: 502 })],
    ['answers with no token', () => HttpResponse.json({ access_token: 7 })],
    ['redirects elsewhere', () => HttpResponse.redirect('https://evil.example/token', 307)],
    ['breaks off', () => HttpResponse.error()],
    ['sends too much', () => HttpResponse.text('x'.repeat(300_000))],
    ['says nothing', () => new Promise<never>(() => {})],
  ])('is kept when the issuer %s, and the request fails clearly', async (_, answer) => {
    issuer.use(http.post(`${ISSUER}/token`, answer));
    const { credentials, vault } = rig(loginOf('ada'));
    await credentials.headersFor(ada, server);
    const error = await refuse(credentials).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'SWB_UPSTREAM_UNAVAILABLE', retryAfterMs: expect.any(Number) });
    expect(JSON.stringify([String(error), (error as Error).cause])).not.toMatch(/refresh-ada|access-ada/);
    expect((await vault.login('ada', 'notes'))?.refreshToken).toBe('refresh-ada');
  });

  it.each([
    ['succeeds', () => HttpResponse.json({ access_token: 'late', token_type: 'Bearer' })],
    ['fails', () => HttpResponse.json({ error: 'invalid_grant' }, { status: 400 })],
  ])('is not renewed over a login that was made meanwhile, when the renewal %s', async (_, answer) => {
    const { credentials, vault } = rig(loginOf('ada'));
    const anew = loginOf('ada', { accessToken: 'of-the-new-login', since: 2 });
    issuer.use(
      http.post(`${ISSUER}/token`, async () => {
        await vault.keep(anew);
        return answer();
      }),
    );
    await credentials.headersFor(ada, server);
    expect(await refuse(credentials)).toBe('retry');
    expect(bearer(await credentials.headersFor(ada, server))).toBe('Bearer of-the-new-login');
    expect(await vault.login('ada', 'notes')).toEqual(anew);
  });

  it('is renewed where it was forgotten since it was shown', async () => {
    const { credentials } = rig(loginOf('ada'));
    const shown = await credentials.headersFor(ada, server);
    credentials.changed('notes', 'ada', true);
    const refusal = { identity: ada, server, status: 401, challenge: 'Bearer', shown } as const;
    expect(await credentials.refused(refusal)).toBe('retry');
    expect(await credentials.headersFor(ada, server)).not.toEqual(shown);
    expect(asked).toHaveLength(1);
  });

  it('is renewed where it was forgotten since it was shown, and another request found it again', async () => {
    const { credentials } = rig(loginOf('ada'));
    const shown = await credentials.headersFor(ada, server);
    credentials.changed('notes', 'ada', false);
    expect(await credentials.headersFor(ada, server)).toEqual(shown);
    expect(await credentials.refused({ identity: ada, server, status: 401, challenge: 'Bearer', shown })).toBe('retry');
    expect(asked.map((params) => params.get('refresh_token'))).toEqual(['refresh-ada']);
  });

  it('is not renewed again where another request found the new one, though the issuer failed before', async () => {
    const { credentials, vault } = rig(loginOf('ada'));
    const shown = await credentials.headersFor(ada, server);
    const refusal = { identity: ada, server, status: 401, challenge: 'Bearer', shown } as const;
    credentials.changed('notes', 'ada', false);
    issuer.use(http.post(`${ISSUER}/token`, () => HttpResponse.error()));
    await expect(credentials.refused(refusal)).rejects.toMatchObject({ code: 'SWB_UPSTREAM_UNAVAILABLE' });
    // Another replica, whose message has not arrived here.
    await vault.keep(loginOf('ada', { accessToken: 'of-another-replica' }));
    expect(await credentials.refused(refusal)).toBe('retry');
    expect(bearer(await credentials.headersFor(ada, server))).toBe('Bearer of-another-replica');
    expect(asked).toEqual([]);
  });

  it('keeps its refresh token where the issuer gives no other one', async () => {
    issuer.use(http.post(`${ISSUER}/token`, () => HttpResponse.json({ access_token: 'next', token_type: 'Bearer' })));
    const { credentials, vault } = rig(loginOf('ada'));
    await credentials.headersFor(ada, server);
    expect(await refuse(credentials)).toBe('retry');
    expect(await vault.login('ada', 'notes')).toMatchObject({ accessToken: 'next', refreshToken: 'refresh-ada' });
  });

  it('without a refresh token is not asked for again', async () => {
    const { credentials } = rig(loginOf('ada', { refreshToken: undefined }));
    await credentials.headersFor(ada, server);
    await expect(refuse(credentials)).rejects.toMatchObject({ data: { reason: 'expired' } });
    expect(asked).toHaveLength(0);
  });
});

describe('a token', () => {
  it('that has ended is renewed before it is shown', async () => {
    const ended = loginOf('ada', { expiresAt: Date.now() - 1 });
    const { credentials } = rig(ended);
    expect(bearer(await credentials.headersFor(ada, server))).toMatch(/^Bearer a\d+$/);
    expect(asked).toHaveLength(1);
  });

  it('of another address of the server is not shown to it', async () => {
    const { credentials } = rig(loginOf('ada', { url: 'https://elsewhere.example/mcp' }));
    expect(await credentials.headersFor(ada, server)).toBe(server.headers);
  });

  it("is lent to the gateway's own requests, and its refusal by missing scopes asks nobody", async () => {
    const { credentials } = rig(loginOf('ada'));
    expect(bearer(await credentials.headersFor(GATEWAY_IDENTITY, server))).toBe('Bearer access-ada');
    const challenge = 'Bearer error="insufficient_scope", scope="write"';
    expect(await credentials.refused({ identity: GATEWAY_IDENTITY, server, status: 403, challenge })).toBe('give-up');
  });

  it('that lacks a scope leads to a login with the union; one that has all does not', async () => {
    const { credentials } = rig(loginOf('ada'));
    await credentials.headersFor(ada, server);
    await expect(refuse(credentials, 403, 'Bearer error="insufficient_scope", scope="write"')).rejects.toMatchObject({
      code: 'SWB_LOGIN_NEEDED',
      data: { reason: 'step-up', scopes: ['read', 'write'] },
    });
    expect(await refuse(credentials, 403, 'Bearer error="insufficient_scope", scope="read"')).toBe('give-up');
    expect(await refuse(credentials, 403, '')).toBe('give-up');
  });
});

describe('a server whose entry says nothing', () => {
  const auto: CredentialServer = { ...server, auth: { type: 'auto', per: 'user' } };

  it('gets what is configured, at once, until it asks for a token', async () => {
    const { credentials } = rig();
    expect(credentials.headersFor(ada, auto)).toBe(auto.headers);
    const challenge = `Bearer resource_metadata="https://notes.example/.well-known/oauth-protected-resource/mcp", scope="read"`;
    await expect(
      credentialsFor(credentials, auto).refused?.(ada, 401, challenge, { shown: auto.headers }),
    ).rejects.toMatchObject({ code: 'SWB_LOGIN_NEEDED', data: { reason: 'login', scopes: ['read'] } });
  });

  it('and that has no metadata is refused as ever', async () => {
    issuer.use(http.get('https://notes.example/.well-known/*', () => new HttpResponse(null, { status: 404 })));
    const { credentials } = rig();
    expect(await credentials.refused({ identity: ada, server: auto, status: 401, challenge: 'Bearer' })).toBe(
      'give-up',
    );
  });
});

describe('a login', () => {
  const begin = async (of = rig()) => {
    const { authorizationUrl, state } = await of.logins.begin(ada, 'notes', { redirectUri: CALLBACK });
    return { ...of, url: new URL(authorizationUrl), state };
  };
  const back = (state: string, more: Record<string, string> = {}) => ({
    code: 'the-code',
    state,
    iss: ISSUER,
    ...more,
  });

  it('asks for what the server names, with PKCE, and ends with a token for this principal alone', async () => {
    const { url, state, logins, credentials } = await begin();
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      ...{ response_type: 'code', client_id: 'c', redirect_uri: CALLBACK, state, scope: 'read' },
      ...{ resource: URL_OF_SERVER, code_challenge_method: 'S256' },
    });
    const heard: unknown[] = [];
    logins.onFinished((finished) => heard.push(finished));
    expect(await logins.pending(state)).toEqual({ principal: 'ada', server: 'notes' });
    expect(await logins.finish(state, back(state))).toEqual({ principal: 'ada', server: 'notes' });
    expect(heard).toEqual([{ principal: 'ada', server: 'notes' }]);
    expect(bearer(await credentials.headersFor(ada, server))).toMatch(/^Bearer a\d+$/);
    expect(await credentials.headersFor(bob, server)).toBe(server.headers);
    expect(await logins.status('ada')).toMatchObject([
      { server: 'notes', issuer: ISSUER, state: 'connected', renewable: true },
    ]);
    await expect(logins.finish(state, back(state))).rejects.toMatchObject({ code: 'SWB_LOGIN_FAILED' });
  });

  it.each([
    ['of another issuer', { iss: 'https://evil.example' }],
    ['with an issuer that is only similar', { iss: `${ISSUER}/` }],
    ['of another login', { state: 'another' }],
    ['without a code', { code: '' }],
    ['that declines', { error: 'access_denied', error_description: 'the-code was seen' }],
  ])('is refused with an answer %s, and no code is sent', async (_, more) => {
    const { state, logins } = await begin();
    const error = await logins.finish(state, back(state, more)).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'SWB_LOGIN_FAILED', message: expect.not.stringContaining('the-code') });
    expect(asked).toHaveLength(0);
    expect(await logins.status()).toEqual([]);
  });

  it('without iss is refused where the issuer always sends it', async () => {
    const { state, logins } = await begin();
    await expect(logins.finish(state, { code: 'x', state })).rejects.toMatchObject({ code: 'SWB_LOGIN_FAILED' });
  });

  it.each([
    ['whose metadata are of another issuer', { ...metadata, issuer: 'https://evil.example' }],
    ['that does not say that it checks PKCE', { ...metadata, code_challenge_methods_supported: undefined }],
    ['that checks plain PKCE only', { ...metadata, code_challenge_methods_supported: ['plain'] }],
    [
      'that has people log in without https',
      { ...metadata, authorization_endpoint: 'http://issuer.example/authorize' },
    ],
    ['that has them run a script', { ...metadata, authorization_endpoint: 'javascript:alert(1)' }],
    ['that registers nobody', { ...metadata, registration_endpoint: undefined }],
  ])('does not begin at an issuer %s', async (_, document) => {
    issuer.use(http.get(`${ISSUER}/.well-known/*`, () => HttpResponse.json(document)));
    await expect(begin()).rejects.toMatchObject({ code: 'SWB_LOGIN_FAILED' });
  });

  it.each([
    [
      'with its code alone',
      { error: 'invalid_client_metadata', error_description: 'a secret' },
      ' (invalid_client_metadata)',
    ],
    ['without words of its own', '<html>a secret</html>', ''],
  ])('does not begin at an issuer that refuses the registration, %s', async (_, answer, why) => {
    issuer.use(http.post(`${ISSUER}/register`, () => HttpResponse.json(answer, { status: 400 })));
    await expect(begin()).rejects.toMatchObject({
      code: 'SWB_LOGIN_FAILED',
      message: `Nobody can be logged in to server 'notes': its authorization server did not register the gateway${why}.`,
    });
  });

  it('does not begin where the metadata are about another resource', async () => {
    issuer.use(
      http.get('https://notes.example/.well-known/*', () =>
        HttpResponse.json({ ...resource, resource: 'https://evil.example/mcp' }),
      ),
    );
    await expect(begin()).rejects.toMatchObject({ code: 'SWB_LOGIN_FAILED', data: { reason: 'resource' } });
  });

  it('is bounded in number for each principal', async () => {
    const of = rig();
    for (let n = 0; n < 20; n++) await begin(of);
    await expect(begin(of)).rejects.toMatchObject({ code: 'SWB_BUSY' });
    await expect(of.logins.begin(bob, 'notes', { redirectUri: CALLBACK })).resolves.toBeDefined();
  });

  it('is over when it is revoked, or its grant is gone', async () => {
    const { logins, credentials } = rig(loginOf('ada'), loginOf('bob'));
    await credentials.headersFor(ada, server);
    expect(await logins.revoke('ada', 'notes')).toBe(true);
    expect(await logins.revoke('ada', 'notes')).toBe(false);
    expect(await credentials.headersFor(ada, server)).toBe(server.headers);
    await logins.revokeGrants((grant) => grant !== 'bob');
    expect(await logins.status()).toEqual([]);
  });
});
