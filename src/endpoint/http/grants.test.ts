import { request as httpRequest } from 'node:http';
import { beforeEach, expect, test } from 'vitest';
import { gatewayAuthenticator } from '../../auth/authenticators.ts';
import { GrantKeys } from '../../auth/grant-keys.ts';
import { newKey } from '../../auth/key.ts';
import type { Log } from '../../core/log.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import {
  call,
  type Exchanged,
  gatewayConfig,
  initialize,
  listenOn,
  modern,
  modernHeaders,
  openSession,
  post,
  postModern,
  rpc,
  send,
  type TestEndpoint,
  type TestOptions,
  until,
} from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';
import { refuseUnsafeBind } from './guard.ts';

let now: number;
let grants: GrantKeys;
let endpoint: TestEndpoint;
const ALICE = newKey();
const BOB = newKey();
const alice = { authorization: `Bearer ${ALICE.key}` };
const bob = { authorization: `Bearer ${BOB.key}` };
const grant = (name: string, keys: string[], expiresAt?: number) => ({ name, keys, expiresAt });
const BOTH = [grant('alice', [ALICE.stored]), grant('bob', [BOB.stored])];

async function start(options: TestOptions = {}): Promise<void> {
  endpoint = await testEndpoint({ grants, ...options });
}

beforeEach(() => {
  now = 1_000;
  grants = new GrantKeys({ grants: BOTH }, () => now);
});

const answerOf = async (reply: Exchanged): Promise<[number, JsonObject]> => [reply.status, await reply.json()];
const ended = (reply: Exchanged): Promise<string> => reply.text;

test('a key is accepted as its grant, under its name', async () => {
  await start();
  for (const headers of [alice, bob]) await postModern(endpoint.url(), modern(1, 'tools/list'), headers);
  expect(endpoint.relay.requests.map(({ caller }) => caller.principal)).toEqual(['alice', 'bob']);
  expect(endpoint.relay.requests[0]?.caller.key).toBe('alice');
});

test('the token beside grants still means the local user', async () => {
  await start({ config: { token: 'correct-horse-battery' } });
  await postModern(endpoint.url(), modern(1, 'tools/list'), { authorization: 'Bearer correct-horse-battery' });
  expect(endpoint.relay.requests[0]?.caller.principal).toBe('local');
});

test('a request without a key is refused where there are grants, on loopback too', async () => {
  await start();
  const refused = await postModern(endpoint.url(), modern(1, 'tools/list'));
  expect(refused.status).toBe(401);
  expect(refused.headers['www-authenticate']).toBe('Bearer realm="agent-switchboard"');
  expect(endpoint.relay.requests).toEqual([]);
});

test('a refusal does not tell wrong from unknown from expired', async () => {
  grants = new GrantKeys({ grants: [...BOTH, grant('late', [newKey().stored], 5_000)] }, () => now);
  const late = newKey();
  grants.replace({ grants: [...BOTH, grant('late', [late.stored], 5_000)] });
  now = 5_000;
  await start();
  const wrong = `swb_${ALICE.id}_${BOB.key.slice(-43)}`;
  const answers: unknown[] = [];
  for (const key of [newKey().key, wrong, late.key, 'nonsense']) {
    const refused = await postModern(endpoint.url(), modern(1, 'tools/list'), { authorization: `Bearer ${key}` });
    const { 'www-authenticate': challenge } = refused.headers;
    expect(challenge).toBe('Bearer realm="agent-switchboard", error="invalid_token"');
    answers.push([refused.status, await refused.text]);
  }
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(answers[0]).toEqual([401, expect.stringContaining('The token is not valid.')]);
});

test("a request without grants and token is the local user's, but a key that opens nothing is refused", async () => {
  grants = new GrantKeys({ grants: [] });
  await start();
  await postModern(endpoint.url(), modern(1, 'tools/list'));
  await postModern(endpoint.url(), modern(1, 'tools/list'), { authorization: 'Bearer of-another-gateway' });
  expect(endpoint.relay.requests.map(({ caller }) => caller.principal)).toEqual(['local', 'local']);
  expect((await postModern(endpoint.url(), modern(1, 'tools/list'), alice)).status).toBe(401);
});

test('a gateway whose last grant is revoked stays closed', async () => {
  await start();
  grants.replace({ grants: [] });
  for (const headers of [{}, alice]) {
    expect((await postModern(endpoint.url(), modern(1, 'tools/list'), headers)).status).toBe(401);
  }
});

test('where grants are asked for and there are none, only the token opens', async () => {
  grants = new GrantKeys({ grants: [], keysRequired: true });
  await start();
  expect((await postModern(endpoint.url(), modern(1, 'tools/list'))).status).toBe(401);
  await endpoint.close();
  await start({ config: { token: 'correct-horse-battery' } });
  const bearer = { authorization: 'Bearer correct-horse-battery' };
  expect((await postModern(endpoint.url(), modern(1, 'tools/list'), bearer)).status).toBe(200);
});

test('grants count as authentication where an address beyond loopback is bound', () => {
  const open = gatewayConfig({ host: '0.0.0.0' });
  expect(() => refuseUnsafeBind(open, gatewayAuthenticator(undefined, grants))).not.toThrow();
  expect(() => refuseUnsafeBind(open, gatewayAuthenticator(undefined, new GrantKeys({ grants: [] })))).toThrow(
    /--allow-unauthenticated/,
  );
});

test('another grant gets the error for an unknown session at every address of a session', async () => {
  await start();
  const session = await openSession(endpoint.url(), '2025-11-25', alice);
  const old = await openSession(endpoint.url(), '2025-03-26', alice);
  const stream = await listenOn(endpoint.url(), session);
  await until(() => stream.events.length > 0, 'the stream is primed');
  const eventId = stream.events[0]?.id ?? '';
  expect(eventId).not.toBe('');
  const doors: ((headers: Record<string, string>, sessionId: string) => Promise<Exchanged>)[] = [
    (headers) => post(endpoint.url(), rpc(1, 'tools/list'), headers),
    (headers) => post(endpoint.url(), { jsonrpc: '2.0', method: 'notifications/initialized' }, headers),
    (headers) => post(endpoint.url(), { jsonrpc: '2.0', id: 's-1', result: {} }, headers),
    (headers) => listenOn(endpoint.url(), headers),
    (headers) => listenOn(endpoint.url(), headers, eventId),
    (headers) => send(endpoint.url(), { method: 'DELETE', headers }),
    (headers) => post(endpoint.url(), [rpc(1, 'ping')] as never, { ...headers, 'mcp-protocol-version': '2025-03-26' }),
  ];
  const seen = endpoint.relay.requests.length;
  for (const door of doors) {
    for (const known of [session, old]) {
      const foreign = { ...known, ...bob };
      const unknown = { ...foreign, 'mcp-session-id': 'f'.repeat(32) };
      const [status, body] = await answerOf(await door(foreign, ''));
      expect([status, body]).toEqual(await answerOf(await door(unknown, '')));
      expect(status).toBe(404);
      expect(body).toMatchObject({ error: { data: { code: 'SWB_SESSION_NOT_FOUND' } } });
    }
  }
  expect(endpoint.relay.requests).toHaveLength(seen);
  expect(endpoint.relay.notifications).toEqual([]);
  expect(endpoint.relay.sessions.size).toBe(2);
  const own = await post(endpoint.url(), rpc(1, 'tools/list'), session);
  expect(own.status).toBe(200);
  stream.abort();
});

test('another grant cannot post to an old SSE channel', async () => {
  await start();
  const channel = await send(endpoint.url('/sse'), {
    method: 'GET',
    headers: { ...alice, accept: 'text/event-stream' },
  });
  await until(() => channel.events.length > 0, 'the channel announced its address');
  const address = new URL(String(channel.events[0]?.data), endpoint.url('/sse'));
  const unknown = endpoint.url('/messages?sessionId=0123');
  const [status, body] = await answerOf(await post(address, initialize(), bob));
  expect([status, body]).toEqual(await answerOf(await post(unknown, initialize(), bob)));
  expect(status).toBe(404);
  expect((await post(address, initialize(), alice)).status).toBe(202);
  channel.abort();
});

/** One of everything a grant can have open. */
async function everythingOf(headers: Record<string, string>) {
  const session = await openSession(endpoint.url(), '2025-11-25', headers);
  const standalone = await listenOn(endpoint.url(), session);
  const running = await post(endpoint.url(), call(5, 'linger'), session);
  const listening = await postModern(endpoint.url(), modern(6, 'subscriptions/listen', { notifications: {} }), headers);
  const modernCall = postModern(endpoint.url(), modern(7, 'tools/call', { name: 'wait', arguments: {} }), headers);
  const channel = await send(endpoint.url('/sse'), {
    method: 'GET',
    headers: { ...headers, accept: 'text/event-stream' },
  });
  await until(() => endpoint.relay.requests.some(({ request }) => request.id === 7), 'the call runs');
  return { session, streams: [standalone, running, listening, channel], running, listening, modernCall };
}

async function expectAllEnded(open: Awaited<ReturnType<typeof everythingOf>>): Promise<void> {
  await Promise.all(open.streams.map(ended));
  expect(open.running.messages().at(-1)).toMatchObject({ id: 5, error: { message: expect.any(String) } });
  expect(open.listening.messages().at(-1)).toMatchObject({ id: 6, error: { data: { code: 'SWB_UNAUTHENTICATED' } } });
  expect((await open.modernCall).status).toBe(401);
}

test('what a revoked grant has open ends, and nothing of another', async () => {
  await start();
  const gone = await everythingOf(alice);
  endpoint.relay.requests.length = 0;
  const stays = await everythingOf(bob);
  const lost = grants.replace({ grants: BOTH.slice(1) });
  endpoint.endpoint.revoke(({ principal }) => !lost.has(principal));
  await expectAllEnded(gone);
  expect((await post(endpoint.url(), rpc(8, 'ping'), gone.session)).status).toBe(401);
  expect((await post(endpoint.url(), rpc(8, 'ping'), stays.session)).status).toBe(200);
  expect(endpoint.relay.sessions.size).toBe(1);
  for (const stream of stays.streams) stream.abort();
  endpoint.relay.released.resolve();
  expect((await stays.modernCall).status).toBe(200);
});

test('a grant that keeps its name but loses a key loses what it has open', async () => {
  await start();
  const open = await everythingOf(alice);
  const fresh = newKey();
  const lost = grants.replace({ grants: [grant('alice', [fresh.stored]), ...BOTH.slice(1)] });
  endpoint.endpoint.revoke(({ principal }) => !lost.has(principal));
  await expectAllEnded(open);
  const session = { ...open.session, authorization: `Bearer ${fresh.key}` };
  expect((await post(endpoint.url(), rpc(8, 'ping'), session)).status).toBe(404);
});

test('what an expired grant has open ends without another request', async () => {
  grants = new GrantKeys({ grants: [grant('alice', [ALICE.stored], 2_000)] }, () => now);
  await start({ timing: { keepAliveMs: 80 } });
  const open = await everythingOf(alice);
  now = 2_000;
  await expectAllEnded(open);
  expect(endpoint.relay.sessions.size).toBe(0);
});

test('the local user loses what is open when grants appear and there is no token', async () => {
  grants = new GrantKeys({ grants: [] });
  await start();
  const open = await everythingOf({});
  grants.replace({ grants: BOTH });
  endpoint.endpoint.revoke(() => true);
  await expectAllEnded(open);
});

test('a key that is revoked while the body is on its way opens nothing', async () => {
  await start();
  const message = Buffer.from(JSON.stringify(modern(1, 'tools/list')));
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const req = httpRequest(endpoint.url(), {
      method: 'POST',
      headers: {
        ...modernHeaders(modern(1, 'tools/list')),
        ...alice,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'content-length': message.length,
        expect: '100-continue',
      },
      agent: false,
    });
    // The head was let in, and the body is asked for.
    req.on('continue', () => {
      grants.replace({ grants: BOTH.slice(1) });
      req.end(message);
    });
    req.on('response', (res) => resolve(res.resume().statusCode));
    req.on('error', reject);
    req.flushHeaders();
  });
  expect(status).toBe(401);
  expect(endpoint.relay.requests).toEqual([]);
});

test('one grant cannot take all sessions: its own oldest idle one goes, and those of others stay', async () => {
  await start({ limits: { maxSessions: 4 } });
  const first = await openSession(endpoint.url(), '2025-11-25', bob);
  const own: Record<string, string>[] = [];
  for (let i = 0; i < 6; i++) own.push(await openSession(endpoint.url(), '2025-11-25', alice));
  expect(endpoint.relay.sessions.size).toBe(3);
  expect((await post(endpoint.url(), rpc(1, 'ping'), first)).status).toBe(200);
  expect((await post(endpoint.url(), rpc(1, 'ping'), own.at(-1))).status).toBe(200);
  expect((await post(endpoint.url(), rpc(1, 'ping'), own[0])).status).toBe(404);
});

test('one grant whose sessions are all in use is refused another, while others get theirs', async () => {
  await start({ limits: { maxSessions: 4 } });
  for (let i = 0; i < 2; i++) await listenOn(endpoint.url(), await openSession(endpoint.url(), '2025-11-25', alice));
  const [status, body] = await answerOf(await post(endpoint.url(), initialize(), alice));
  expect([status, body]).toEqual([503, expect.objectContaining({ error: expect.objectContaining({ code: -31010 }) })]);
  expect(JSON.stringify(body)).toContain('This grant has 2 sessions in use.');
  await openSession(endpoint.url(), '2025-11-25', bob);
});

test('one grant cannot take all streams', async () => {
  await start({ limits: { maxStreams: 4 } });
  const listen = (headers: Record<string, string>) =>
    postModern(endpoint.url(), modern(1, 'subscriptions/listen', { notifications: {} }), headers);
  const first = await listen(alice);
  await listen(alice);
  const [status, body] = await answerOf(await listen(alice));
  expect(status).toBe(503);
  expect(JSON.stringify(body)).toContain('This grant has 2 streams open.');
  expect((await listen(bob)).status).toBe(200);
  first.abort();
  await until(() => endpoint.relay.cancelled.length === 1, 'the first stream is over');
  expect((await listen(alice)).status).toBe(200);
});

test('no key is ever logged', async () => {
  const lines: string[] = [];
  const keep = (...words: unknown[]): void => void lines.push(words.map((word) => inspected(word)).join(' '));
  const log: Log = { debug: keep, info: keep, warn: keep, error: keep };
  await start({ log });
  await postModern(endpoint.url(), modern(1, 'tools/call', { name: 'circular', arguments: {} }), alice);
  await postModern(endpoint.url(), modern(1, 'tools/call', { name: 'fail', arguments: {} }), alice);
  await postModern(endpoint.url(), modern(1, 'tools/list'), { authorization: `Bearer ${newKey().key}` });
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.join('\n')).not.toContain('swb_');
});

function inspected(word: unknown): string {
  if (word instanceof Error) return `${word.stack}`;
  return typeof word === 'object' && word !== null ? Object.values(word).map(inspected).join(' ') : String(word);
}
