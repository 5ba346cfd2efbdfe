/** What ends when an access token does: streams that bring news. Calls and sessions stay for the next token. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { gatewayAuthenticator } from '../../src/auth/authenticators.ts';
import { issuerSource } from '../../src/auth/tokens/source.ts';
import { besideKeys } from '../../src/auth/tokens/token-authenticator.ts';
import {
  listenOn,
  openSession,
  post,
  rpc,
  startEndpoint,
  type TestEndpoint,
  until,
} from '../../src/endpoint/testing/http.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { bearer } from './tokens.ts';

let oidc: Oidc;
let endpoint: TestEndpoint;
let mcp: URL;
let ahead = 0;
const now = (): number => Date.now() + ahead;

beforeAll(async () => {
  oidc = await startOidc();
  const issuer = { issuer: oidc.issuer, audience: ['gateway'], algorithms: ['RS256'], grants: [], grant: 'local' };
  const auth = besideKeys(gatewayAuthenticator(undefined, undefined, [], undefined, true), {
    sources: [issuerSource({ ...issuer, requiredScopes: [] }, { now })],
    addressOf: () => ({ resource: '', gateway: '' }),
    now,
  });
  // The wheel looks after identities every quarter of this.
  endpoint = await startEndpoint({ auth, timing: { keepAliveMs: 100 } });
  mcp = endpoint.url();
});
afterAll(async () => {
  await endpoint?.close();
  await oidc?.close();
});

const token = (): Promise<string> =>
  oidc.sign(oidc.claims('gateway', { iat: undefined, exp: Math.floor(now() / 1000) + 60 }));

it('ends streams of the holder, and keeps the session for the next token', async () => {
  const session = await openSession(mcp, '2025-11-25', bearer(await token()));
  const stream = await listenOn(mcp, session);
  expect(stream.status).toBe(200);
  ahead += 120_000;
  await stream.text;
  const list = rpc(1, 'tools/list');
  expect((await post(mcp, list, session)).status).toBe(401);
  expect((await post(mcp, list, { ...session, ...bearer(await token()) })).status).toBe(200);
});

it('does not end streams of a holder who has come with the next one', async () => {
  const session = await openSession(mcp, '2025-11-25', bearer(await token()));
  const stream = await listenOn(mcp, session);
  ahead += 50_000;
  const next = { ...session, ...bearer(await token()) };
  expect((await post(mcp, rpc(1, 'tools/list'), next)).status).toBe(200);
  ahead += 40_000;
  const seen = stream.comments;
  await until(() => stream.comments > seen + 2, 'the stream has been kept alive for some rounds');
  stream.abort();
});
