/** Logging in to servers through the whole gateway, at a real authorization server (oidc-provider). */
import { afterEach, describe, expect, it } from 'vitest';
import { headerAuthenticator } from '../../src/auth/testing/header-authenticator.ts';
import type { Logins } from '../../src/auth/upstream/types.ts';
import { identityOf } from '../../src/core/identity.ts';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { isRefused, modern } from '../attacks/talk.ts';
import { MACHINE_SECRET, type Oidc, type OidcOptions, startOidc } from '../fixtures/oidc.ts';
import { type ProtectedServer, type Protection, startProtected } from '../fixtures/protected-server.ts';
import { type OwnGateway, startGateway } from './gateway.ts';

const as = (user: string) => ({ headers: { 'x-user': user } });
const who = (user: string) => ({ ...identityOf(user), grant: undefined });

let oidc: Oidc;
let upstream: RecordingUpstream;
let server: ProtectedServer;
let gateway: OwnGateway;

interface Setup {
  oidc?: OidcOptions;
  protection?: Partial<Protection>;
  entry?: Record<string, unknown>;
}

async function start({ oidc: options = {}, protection = {}, entry = {} }: Setup = {}): Promise<Logins> {
  oidc = await startOidc({ scopes: ['read', 'write'], ...options });
  upstream = await startRecording({ era: 'modern' });
  server = await startProtected({ oidc, upstream: upstream.url, ...protection });
  gateway = await startGateway({
    servers: { notes: { url: server.url, kind: 'mcp', ...entry } },
    embedded: { auth: headerAuthenticator() },
  });
  await gateway.gateway.settled();
  return gateway.gateway.logins as Logins;
}
afterEach(async () => {
  await gateway?.close();
  await server?.close();
  await upstream?.close();
  await oidc?.close();
});

async function logIn(user: string): Promise<void> {
  const logins = gateway.gateway.logins as Logins;
  const redirectUri = gateway.at('/connect/callback').href;
  const { authorizationUrl, state } = await logins.begin(who(user), 'notes', { redirectUri });
  const back = await oidc.login(authorizationUrl, user);
  await logins.finish(state, back.searchParams);
  await gateway.reaches('notes', 'ready');
}

const echo = (user: string) => modern(gateway.url, as(user), 'tools/call', { name: 'notes__echo', arguments: {} });
const callers = (): string[] => server.heard.filter((each) => each.endsWith('tools/call'));

describe('a server that asks for logins', () => {
  it('says who has to log in, and then serves each with a token of his own', async () => {
    const logins = await start();
    expect(gateway.status('notes')).toMatchObject({ state: 'degraded' });
    expect((await logins.needed(who('alice'), 'notes'))?.reason).toBe('login');
    await logIn('alice');
    expect(isRefused(await echo('alice'))).toBe(false);
    expect(isRefused(await echo('bob'))).toBe(true);
    expect((await logins.needed(who('bob'), 'notes'))?.reason).toBe('login');
    await logIn('bob');
    expect(isRefused(await echo('bob'))).toBe(false);
    expect(callers()).toEqual(['alice tools/call', 'bob tools/call']);
    expect((await logins.status()).map(({ principal, issuer }) => [principal, issuer]).sort()).toEqual([
      ['alice', oidc.issuer],
      ['bob', oidc.issuer],
    ]);
  });

  it('gets a call once more with a renewed token when it refuses one, and the call runs once', async () => {
    await start();
    await logIn('alice');
    const issued = oidc.requests.get('/token') ?? 0;
    server.refusals = 1;
    expect(isRefused(await echo('alice'))).toBe(false);
    expect(callers()).toEqual(['alice tools/call']);
    expect(oidc.requests.get('/token')).toBe(issued + 1);
  });

  it('gets a call no third time, and the call has not run', async () => {
    await start();
    await logIn('alice');
    const issued = oidc.requests.get('/token') ?? 0;
    server.refusals = 2;
    const before = server.requests;
    expect(isRefused(await echo('alice'))).toBe(true);
    expect([server.requests - before, oidc.requests.get('/token')]).toEqual([2, issued + 1]);
    expect(callers()).toEqual([]);
  });

  it('asks the person again when the issuer does not know the login any more', async () => {
    const logins = await start();
    await logIn('alice');
    // Keys and grants of before are gone.
    await oidc.rotate();
    expect(isRefused(await echo('alice'))).toBe(true);
    expect(callers()).toEqual([]);
    expect(await logins.needed(who('alice'), 'notes')).toMatchObject({ reason: 'expired' });
    expect(await logins.status()).toEqual([]);
  });

  it('keeps a login while its issuer is down, and says so', async () => {
    const logins = await start();
    await logIn('alice');
    oidc.down = true;
    server.refusals = 1;
    expect((await echo('alice')).text).toMatch(/authorization server/);
    expect(await logins.status('alice')).toMatchObject([{ state: 'connected', renewable: true }]);
    oidc.down = false;
    expect(isRefused(await echo('alice'))).toBe(false);
  });

  it('asks for more scopes with the next login, and gets the union', async () => {
    const scopeOf = (method: string): string => (method === 'tools/call' ? 'write' : 'read');
    const logins = await start({ protection: { scopeOf } });
    await logIn('alice');
    expect((await logins.status('alice'))[0]?.scopes).toContain('read');
    expect(isRefused(await echo('alice'))).toBe(true);
    expect(await logins.needed(who('alice'), 'notes')).toMatchObject({ reason: 'step-up' });
    await logIn('alice');
    expect(isRefused(await echo('alice'))).toBe(false);
    expect((await logins.status('alice'))[0]?.scopes).toEqual(expect.arrayContaining(['read', 'write']));
  });

  it('at a call alone is connected without a login', async () => {
    const open = new Set([
      'server/discover',
      'tools/list',
      'resources/list',
      'prompts/list',
      'resources/templates/list',
    ]);
    const logins = await start({ protection: { open } });
    await gateway.reaches('notes', 'ready');
    expect(isRefused(await echo('alice'))).toBe(true);
    expect(await logins.needed(who('alice'), 'notes')).toMatchObject({ reason: 'login' });
    await logIn('alice');
    expect(isRefused(await echo('alice'))).toBe(false);
  });

  it('forgets a login that is revoked, at the issuer too', async () => {
    const logins = await start();
    await logIn('alice');
    expect(await logins.revoke('alice', 'notes')).toBe(true);
    expect(oidc.requests.get('/token/revocation')).toBe(1);
    expect(isRefused(await echo('alice'))).toBe(true);
    expect(callers()).toEqual([]);
  });

  it('keeps tokens out of what is logged, stored and answered', async () => {
    await start();
    await logIn('alice');
    const { text } = await echo('alice');
    for (const said of [text, gateway.log()]) expect(said).not.toMatch(/eyJ[\w-]+\.eyJ/);
  });
});

describe('a token of the gateway itself', () => {
  it('by client credentials serves everybody', async () => {
    await start({
      entry: {
        auth: { type: 'client_credentials', clientId: 'machine', clientSecret: MACHINE_SECRET, scopes: ['read'] },
      },
    });
    await gateway.reaches('notes', 'ready');
    for (const user of ['alice', 'bob']) expect(isRefused(await echo(user))).toBe(false);
    expect(new Set(callers())).toEqual(new Set(['machine tools/call']));
    expect(oidc.requests.get('/token')).toBe(1);
  });
});
