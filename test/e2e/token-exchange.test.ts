/** Servers that are called with tokens made of the callers' own: token exchange and cross-app access, with real authorization servers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, exportPKCS8, generateKeyPair } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { isRefused, legacy, modern } from '../attacks/talk.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { type ProtectedServer, startProtected } from '../fixtures/protected-server.ts';
import { type Exchanged, exchangesTokens, JWT_BEARER, TOKEN_EXCHANGE } from '../fixtures/token-exchange.ts';
import { grant } from '../policy/grants.ts';
import { type OwnGateway, startGateway } from './gateway.ts';
import type { RawReply } from './raw.ts';
import { until } from './until.ts';

const SECRET = 'a-secret-of-the-gateway-0123456789';
const machines = grant({ policy: { version: '1', default: 'allow' } });

/** The company's own authorization server, and that of another company's server. */
let idp: Oidc;
let theirs: Oidc;
let keyPem: string;
let folder: string;
let upstream: RecordingUpstream;
let server: ProtectedServer;
let gateway: OwnGateway;
let asked: Exchanged[];
let redeemed: Exchanged[];

const client = (client_id: string, grant_type: string, more: object = {}) => ({
  ...{ client_id, client_secret: SECRET, grant_types: [grant_type], redirect_uris: [], response_types: [] },
  ...more,
});

beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  keyPem = await exportPKCS8(privateKey);
  const keyed = { token_endpoint_auth_method: 'private_key_jwt', client_secret: undefined };
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256', kid: 'gateway', use: 'sig' }] };
  const none = { token_endpoint_auth_method: 'none', client_secret: undefined };
  const basic = { token_endpoint_auth_method: 'client_secret_basic' };
  [idp, theirs] = await Promise.all([
    startOidc({
      scopes: ['read', 'write'],
      clients: [
        client('gateway', TOKEN_EXCHANGE, basic),
        client('open', TOKEN_EXCHANGE, none),
        client('keyed', TOKEN_EXCHANGE, { ...keyed, jwks }),
      ] as never,
    }),
    startOidc({ scopes: ['read', 'write'], clients: [client('gateway-there', JWT_BEARER, basic)] as never }),
  ]);
  upstream = await startRecording({ era: 'modern' });
  folder = mkdtempSync(join(tmpdir(), 'switchboard-exchange-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await Promise.all([idp?.close(), theirs?.close(), upstream?.close()]);
});
beforeEach(() => {
  asked = exchangesTokens(idp, { clientThere: 'gateway-there', refused: ['mallory'] });
  redeemed = exchangesTokens(theirs, { of: idp });
});
afterEach(async () => {
  await gateway?.close();
  await server?.close();
});

interface Setup {
  at?: Oidc;
  auth: Record<string, unknown>;
  scopeOf?: (method: string) => string | undefined;
}

async function start({ at = idp, auth, scopeOf }: Setup): Promise<void> {
  server = await startProtected({ oidc: at, upstream: upstream.url, ...(scopeOf ? { scopeOf } : {}) });
  gateway = await startGateway({
    servers: { notes: { url: server.url, kind: 'mcp', auth } },
    gateway: {
      auth: { issuers: [{ issuer: idp.issuer, grant: 'local' }] },
      grants: { machines: machines.entry },
      // A busy machine may take long to connect.
      firstList: { httpMs: 60_000 },
    },
  });
  await gateway.gateway.settled();
}

const tokenOf = (sub: string, more: object = {}): Promise<string> =>
  idp.sign(idp.claims(gateway.url, { sub, ...more }));
const withToken = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const as = async (sub: string) => withToken(await tokenOf(sub));

const echo = async (key: { headers: Record<string, string> }): Promise<RawReply> =>
  modern(gateway.url, key, 'tools/call', { name: 'notes__echo', arguments: {} });
const toolsOf = async (key: { headers: Record<string, string> }): Promise<string[]> => {
  const { result } = JSON.parse((await modern(gateway.url, key, 'tools/list')).text) as {
    result: { tools: { name: string }[] };
  };
  return result.tools.map(({ name }) => name);
};
const callers = (): string[] => server.heard.filter((each) => each.endsWith('tools/call'));
const subjects = (of: readonly Exchanged[]): (string | undefined)[] => of.map(({ subject }) => subject);

const EXCHANGE = { type: 'token_exchange', clientId: 'gateway', clientSecret: SECRET };

describe('a server called with exchanged tokens, before anybody came', () => {
  it('waits for a caller without asking anybody again and again, and says so', async () => {
    await start({ auth: EXCHANGE });
    expect(gateway.status('notes')).toMatchObject({
      state: 'degraded',
      error: "Server 'notes' is called with tokens of callers, and none has come yet",
    });
    const before = server.requests;
    for (let n = 0; n < 5; n++) expect(isRefused(await echo(withToken(machines.key)))).toBe(true);
    expect((await echo(withToken(machines.key))).text).toContain('did not log in to the gateway with one');
    expect(server.requests).toBe(before);
    expect(asked).toEqual([]);
  });

  it('is connected for the first caller with a token, whose list has its tools', async () => {
    await start({ auth: EXCHANGE });
    expect(await toolsOf(withToken(machines.key))).not.toContain('notes__echo');
    expect(await toolsOf(await as('alice'))).toContain('notes__echo');
    expect(gateway.status('notes').state).toBe('ready');
    expect(isRefused(await echo(await as('bob')))).toBe(false);
    expect(callers()).toEqual(['bob tools/call']);
    expect(subjects(asked)).toEqual(['alice', 'bob']);
  });

  it('is connected for the first call by name, in a legacy session too', async () => {
    await start({ auth: EXCHANGE });
    const session = await legacy(gateway.at('/servers/notes/mcp'), {
      headers: { authorization: `Bearer ${await idp.sign(idp.claims(gateway.at('/servers/notes/mcp').href))}` },
    });
    const reply = await session.request('tools/call', { name: 'echo', arguments: {} });
    expect(isRefused(reply)).toBe(false);
    expect(callers()).toEqual(['alice tools/call']);
  });

  it('lists without a caller where it has a token for its own requests', async () => {
    const file = join(folder, 'subject.jwt');
    writeFileSync(file, await idp.sign(idp.claims('https://gateway.example', { sub: 'service' })));
    await start({ auth: { ...EXCHANGE, subjectToken: { file } } });
    await gateway.reaches('notes', 'ready');
    expect(isRefused(await echo(await as('alice')))).toBe(false);
    expect(callers()).toEqual(['alice tools/call']);
    expect(isRefused(await echo(withToken(machines.key)))).toBe(true);
    expect(subjects(asked)).toEqual(['service', 'alice']);
  });
});

describe('a token exchange', () => {
  it.each([
    ['with a secret', {}, 'gateway'],
    ['of a public client', { clientId: 'open', clientSecret: undefined }, 'open'],
    ['with a key', { clientId: 'keyed', clientSecret: undefined, privateKey: true }, 'keyed'],
  ])('%s makes a token for this server alone', async (_, more, clientId) => {
    const { privateKey, ...rest } = more as { privateKey?: true };
    await start({ auth: { ...EXCHANGE, ...rest, ...(privateKey ? { privateKey: keyPem } : {}), scopes: ['read'] } });
    expect(isRefused(await echo(await as('alice')))).toBe(false);
    expect(asked).toEqual([
      {
        client: clientId,
        subject: 'alice',
        type: 'access_token',
        resource: server.url,
        audience: undefined,
        scope: 'read',
      },
    ]);
    expect(JSON.stringify(upstream.heard)).not.toMatch(/eyJ[\w-]+\.eyJ/);
  });

  it('names the audience that is configured', async () => {
    await start({ auth: { ...EXCHANGE, audience: 'notes' } });
    await echo(await as('alice'));
    expect(asked[0]).toMatchObject({ audience: 'notes', resource: server.url });
  });

  it('is made anew for each token that a caller comes with, and once for all requests with it', async () => {
    await start({ auth: EXCHANGE });
    const [first, second] = [withToken(await tokenOf('alice')), withToken(await tokenOf('alice', { jti: 'second' }))];
    await Promise.all([echo(first), echo(first), echo(first)]);
    expect(asked).toHaveLength(1);
    await Promise.all([echo(second), echo(first), echo(second)]);
    expect(asked).toHaveLength(2);
  });

  it('asks what its authorization server publishes once, for however many callers', async () => {
    const published = (): number =>
      [...idp.requests].reduce((sum, [path, times]) => sum + (path.startsWith('/.well-known/') ? times : 0), 0);
    await start({ auth: EXCHANGE });
    await echo(await as('alice'));
    const before = published();
    for (const who of ['bob', 'carol', 'dave']) expect(isRefused(await echo(await as(who)))).toBe(false);
    expect(subjects(asked)).toEqual(['alice', 'bob', 'carol', 'dave']);
    expect(published()).toBe(before);
  });

  it('asks for a scope that the server then wants, before the call has run', async () => {
    await start({
      auth: { ...EXCHANGE, scopes: ['read'] },
      scopeOf: (method) => (method === 'tools/call' ? 'write' : 'read'),
    });
    expect(isRefused(await echo(await as('alice')))).toBe(false);
    expect(callers()).toEqual(['alice tools/call']);
    expect(asked.map(({ scope }) => scope)).toEqual(['read', 'read write']);
  });

  it('that is refused fails for this caller, and serves the next one', async () => {
    await start({ auth: EXCHANGE });
    const refused = await tokenOf('mallory');
    const reply = await echo(withToken(refused));
    expect(reply.text).toContain('access_denied');
    expect(reply.text).not.toContain(refused);
    expect(isRefused(await echo(await as('bob')))).toBe(false);
    expect(callers()).toEqual(['bob tools/call']);
  });

  it('keeps the gateway going while the authorization server fails, and goes on afterwards', async () => {
    await start({ auth: EXCHANGE });
    const alice = await as('alice');
    await echo(alice);
    idp.down = true;
    const bob = await as('bob');
    expect(isRefused(await echo(bob))).toBe(true);
    expect(isRefused(await echo(alice))).toBe(false);
    idp.down = false;
    // A failure stands for two seconds.
    await until(async () => !isRefused(await echo(bob)), 'bob is served');
    expect(callers()).toEqual(['alice tools/call', 'alice tools/call', 'bob tools/call']);
  });
});

describe('cross-app access', () => {
  const XAA = { type: 'xaa', clientId: 'gateway-there', clientSecret: SECRET };
  const idpEntry = (more: object = {}) => ({ issuer: idp.issuer, clientId: 'gateway', clientSecret: SECRET, ...more });

  it.each([
    ['whose endpoint its metadata name', {}],
    ['whose endpoint is configured', { tokenEndpoint: true }],
    ['to which the gateway is a public client', { clientId: 'open', clientSecret: undefined }],
  ])('has an identity provider %s vouch for the caller', async (_, more) => {
    const entry = 'tokenEndpoint' in more ? { tokenEndpoint: `${idp.issuer}/token` } : more;
    await start({ at: theirs, auth: { ...XAA, idp: idpEntry(entry), scopes: ['read'] } });
    expect(await toolsOf(await as('alice'))).toContain('notes__echo');
    expect(isRefused(await echo(await as('bob')))).toBe(false);
    expect(callers()).toEqual(['bob tools/call']);
    expect(asked.map(({ subject, type, audience, resource }) => [subject, type, audience, resource])).toEqual([
      ['alice', 'access_token', theirs.issuer, server.url],
      ['bob', 'access_token', theirs.issuer, server.url],
    ]);
    expect(redeemed.map(({ client: who, subject, resource, scope }) => [who, subject, resource, scope])).toEqual([
      ['gateway-there', 'alice', server.url, 'read'],
      ['gateway-there', 'bob', server.url, 'read'],
    ]);
  });

  it('asks what the two authorization servers publish once, for however many callers', async () => {
    const published = (): number[] =>
      [idp, theirs].map(({ requests }) =>
        [...requests].reduce((sum, [path, times]) => sum + (path.startsWith('/.well-known/') ? times : 0), 0),
      );
    await start({ at: theirs, auth: { ...XAA, idp: idpEntry() } });
    await echo(await as('alice'));
    const before = published();
    for (const who of ['bob', 'carol']) expect(isRefused(await echo(await as(who)))).toBe(false);
    expect(subjects(redeemed)).toEqual(['alice', 'bob', 'carol']);
    expect(published()).toEqual(before);
  });

  it('has an ID token of its own exchanged for the requests of the gateway', async () => {
    const value = await idp.sign({ ...idp.claims('gateway', { sub: 'service' }) });
    await start({ at: theirs, auth: { ...XAA, idp: idpEntry(), subjectToken: { value } } });
    await gateway.reaches('notes', 'ready');
    expect(asked.map(({ subject, type }) => [subject, type])).toEqual([['service', 'id_token']]);
  });

  it('shows nothing to the authorization server of the server where it gets no grant', async () => {
    // One that knows token exchange, and gives an access token whatever it is asked for.
    asked = exchangesTokens(idp, { knowsGrants: false });
    await start({ at: theirs, auth: { ...XAA, idp: idpEntry() } });
    const reply = await echo(await as('alice'));
    expect(reply.text).toContain('the identity provider gives no grant for it');
    expect(redeemed).toEqual([]);
    expect(asked).toHaveLength(1);
  });

  it('fails for a person whom the identity provider refuses, with its code', async () => {
    await start({ at: theirs, auth: { ...XAA, idp: idpEntry() } });
    expect((await echo(await as('mallory'))).text).toContain('access_denied');
    expect(redeemed).toEqual([]);
  });
});
