import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CredentialServer } from '../../core/credentials.ts';
import { Discoveries } from './discoveries.ts';

const ISSUER = 'https://login.example';
const AUTH = { type: 'xaa', issuer: ISSUER };
const serverOf = (name: string, more: object = {}): CredentialServer =>
  ({ name, url: `https://${name}.example/mcp`, headers: {}, auth: AUTH, ...more }) as never;
const DOCS = serverOf('docs');
const IDP = { issuer: 'https://idp.example', clientId: 'gateway', clientSecret: 'secret' } as never;

let asked: string[];
let isDown: boolean;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  asked = [];
  isDown = false;
});
afterEach(() => {
  vi.useRealTimers();
});

/** Publishes metadata of both issuers, and of no server. */
const fetch = (async (url: string | URL) => {
  const { origin, pathname } = new URL(url);
  asked.push(origin);
  if (isDown) throw new TypeError('The authorization server does not answer.');
  if (!pathname.startsWith('/.well-known/oauth-authorization-server')) return new Response(null, { status: 404 });
  const metadata = {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    response_types_supported: ['code'],
  };
  return new Response(JSON.stringify(metadata), { headers: { 'content-type': 'application/json' } });
}) as never;

const issuerAsked = (): number => asked.filter((origin) => origin === ISSUER).length;

describe('what an authorization server publishes', () => {
  it('is found once for all who ask, at one time and later', async () => {
    const discoveries = new Discoveries();
    const find = () => discoveries.authorityOf(DOCS, undefined, fetch);
    await Promise.all([find(), find(), find()]);
    const { issuer } = await find();
    expect([issuer, issuerAsked()]).toEqual([ISSUER, 1]);
    const endpoint = () => discoveries.grantEndpointOf('docs', IDP, fetch);
    await Promise.all([endpoint(), endpoint()]);
    expect(await endpoint()).toMatchObject({ endpoint: 'https://idp.example/token' });
    expect(asked.filter((origin) => origin === 'https://idp.example')).toHaveLength(1);
  });

  it('is found again after ten minutes, for another address or issuer, and where the server names another place', async () => {
    const discoveries = new Discoveries();
    await discoveries.authorityOf(DOCS, undefined, fetch);
    vi.advanceTimersByTime(10 * 60_000 - 1);
    await discoveries.authorityOf(DOCS, undefined, fetch);
    expect(issuerAsked()).toBe(1);
    vi.advanceTimersByTime(1);
    await discoveries.authorityOf(DOCS, undefined, fetch);
    expect(issuerAsked()).toBe(2);
    await discoveries.authorityOf(DOCS, 'https://docs.example/metadata', fetch);
    expect(issuerAsked()).toBe(3);
    await discoveries.authorityOf(serverOf('docs', { url: 'https://moved.example/mcp' }), undefined, fetch);
    expect(issuerAsked()).toBe(4);
    const other = { type: 'xaa', issuer: 'https://other.example' };
    const found = await discoveries.authorityOf(serverOf('docs', { auth: other }), undefined, fetch);
    expect(found.issuer).toBe('https://other.example');
  });

  it('is found again once the entry of its server is another, though it names the same places', async () => {
    const discoveries = new Discoveries();
    await discoveries.authorityOf(DOCS, undefined, fetch);
    await discoveries.grantEndpointOf('docs', IDP, fetch);
    isDown = true;
    const again = serverOf('docs', { auth: { ...AUTH } });
    await expect(discoveries.authorityOf(again, undefined, fetch)).rejects.toMatchObject({ code: 'SWB_LOGIN_FAILED' });
    const idp = Object.assign({}, IDP);
    await expect(discoveries.grantEndpointOf('docs', idp, fetch)).rejects.toBeInstanceOf(Error);
    isDown = false;
    expect((await discoveries.authorityOf(again, undefined, fetch)).issuer).toBe(ISSUER);
    expect(issuerAsked()).toBe(2);
  });

  it('is found again once it is doubted, and no more often than every ten seconds', async () => {
    const discoveries = new Discoveries();
    const find = () => discoveries.authorityOf(DOCS, undefined, fetch);
    await find();
    discoveries.doubt('docs');
    await find();
    expect(issuerAsked()).toBe(1);
    vi.advanceTimersByTime(10_000);
    discoveries.doubt('docs');
    await find();
    expect(issuerAsked()).toBe(2);
  });

  it('is asked for again where it could not be had', async () => {
    const discoveries = new Discoveries();
    isDown = true;
    await expect(discoveries.authorityOf(DOCS, undefined, fetch)).rejects.toMatchObject({ code: 'SWB_LOGIN_FAILED' });
    isDown = false;
    expect((await discoveries.authorityOf(DOCS, undefined, fetch)).issuer).toBe(ISSUER);
  });

  it('is kept for a thousand servers, those that were found last', async () => {
    const discoveries = new Discoveries();
    for (let each = 0; each <= 1_000; each++) await discoveries.authorityOf(serverOf(`s${each}`), undefined, fetch);
    expect(issuerAsked()).toBe(1_001);
    await discoveries.authorityOf(serverOf('s1000'), undefined, fetch);
    await discoveries.authorityOf(serverOf('s1'), undefined, fetch);
    expect(issuerAsked()).toBe(1_001);
    await discoveries.authorityOf(serverOf('s0'), undefined, fetch);
    expect(issuerAsked()).toBe(1_002);
  });
});
