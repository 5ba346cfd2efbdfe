/** Access tokens at the authenticator: the suite of all authenticators, keys that rotate, introspection, several issuers, expiry. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { gatewayAuthenticator } from '../../src/auth/authenticators.ts';
import { describeAuthenticator } from '../../src/auth/cases.ts';
import { GrantKeys } from '../../src/auth/grant-keys.ts';
import { newKey } from '../../src/auth/key.ts';
import type { IssuerTimes } from '../../src/auth/tokens/issuer.ts';
import { issuerSource } from '../../src/auth/tokens/source.ts';
import { besideKeys } from '../../src/auth/tokens/token-authenticator.ts';
import type { Authenticator, Identity } from '../../src/core/identity.ts';
import { subjectTokenOf } from '../../src/core/subject-tokens.ts';
import type { IssuerConfig } from '../../src/core/token-issuer.ts';
import { createNetworkGuard } from '../../src/policy/network-guard/network-guard.ts';
import { MACHINE_SECRET, type Oidc, startOidc } from '../fixtures/oidc.ts';

const RESOURCE = 'http://127.0.0.1:7300/mcp';
const ALGORITHMS = ['RS256', 'ES256'];

const issuerOf = (oidc: Oidc, more: Partial<IssuerConfig> = {}): IssuerConfig => ({
  issuer: oidc.issuer,
  audience: [],
  algorithms: ALGORITHMS,
  grants: [],
  grant: 'ops',
  requiredScopes: [],
  ...more,
});

interface Setup {
  now?: () => number;
  times?: Partial<IssuerTimes>;
  keys?: GrantKeys;
  token?: string;
}

function authenticator(
  issuers: readonly IssuerConfig[],
  { now = Date.now, times, keys, token }: Setup = {},
): Authenticator {
  const grants = keys ?? new GrantKeys({ grants: [{ name: 'ops', keys: [], expiresAt: undefined }] });
  const guard = createNetworkGuard({ allowPrivate: [] });
  return besideKeys(gatewayAuthenticator(token, grants, [], undefined, true), {
    sources: issuers.map((issuer) => issuerSource(issuer, { guard, now, ...(times && { times }) })),
    addressOf: () => ({ resource: RESOURCE, gateway: 'http://127.0.0.1:7300' }),
    keys: grants,
    now,
  });
}

const identify = async (auth: Authenticator, token: string): Promise<Identity> =>
  auth.authenticate({ method: 'POST', url: '/mcp', headers: { authorization: `Bearer ${token}` } });

const codeOf = (auth: Authenticator, token: string): Promise<string> =>
  identify(auth, token).then(
    ({ principal }) => principal,
    (error: { code: string }) => error.code,
  );

let first: Oidc;
let second: Oidc;

beforeAll(async () => {
  [first, second] = await Promise.all([startOidc(), startOidc({ path: '/realms/acme', opaque: true })]);
});
afterAll(() => Promise.all([first?.close(), second?.close()]));

describe('access tokens beside keys', async () => {
  const oidc = await startOidc();
  afterAll(() => oidc.close());
  const [valid, other, expired] = await Promise.all([
    oidc.sign(oidc.claims(RESOURCE)),
    oidc.sign(oidc.claims(RESOURCE, { sub: 'bob smith' })),
    oidc.sign(oidc.claims(RESOURCE, { exp: 1_000 })),
  ]);
  describeAuthenticator('access tokens', () => {
    const { key, stored } = newKey();
    const grants = (names: string[]) => ({
      grants: names.map((name) => ({ name, keys: name === 'keyed' ? [stored] : [], expiresAt: undefined })),
    });
    const keys = new GrantKeys(grants(['ops', 'keyed']));
    return {
      auth: authenticator([issuerOf(oidc)], { keys, token: 'a-token-of-the-gateway' }),
      accepted: [
        { headers: { authorization: `Bearer ${valid}` }, principal: `${oidc.issuer}#alice`, grant: 'ops' },
        { headers: { authorization: `Bearer ${other}` }, principal: `${oidc.issuer}#bob%20smith`, grant: 'ops' },
        { headers: { authorization: `Bearer ${key}` }, principal: 'keyed', grant: 'keyed' },
        { headers: { authorization: 'Bearer a-token-of-the-gateway' }, principal: 'local', grant: undefined },
      ],
      refused: [
        {} as Record<string, string>,
        { authorization: `Bearer ${expired}` },
        { authorization: `Bearer ${newKey().key}` },
      ],
      revokeFirst: () => void keys.replace(grants(['keyed'])),
    };
  });
});

describe('the keys of an issuer', () => {
  it('are fetched once for all its tokens, and anew when they have rotated', async () => {
    const oidc = await startOidc();
    onTestFinished(() => oidc.close());
    let now = Date.now();
    const auth = authenticator([issuerOf(oidc)], { now: () => now, times: { cooldownMs: 30_000 } });
    await Promise.all(
      [1, 2, 3].map(async (n) => identify(auth, await oidc.sign(oidc.claims(RESOURCE, { jti: `${n}` })))),
    );
    expect(oidc.requests.get('/jwks')).toBe(1);
    await oidc.rotate();
    const rotated = await oidc.sign(oidc.claims(RESOURCE));
    now += 31_000;
    expect(await codeOf(auth, rotated)).toBe(`${oidc.issuer}#alice`);
    expect(oidc.requests.get('/jwks')).toBe(2);
    // Unknown keys make no more fetches than one in a while, however many tokens name one.
    for (const kid of ['a', 'b', 'c']) {
      expect(await codeOf(auth, await oidc.sign(oidc.claims(RESOURCE), { kid }))).toBe('SWB_UNAUTHENTICATED');
    }
    expect(oidc.requests.get('/jwks')).toBe(2);
  });

  it('that cannot be fetched are the gateway’s trouble and not the token’s; what is known goes on', async () => {
    const oidc = await startOidc();
    onTestFinished(() => oidc.close());
    let now = Date.now();
    const auth = authenticator([issuerOf(oidc)], { now: () => now });
    oidc.down = true;
    const token = await oidc.sign(oidc.claims(RESOURCE));
    expect(await codeOf(auth, token)).toBe('SWB_ISSUER_UNAVAILABLE');
    const asked = [...oidc.requests.values()].reduce((sum, each) => sum + each, 0);
    expect(await codeOf(auth, token)).toBe('SWB_ISSUER_UNAVAILABLE');
    expect([...oidc.requests.values()].reduce((sum, each) => sum + each, 0)).toBe(asked);
    oidc.down = false;
    now += 6_000;
    expect(await codeOf(auth, token)).toBe(`${oidc.issuer}#alice`);
    oidc.down = true;
    now += 15 * 60_000;
    const later = await oidc.sign(oidc.claims(RESOURCE, { exp: Math.floor(now / 1000) + 600 }));
    expect(await codeOf(auth, later)).toBe(`${oidc.issuer}#alice`);
  });

  it.each([
    ['of another issuer', (origin: string) => ({ issuer: 'https://another.example', jwks_uri: `${origin}/jwks` })],
    ['with keys at a private address', (origin: string) => ({ issuer: origin, jwks_uri: 'http://10.0.0.1/jwks' })],
    ['that redirects', () => undefined],
    ['without an end', () => 'endless'],
  ])('are not taken from metadata %s', async (_what, metadata) => {
    const server = createServer((req, res) => {
      const origin = `http://${req.headers.host}`;
      const found = metadata(origin);
      if (found === undefined)
        res.writeHead(302, { location: `${first.issuer}/.well-known/openid-configuration` }).end();
      else if (found === 'endless') {
        const more = (): void => void (res.destroyed || res.write(' '.repeat(64 * 1024), () => setImmediate(more)));
        more();
      } else res.end(JSON.stringify(found));
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.closeAllConnections());
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const auth = authenticator([issuerOf(first, { issuer })]);
    expect(await codeOf(auth, await first.sign({ ...first.claims(RESOURCE), iss: issuer }))).toBe(
      'SWB_ISSUER_UNAVAILABLE',
    );
  });
});

describe('introspection', () => {
  const introspection = { clientId: 'machine', clientSecret: MACHINE_SECRET };

  it('asks the issuer about tokens that are no JWT, and once a minute at most', async () => {
    let now = Date.now();
    const auth = authenticator([issuerOf(second, { introspection })], { now: () => now });
    const token = await second.machineToken(RESOURCE);
    const before = second.requests.get('/realms/acme/token/introspection') ?? 0;
    expect(await codeOf(auth, token)).toBe(`${second.issuer}?client=machine`);
    expect(await codeOf(auth, token)).toBe(`${second.issuer}?client=machine`);
    expect(second.requests.get('/realms/acme/token/introspection')).toBe(before + 1);
    await fetch(`${second.issuer}/token/revocation`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`machine:${MACHINE_SECRET}`).toString('base64')}` },
      body: new URLSearchParams({ token }),
    });
    now += 61_000;
    expect(await codeOf(auth, token)).toBe('SWB_UNAUTHENTICATED');
  });

  it('refuses what the issuer does not know, and what is for another resource', async () => {
    const auth = authenticator([issuerOf(second, { introspection })]);
    expect(await codeOf(auth, 'made-up')).toBe('SWB_UNAUTHENTICATED');
    expect(await codeOf(auth, await second.machineToken('https://another.example/mcp'))).toBe('SWB_UNAUTHENTICATED');
  });
});

describe('two issuers', () => {
  it('are told apart, and none speaks for the other', async () => {
    const introspection = { clientId: 'machine', clientSecret: MACHINE_SECRET };
    const auth = authenticator([issuerOf(first), issuerOf(second, { introspection })]);
    expect(await codeOf(auth, await first.sign(first.claims(RESOURCE)))).toBe(`${first.issuer}#alice`);
    expect(await codeOf(auth, await second.machineToken(RESOURCE))).toBe(`${second.issuer}?client=machine`);
    expect(await codeOf(auth, await first.sign(first.claims(RESOURCE, { iss: second.issuer })))).toBe(
      'SWB_UNAUTHENTICATED',
    );
  });
});

describe('an identity of a token', () => {
  it('is valid until its newest token ends, and may return afterwards', async () => {
    let now = Date.now();
    const auth = authenticator([issuerOf(first)], { now: () => now });
    const endsIn = (seconds: number) => first.sign(first.claims(RESOURCE, { exp: Math.floor(now / 1000) + seconds }));
    const identity = await identify(auth, await endsIn(60));
    now += 50_000;
    const next = await identify(auth, await endsIn(120));
    now += 60_000;
    expect([auth.isValid(identity), auth.isValid(next)]).toEqual([true, true]);
    now += 80_000;
    expect([auth.isValid(identity), auth.mayReturn?.(identity)]).toEqual([false, true]);
  });

  it('has its token beside it and not in it, for exchanges', async () => {
    const token = await first.sign(first.claims(RESOURCE));
    const identity = await identify(authenticator([issuerOf(first)]), token);
    expect(subjectTokenOf(identity)?.token).toBe(token);
    expect(JSON.stringify(identity)).not.toContain(token);
  });

  it('may not return where its grant is gone', async () => {
    const keys = new GrantKeys({ grants: [{ name: 'ops', keys: [], expiresAt: undefined }] });
    const auth = authenticator([issuerOf(first)], { keys });
    const identity = await identify(auth, await first.sign(first.claims(RESOURCE)));
    keys.replace({ grants: [] });
    expect([auth.isValid(identity), auth.mayReturn?.(identity)]).toEqual([false, false]);
  });

  it('without a grant is forbidden, and not asked to log in again', async () => {
    const auth = authenticator([
      issuerOf(first, { grant: undefined, grants: [{ claim: 'a.b', values: ['c'], grant: 'ops' }] }),
    ]);
    expect(await codeOf(auth, await first.sign(first.claims(RESOURCE)))).toBe('SWB_FORBIDDEN');
    expect(await codeOf(auth, await first.sign(first.claims(RESOURCE, { a: { b: ['x', 'c'] } })))).toBe(
      `${first.issuer}#alice`,
    );
  });
});
