/** Addresses that servers and issuers name: none of them has the gateway, or a person's browser, ask the operator's own network. */
import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { boundedFetch } from '../../src/auth/bridge/fetch.ts';
import { issuerSource } from '../../src/auth/tokens/source.ts';
import { openUpstreamAuth, type UpstreamAuth } from '../../src/auth/upstream/open.ts';
import type { CredentialServer } from '../../src/core/credentials.ts';
import { identityOf } from '../../src/core/identity.ts';
import type { IssuerConfig } from '../../src/core/token-issuer.ts';
import { createLog } from '../../src/observe/log.ts';
import { createNetworkGuard, type Resolve } from '../../src/policy/network-guard/network-guard.ts';
import { memoryState } from '../../src/state/memory/memory-state.ts';
import type { State } from '../../src/state/state.ts';

const ISSUER = 'https://issuer.example';
const SERVER = 'https://notes.example';
const CALLBACK = 'http://127.0.0.1:7300/connect/callback';
const log = createLog('silent');

/** Where nothing may be sent to, and why. */
const INSIDE: [origin: string, reason: string][] = [
  ['https://10.1.2.3', 'private'],
  ['https://127.0.0.1:8443', 'private'],
  ['https://169.254.169.254', 'forbidden'],
  ['https://[fd00:ec2::254]', 'forbidden'],
  ['https://metadata.google.internal', 'forbidden'],
  ['https://intranet.example', 'private'],
];

const resolve: Resolve = async (host) => [
  { address: host === 'intranet.example' ? '192.168.7.7' : '93.184.216.34', family: 4 },
];

const asked: string[] = [];
const net = setupServer();
beforeAll(() => {
  net.listen();
  net.events.on('request:start', ({ request }) => void asked.push(request.url));
});
afterAll(() => net.close());

let state: State;
beforeEach(() => {
  asked.length = 0;
  state = memoryState(log);
});
afterEach(async () => {
  net.resetHandlers();
  await state.close();
});

const metadata = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  registration_endpoint: `${ISSUER}/register`,
  revocation_endpoint: `${ISSUER}/revoke`,
  response_types_supported: ['code'],
  code_challenge_methods_supported: ['S256'],
};
const PRM = `${SERVER}/.well-known/oauth-protected-resource/mcp`;

/** A server and its issuer, which name these addresses besides their own. */
function serve({ prm = {}, as = {} }: { prm?: object; as?: object } = {}): void {
  net.use(
    http.get(PRM, () => HttpResponse.json({ resource: `${SERVER}/mcp`, authorization_servers: [ISSUER], ...prm })),
    http.get(`${ISSUER}/.well-known/oauth-authorization-server`, () => HttpResponse.json({ ...metadata, ...as })),
    http.post(`${ISSUER}/register`, () =>
      HttpResponse.json({ client_id: 'c', redirect_uris: [CALLBACK] }, { status: 201 }),
    ),
    http.post(`${ISSUER}/token`, () =>
      HttpResponse.json({ access_token: 'a', token_type: 'Bearer', refresh_token: 'r', expires_in: 3600 }),
    ),
  );
}

const notes = (more: Partial<CredentialServer> = {}): CredentialServer => ({
  ...{ name: 'notes', url: `${SERVER}/mcp`, headers: {}, auth: { type: 'oauth', per: 'user' } },
  ...more,
});
const open = (allowPrivate: string[] = [], server = notes()): Promise<UpstreamAuth> =>
  openUpstreamAuth({
    ...{ state, log, key: undefined, keyFile: undefined, publicUrl: undefined },
    guard: () => createNetworkGuard({ allowPrivate, resolve }),
    server: (name) => (name === 'notes' ? server : undefined),
  });
const alice = identityOf('alice');
const begin = ({ logins }: UpstreamAuth) => logins.begin(alice, 'notes', { redirectUri: CALLBACK });
const inside = (origin: string): string[] => asked.filter((url) => url.startsWith(origin));

describe.each(INSIDE)('an address inside (%s)', (origin, reason) => {
  const refused = { code: 'SWB_URL_REFUSED', data: { reason } };

  it('is not asked for the metadata of a server', async () => {
    serve();
    const auth = await open();
    const challenge = `Bearer resource_metadata="${origin}/prm"`;
    const refusal = { identity: alice, server: notes(), status: 401, challenge } as const;
    await expect(Promise.resolve(auth.credentials.refused?.(refusal))).rejects.toMatchObject({
      code: 'SWB_LOGIN_NEEDED',
    });
    await expect(begin(auth)).rejects.toMatchObject(refused);
    expect(asked).toEqual([]);
  });

  it.each([
    ['its authorization server', { prm: { authorization_servers: [origin] } }],
    ['where people log in', { as: { authorization_endpoint: `${origin}/authorize` } }],
    ['where clients register', { as: { registration_endpoint: `${origin}/register` } }],
  ])('is not taken for %s', async (_, named) => {
    serve(named);
    await expect(begin(await open())).rejects.toMatchObject(refused);
    expect(inside(origin)).toEqual([]);
  });

  it('gets no code and no token', async () => {
    serve({ as: { token_endpoint: `${origin}/token`, revocation_endpoint: `${origin}/revoke` } });
    const auth = await open();
    const { state: name } = await begin(auth);
    await expect(auth.logins.finish(name, { code: 'c', state: name, iss: ISSUER })).rejects.toMatchObject(refused);
    serve({ as: { revocation_endpoint: `${origin}/revoke` } });
    const { state: next } = await begin(auth);
    await auth.logins.finish(next, { code: 'c', state: next, iss: ISSUER });
    expect(await auth.logins.revoke('alice', 'notes')).toBe(true);
    expect(inside(origin)).toEqual([]);
  });

  it('is not followed to by a redirect', async () => {
    serve();
    net.use(
      http.get(PRM, () => HttpResponse.redirect(`${origin}/prm`, 302)),
      http.get(`${SERVER}/.well-known/oauth-protected-resource`, () => HttpResponse.redirect(`${origin}/prm`, 302)),
    );
    await expect(begin(await open())).rejects.toMatchObject({ code: 'SWB_LOGIN_FAILED' });
    expect(inside(origin)).toEqual([]);
  });

  it('is not where the keys of an issuer are, nor where it is asked about tokens', async () => {
    const of = (more: Partial<IssuerConfig>): IssuerConfig => ({
      ...{ issuer: ISSUER, audience: [], algorithms: ['ES256'], grants: [], grant: 'local', requiredScopes: [] },
      ...more,
    });
    serve({ as: { jwks_uri: `${origin}/jwks`, introspection_endpoint: `${origin}/introspect` } });
    const guard = createNetworkGuard({ allowPrivate: [], resolve });
    const jwt = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.e30.AAAA`;
    for (const config of [of({}), of({ introspection: { clientId: 'c', clientSecret: 's' } })]) {
      await expect(issuerSource(config, { guard }).verify(jwt)).rejects.toMatchObject({
        code: 'SWB_ISSUER_UNAVAILABLE',
      });
    }
    const fetched = boundedFetch({ guard: () => guard, configured: ISSUER });
    await expect(fetched(`${origin}/jwks`)).rejects.toMatchObject(refused);
    expect(inside(origin)).toEqual([]);
  });
});

describe('an address inside that the operator allows', () => {
  it('is asked', async () => {
    serve({ as: { registration_endpoint: 'https://10.1.2.3/register' } });
    net.use(
      http.post('https://10.1.2.3/register', () =>
        HttpResponse.json({ client_id: 'c', redirect_uris: [CALLBACK] }, { status: 201 }),
      ),
    );
    await expect(begin(await open(['10.1.2.3']))).resolves.toBeDefined();
    expect(inside('https://10.1.2.3')).toHaveLength(1);
  });

  it('by the entry of the server alone is none where a client connected it', async () => {
    const auth = { type: 'oauth', per: 'user', issuer: 'https://10.1.2.3' } as const;
    net.use(
      http.get(PRM, () =>
        HttpResponse.json({ resource: `${SERVER}/mcp`, authorization_servers: ['https://10.1.2.3'] }),
      ),
      http.get('https://10.1.2.3/.well-known/oauth-authorization-server', () =>
        HttpResponse.json(JSON.parse(JSON.stringify(metadata).replaceAll(ISSUER, 'https://10.1.2.3'))),
      ),
      http.post('https://10.1.2.3/register', () =>
        HttpResponse.json({ client_id: 'c', redirect_uris: [CALLBACK] }, { status: 201 }),
      ),
    );
    await expect(begin(await open([], notes({ auth, byClient: true })))).rejects.toMatchObject({
      code: 'SWB_URL_REFUSED',
    });
    expect(inside('https://10.1.2.3')).toEqual([]);
    await expect(begin(await open([], notes({ auth })))).resolves.toBeDefined();
  });
});
