/** Credentials towards servers, per principal, through the whole gateway: whose a request carries, and what a refusal does. */
import { afterEach, describe, expect, it } from 'vitest';
import { headerAuthenticator } from '../../src/auth/testing/header-authenticator.ts';
import { type RotatingCredentials, rotatingCredentials } from '../../src/auth/testing/rotating-credentials.ts';
import { type Offers, type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { isRefused, legacy, modern } from '../attacks/talk.ts';
import { type OwnGateway, type Servers, startGateway, startReadyGateway } from './gateway.ts';

const as = (user: string) => ({ headers: { 'x-user': user } });
const [ada, bob] = [as('ada'), as('bob')];

let upstream: RecordingUpstream;
let gateway: OwnGateway;
let credentials: RotatingCredentials;

async function start(offers: Offers, more: Servers[string] = {}): Promise<void> {
  upstream = await startRecording(offers);
  credentials = rotatingCredentials();
  gateway = await startReadyGateway({
    servers: { v: { url: upstream.url, kind: 'mcp', ...more } },
    embedded: { auth: headerAuthenticator(), credentials },
  });
}
afterEach(async () => {
  await gateway?.close();
  await upstream?.close();
});

const echo = (who: typeof ada, args: object = {}) =>
  modern(gateway.url, who, 'tools/call', { name: 'v__echo', arguments: args });
const carried = (method: string): (string | undefined)[] =>
  upstream.heard.filter((each) => each.method === method).map(({ authorization }) => authorization);

describe.each([
  ['modern', { era: 'modern' }],
  ['legacy without sessions', {}],
] as const)('to a server that is %s', (_, offers) => {
  it("every call carries its caller's, and the gateway's own requests its own", async () => {
    await start(offers);
    for (const who of [ada, bob, ada]) expect(isRefused(await echo(who))).toBe(false);
    expect(carried('tools/call')).toEqual(['Bearer ada-1', 'Bearer bob-1', 'Bearer ada-1']);
    expect(new Set(carried('tools/list'))).toEqual(new Set(['Bearer (gateway)-1']));
    expect(Object.fromEntries(credentials.issued)).toEqual({ '(gateway)': 1, ada: 1, bob: 1 });
  });

  it('a call that is refused with 401 is sent once more with new ones, and others are not disturbed', async () => {
    await start({ ...offers, refuses: (authorization) => (authorization === 'Bearer ada-1' ? 401 : undefined) });
    const replies = await Promise.all([echo(ada, { n: 1 }), echo(bob, { n: 2 })]);
    expect(replies.map(isRefused)).toEqual([false, false]);
    expect(carried('tools/call').sort()).toEqual(['Bearer ada-2', 'Bearer bob-1']);
    expect(credentials.refusals).toEqual(['ada 401 Bearer error="invalid_token"']);
  });

  it('a call that is refused twice is not sent a third time', async () => {
    await start({ ...offers, refuses: (authorization) => (authorization?.includes('ada') ? 401 : undefined) });
    const { message } = await echo(ada);
    expect(message.error?.data).toMatchObject({ code: 'SWB_UPSTREAM_AUTH', status: 401 });
    expect([credentials.refusals.length, credentials.issued.get('ada')]).toEqual([1, 2]);
    expect(isRefused(await echo(bob))).toBe(false);
  });

  it('a call that is refused with 403 is not sent again where the provider gives up', async () => {
    await start({ ...offers, refuses: (authorization) => (authorization?.includes('ada') ? 403 : undefined) });
    expect((await echo(ada)).message.error?.data).toMatchObject({ code: 'SWB_UPSTREAM_AUTH', status: 403 });
    expect([credentials.refusals.length, credentials.issued.get('ada')]).toEqual([1, 1]);
  });
});

describe('to a legacy server that keeps sessions', () => {
  const sessionsOf = (authorization: string): Set<string | undefined> =>
    new Set(
      upstream.heard
        .filter((each) => each.authorization === authorization && each.method === 'tools/call')
        .map(({ session }) => session),
    );

  it('each caller has a session opened and used with its own, where sessions are not shared', async () => {
    await start({ sessions: true }, { isolation: 'caller' });
    for (const who of [ada, bob, ada]) expect(isRefused(await echo(who))).toBe(false);
    const session = await legacy(gateway.url, bob);
    expect(isRefused(await session.request('tools/call', { name: 'v__echo', arguments: {} }))).toBe(false);
    expect(carried('initialize').sort()).toEqual([
      'Bearer (gateway)-1',
      'Bearer ada-1',
      'Bearer bob-1',
      'Bearer bob-1',
    ]);
    expect([sessionsOf('Bearer ada-1').size, sessionsOf('Bearer bob-1').size]).toEqual([1, 2]);
    expect(sessionsOf('Bearer (gateway)-1').size).toBe(0);
  });

  it("a shared session is the gateway's, and so is every call in it", async () => {
    await start({ sessions: true }, { isolation: 'shared' });
    for (const who of [ada, bob]) expect(isRefused(await echo(who))).toBe(false);
    expect(new Set(upstream.heard.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer (gateway)-1']));
    expect(sessionsOf('Bearer (gateway)-1').size).toBe(1);
  });
});

it('a refused handshake is repeated with new credentials too', async () => {
  await start({ refuses: (authorization) => (authorization === 'Bearer (gateway)-1' ? 401 : undefined) });
  expect(isRefused(await echo(ada))).toBe(false);
  expect(credentials.issued.get('(gateway)')).toBe(2);
});

it('a provider that fails costs the requests that need it, and nothing of it reaches the client', async () => {
  upstream = await startRecording({});
  const vault = rotatingCredentials();
  gateway = await startReadyGateway({
    servers: { v: { url: upstream.url, kind: 'mcp' } },
    embedded: {
      auth: headerAuthenticator(),
      credentials: {
        headersFor: (identity, server) =>
          identity.principal === 'ada'
            ? Promise.reject(new Error('vault.internal:8200 is sealed'))
            : vault.headersFor(identity, server),
      },
    },
  });
  const failed = await echo(ada);
  expect(isRefused(failed)).toBe(true);
  expect(failed.text).not.toContain('vault.internal');
  expect(isRefused(await echo(bob))).toBe(false);
  expect(upstream.calls('echo')).toHaveLength(1);
});

it('without a provider everybody sends the headers that are configured', async () => {
  upstream = await startRecording({ era: 'modern' });
  gateway = await startGateway({
    servers: { v: { url: upstream.url, kind: 'mcp', headers: { Authorization: 'Bearer configured' } } },
    embedded: { auth: headerAuthenticator() },
  });
  await gateway.reaches('v', 'ready');
  for (const who of [ada, bob]) expect(isRefused(await echo(who))).toBe(false);
  expect(new Set(upstream.heard.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer configured']));
});
