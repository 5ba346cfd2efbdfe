/** Tokens towards servers that are bound to a key (DPoP), with a real authorization server that wants a nonce. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { headerAuthenticator } from '../../src/auth/testing/header-authenticator.ts';
import { identityOf } from '../../src/core/identity.ts';
import { createLog } from '../../src/observe/log.ts';
import { memoryState } from '../../src/state/memory/memory-state.ts';
import type { State } from '../../src/state/state.ts';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { isRefused, modern } from '../attacks/talk.ts';
import { type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { type ProtectedServer, startProtected } from '../fixtures/protected-server.ts';
import { type Replica, replicaOn } from './replica.ts';

/** Refresh tokens of clients without a secret are bound to the key (RFC 9449, 5). */
const OPEN = {
  client_id: 'open',
  redirect_uris: ['http://127.0.0.1:7300/connect/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code' as const],
  token_endpoint_auth_method: 'none' as const,
  application_type: 'native' as const,
};

let oidc: Oidc;
let upstream: RecordingUpstream;
let server: ProtectedServer;

beforeAll(async () => {
  oidc = await startOidc({ scopes: ['read'], dpopNonce: true, clients: [OPEN] });
  upstream = await startRecording({ era: 'modern' });
});
beforeEach(async () => {
  server = await startProtected({ oidc, upstream: upstream.url, dpop: true });
});
afterEach(() => server?.close());
afterAll(async () => {
  await Promise.all([oidc?.close(), upstream?.close()]);
});

const who = (user: string) => ({ ...identityOf(user), grant: undefined });
const keysOf = (user: string): string[] => [...(server.keys.get(user) ?? [])];

describe('a server that wants tokens bound to a key', () => {
  let gateway: OwnGateway;
  afterEach(() => gateway?.close());

  const start = (folder?: string): Promise<OwnGateway> =>
    startGateway({
      servers: { notes: { url: server.url, kind: 'mcp' } },
      embedded: { auth: headerAuthenticator() },
      ...(folder === undefined ? {} : { folder }),
    });
  const echo = (user: string) =>
    modern(gateway.url, { headers: { 'x-user': user } }, 'tools/call', { name: 'notes__echo', arguments: {} });
  async function logIn(user: string): Promise<void> {
    const { logins } = gateway.gateway;
    const redirectUri = gateway.at('/connect/callback').href;
    const begun = await logins?.begin(who(user), 'notes', { redirectUri });
    if (!begun) throw new Error('the gateway has no logins');
    await logins?.finish(begun.state, (await oidc.login(begun.authorizationUrl, user)).searchParams);
    await gateway.reaches('notes', 'ready');
  }
  const calls = (): string[] => server.heard.filter((each) => each.endsWith('tools/call'));

  it('gets each call once, with the nonces it gave and a key of each person, which outlives the process', async () => {
    gateway = await start();
    await logIn('alice');
    await logIn('bob');
    for (const user of ['alice', 'bob', 'alice']) expect(isRefused(await echo(user))).toBe(false);
    expect(calls()).toEqual(['alice tools/call', 'bob tools/call', 'alice tools/call']);
    const [alice, bob] = [keysOf('alice'), keysOf('bob')];
    expect([alice.length, bob.length]).toEqual([1, 1]);
    expect(alice).not.toEqual(bob);
    const said = [gateway.log(), JSON.stringify(upstream.heard)].join();
    expect(said).not.toMatch(/eyJ[\w-]+\.eyJ|"d":/);
    await gateway.stop();
    gateway = await start(gateway.folder);
    await gateway.reaches('notes', 'ready');
    expect(isRefused(await echo('alice'))).toBe(false);
    expect(keysOf('alice')).toEqual(alice);
  });

  it('is answered with the nonce of its last answer, without a refusal in between', async () => {
    gateway = await start();
    await logIn('alice');
    await echo('alice');
    const before = server.requests;
    for (let n = 0; n < 3; n++) expect(isRefused(await echo('alice'))).toBe(false);
    expect(server.requests).toBe(before + 3);
  });
});

describe('the key of a login', () => {
  let state: State;
  let replica: Replica;
  beforeEach(async () => {
    state = memoryState(createLog('silent'));
    replica = await replicaOn(state, server.url, { clientId: 'open' });
    await replica.logIn('alice', oidc);
  });
  afterEach(() => state.close());

  const ping = (headers: Record<string, string>) =>
    fetch(server.url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }) });

  it('proves each request anew: what was shown once is refused', async () => {
    const shown = await replica.headersOf('alice');
    expect(shown.Authorization).toMatch(/^DPoP /);
    const first = await ping(shown);
    expect(first.headers.get('www-authenticate')).toContain('use_dpop_nonce');
    replica.credentials.answered?.(
      { name: 'notes', url: server.url, headers: {} },
      shown,
      String(first.headers.get('dpop-nonce')),
    );
    const second = await replica.headersOf('alice');
    expect((await ping(second)).status).not.toBe(401);
    const again = await ping(second);
    expect([again.status, again.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('invalid_dpop_proof'),
    ]);
  });

  it('is kept encrypted, and no other one is taken by the server, or renews the login at its issuer', async () => {
    const kept = JSON.stringify(await state.kv.entries('vault'));
    const own = await replica.vault.login('alice', 'notes');
    expect(own?.dpopKey?.d).toBeTypeOf('string');
    expect(kept).not.toContain(String(own?.dpopKey?.d));
    const shown = await replica.headersOf('alice');
    expect(await replica.refused('alice', shown)).toBe('retry');
    expect((await replica.vault.login('alice', 'notes'))?.dpopKey).toEqual(own?.dpopKey);
    await replica.logIn('bob', oidc);
    const bobs = (await replica.vault.login('bob', 'notes'))?.dpopKey;
    expect(bobs).not.toEqual(own?.dpopKey);
    await replica.change('alice', (login) => ({ ...login, dpopKey: bobs }));
    const next = await replica.headersOf('alice');
    const refused = await ping(next);
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('invalid_dpop_proof'),
    ]);
    await expect(replica.refused('alice', next)).rejects.toMatchObject({
      code: 'SWB_LOGIN_NEEDED',
      data: { reason: 'expired' },
    });
  });
});

describe('an entry that requires bound tokens', () => {
  it('takes none that is not, whatever its issuer gives', async () => {
    const plain = await startOidc({ scopes: ['read'], more: {} });
    const other = await startProtected({ oidc: plain, upstream: upstream.url });
    const state = memoryState(createLog('silent'));
    try {
      const replica = await replicaOn(state, other.url, { dpop: 'required' });
      await replica.logIn('alice', plain);
      expect((await replica.vault.login('alice', 'notes'))?.tokenType).toBe('DPoP');
    } finally {
      await Promise.all([state.close(), other.close(), plain.close()]);
    }
  });
});
