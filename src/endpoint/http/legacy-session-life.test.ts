import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { identityOf } from '../../core/identity.ts';
import { Shares } from '../../core/shares.ts';
import { TimerWheel } from '../../core/timer-wheel.ts';
import { LEGACY_REVISIONS } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import {
  call,
  type Exchanged,
  initialize,
  listenOn,
  openSession,
  post,
  rpc,
  send,
  type TestEndpoint,
  until,
} from '../testing/http.ts';
import { stubFederation } from '../testing/stub-relay.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';
import { SessionTable } from './sessions/session-table.ts';

let endpoint: TestEndpoint;

const errorOf = async (reply: Exchanged): Promise<unknown> => {
  const { error } = (await reply.json()) as { error: { code: number; data: JsonObject } };
  return [reply.status, error.code, error.data.code];
};

const GONE = [404, -32001, 'SWB_SESSION_NOT_FOUND'];

test.each(LEGACY_REVISIONS)('initialize answers exactly the revision asked for: %s', async (revision) => {
  endpoint = await testEndpoint();
  const opened = await post(endpoint.url(), initialize(revision));
  expect(opened.headers['mcp-session-id']).toMatch(/^[\w-]{8}\.[0-9a-f]{32}$/);
  expect(await opened.json()).toMatchObject({ id: 0, result: { protocolVersion: revision } });
  expect(endpoint.relay.requests[0]?.caller).toMatchObject({
    era: 'legacy',
    protocolVersion: revision,
    principal: 'local',
    key: opened.headers['mcp-session-id'],
    sessionId: opened.headers['mcp-session-id'],
    capabilities: { elicitation: {} },
    clientInfo: { name: 'test', version: '1' },
  });
});

test('an unknown revision is answered with the latest legacy one', async () => {
  endpoint = await testEndpoint();
  const opened = await post(endpoint.url(), initialize('2031-01-01'));
  expect(await opened.json()).toMatchObject({ result: { protocolVersion: '2025-11-25' } });
});

test('the relay knows a session from initialize to its end', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  expect([...endpoint.relay.sessions].map(({ id }) => id)).toEqual([session['mcp-session-id']]);
  expect((await send(endpoint.url(), { method: 'DELETE', headers: session })).status).toBe(204);
  expect(endpoint.relay.sessions.size).toBe(0);
  for (const reply of [
    await post(endpoint.url(), rpc(1, 'ping'), session),
    await post(endpoint.url(), { jsonrpc: '2.0', method: 'notifications/initialized' }, session),
    await listenOn(endpoint.url(), session),
    await send(endpoint.url(), { method: 'DELETE', headers: session }),
  ]) {
    expect(await errorOf(reply)).toEqual(GONE);
  }
});

test('a request needs the id of its session', async () => {
  endpoint = await testEndpoint();
  const { 'mcp-session-id': _, ...bare } = await openSession(endpoint.url());
  expect(await errorOf(await post(endpoint.url(), rpc(1, 'tools/list'), bare))).toEqual([
    400,
    -32000,
    'SWB_SESSION_REQUIRED',
  ]);
  expect(await errorOf(await post(endpoint.url(), rpc(1, 'tools/list'), { 'mcp-session-id': 'nope' }))).toEqual(GONE);
});

test('a session exists at one address only', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url('/servers/one/mcp'));
  expect((await post(endpoint.url('/servers/one/mcp'), rpc(1, 'ping'), session)).status).toBe(200);
  expect(await errorOf(await post(endpoint.url('/mcp'), rpc(1, 'ping'), session))).toEqual(GONE);
});

test('a session that fails to initialize leaves nothing behind', async () => {
  endpoint = await testEndpoint();
  endpoint.relay.on('initialize', () => {
    throw new Error('no');
  });
  const failed = await post(endpoint.url(), initialize());
  expect(failed.headers['mcp-session-id']).toBeUndefined();
  expect(await failed.json()).toMatchObject({ id: 0, error: { code: -32603 } });
  expect(endpoint.relay.sessions.size).toBe(0);
});

test('initialize starts over, whatever session id comes with it', async () => {
  endpoint = await testEndpoint();
  const first = await openSession(endpoint.url());
  const opened = await post(endpoint.url(), initialize(), first);
  expect(opened.status).toBe(200);
  expect(opened.headers['mcp-session-id']).not.toBe(first['mcp-session-id']);
});

test('capabilities and clientInfo over their limit are refused', async () => {
  endpoint = await testEndpoint({ limits: { maxBodyBytes: 128 * 1024 } });
  const refused = await post(endpoint.url(), initialize('2025-11-25', { experimental: { x: 'x'.repeat(64 * 1024) } }));
  expect(refused.headers['mcp-session-id']).toBeUndefined();
  expect(await refused.json()).toMatchObject({ id: 0, error: { code: -32602 } });
});

test.each([
  ['2026-07-28', 400],
  ['1900-01-01', 400],
  ['2025-06-18', 200],
])('a version header of %s is answered %i', async (version, status) => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const reply = await post(endpoint.url(), rpc(1, 'ping'), { ...session, 'mcp-protocol-version': version });
  expect(reply.status).toBe(status);
  const { 'mcp-protocol-version': _, ...unversioned } = session;
  expect((await post(endpoint.url(), rpc(1, 'ping'), unversioned)).status).toBe(200);
});

test('errors of answered requests are HTTP 200, with the codes of the era', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const unknown = await post(endpoint.url(), rpc(1, 'server/discover'), session);
  expect([unknown.status, await unknown.json()]).toMatchObject([200, { id: 1, error: { code: -32601 } }]);
  const missing = await post(endpoint.url(), rpc(2, 'resources/read', { uri: 'x://y' }), session);
  expect([missing.status, await missing.json()]).toMatchObject([200, { id: 2, error: { code: -32002 } }]);
});

test('a result that cannot be written as JSON becomes an error', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  expect(await (await post(endpoint.url(), call(1, 'circular'), session)).json()).toMatchObject({
    id: 1,
    error: { data: { code: 'SWB_INTERNAL' } },
  });
});

test('the level a session sets is its own', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  await post(endpoint.url(), rpc(1, 'logging/setLevel', { level: 'error' }), session);
  await post(endpoint.url(), rpc(2, 'ping'), session);
  expect(endpoint.relay.requests.at(-1)?.caller.logLevel).toBe('error');
});

test('a request id is in flight once; strings and numbers differ', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const first = post(endpoint.url(), call(7, 'wait'), session);
  await until(() => endpoint.relay.requests.some(({ request }) => request.id === 7), 'the call runs');
  const second = await post(endpoint.url(), call(7, 'echo'), session);
  expect([second.status, await second.json()]).toMatchObject([400, { id: null, error: { code: -32600 } }]);
  expect((await post(endpoint.url(), call('7', 'echo'), session)).status).toBe(200);
  await endpoint.relay.close();
  expect(await (await first).json()).toMatchObject({ id: 7, result: {} });
  expect((await post(endpoint.url(), call(7, 'echo'), session)).status).toBe(200);
});

test('notifications go to the relay, except those about the session itself', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  for (const method of ['notifications/roots/list_changed', 'notifications/progress', 'notifications/x-own']) {
    const reply = await post(endpoint.url(), { jsonrpc: '2.0', method, params: {} }, session);
    expect([reply.status, await reply.text]).toEqual([202, '']);
  }
  expect(endpoint.relay.notifications.map(({ notification }) => notification.method)).toEqual([
    'notifications/roots/list_changed',
    'notifications/x-own',
  ]);
  expect(endpoint.relay.notifications[0]?.caller.sessionId).toBe(session['mcp-session-id']);
});

describe('standalone streams', () => {
  const changed = (): void => {
    for (const session of endpoint.relay.sessions) {
      session.notify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    }
  };

  test('each message goes to one of several open streams', async () => {
    endpoint = await testEndpoint();
    const session = await openSession(endpoint.url());
    const streams = [await listenOn(endpoint.url(), session), await listenOn(endpoint.url(), session)];
    const received = (): number => streams.reduce((sum, stream) => sum + stream.messages().length, 0);
    for (let i = 1; i <= 3; i++) {
      changed();
      await until(() => received() === i, 'the message arrives');
    }
    streams[0]?.abort();
    await until(() => {
      changed();
      return (streams[1]?.messages().length ?? 0) > 0;
    }, 'the other stream takes over');
  });

  test('notifications are dropped while a session has no stream', async () => {
    endpoint = await testEndpoint();
    const session = await openSession(endpoint.url());
    changed();
    const stream = await listenOn(endpoint.url(), session);
    changed();
    await until(() => stream.messages().length > 0, 'the message arrives');
    expect(stream.messages()).toHaveLength(1);
  });

  test('a notification goes to the stream of its own session', async () => {
    endpoint = await testEndpoint();
    const [a, b] = [await openSession(endpoint.url()), await openSession(endpoint.url())];
    const [streamA, streamB] = [await listenOn(endpoint.url(), a), await listenOn(endpoint.url(), b)];
    [...endpoint.relay.sessions].at(1)?.notify({ jsonrpc: '2.0', method: 'notifications/x' });
    await until(() => streamB.messages().length === 1, 'the message arrives');
    expect(streamA.messages()).toEqual([]);
  });

  test('a stream must be accepted and there must be room for it', async () => {
    endpoint = await testEndpoint({ limits: { maxStreams: 1 } });
    const session = await openSession(endpoint.url());
    const html = await send(endpoint.url(), { method: 'GET', headers: { ...session, accept: 'application/json' } });
    expect(html.status).toBe(406);
    const first = await listenOn(endpoint.url(), session);
    expect(await errorOf(await listenOn(endpoint.url(), session))).toEqual([503, -31011, 'SWB_TOO_MANY_STREAMS']);
    first.abort();
    let again = await listenOn(endpoint.url(), session);
    for (let i = 0; i < 50 && again.status !== 200; i++) again = await listenOn(endpoint.url(), session);
    expect(again.status).toBe(200);
  });
});

describe('idle sessions', () => {
  // Sessions are idle on the clock of the wheel, which the test moves: no pause of the machine makes one idle before its time.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  const sessionIdleMs = 60_000;
  const timing = { keepAliveMs: 100 };
  const timePasses = (): void => void vi.advanceTimersByTime(sessionIdleMs + 1);

  test('are ended after a while; one with an open stream or a running call is not idle', async () => {
    endpoint = await testEndpoint({ limits: { sessionIdleMs }, timing });
    const streaming = await openSession(endpoint.url());
    await listenOn(endpoint.url(), streaming);
    const calling = await openSession(endpoint.url());
    const running = post(endpoint.url(), call(1, 'wait'), calling);
    const idle = await openSession(endpoint.url());
    await until(() => endpoint.relay.requests.some(({ request }) => request.method === 'tools/call'), 'the call runs');
    timePasses();
    await until(() => endpoint.relay.closedSessions === 1, 'one session is swept');
    expect(await errorOf(await post(endpoint.url(), rpc(1, 'ping'), idle))).toEqual(GONE);
    expect((await post(endpoint.url(), rpc(1, 'ping'), streaming)).status).toBe(200);
    expect((await post(endpoint.url(), rpc(2, 'ping'), calling)).status).toBe(200);
    await endpoint.relay.close();
    await (await running).text;
    // Its client has read the end before the server has closed the stream.
    await until(() => {
      timePasses();
      return endpoint.relay.closedSessions === 2;
    }, 'the session whose call is over is swept');
  });

  test('make room for new ones, the longest idle first', async () => {
    endpoint = await testEndpoint({ limits: { maxSessions: 2, sessionIdleMs } });
    const first = await openSession(endpoint.url());
    const second = await openSession(endpoint.url());
    const stream = await listenOn(endpoint.url(), first);
    await openSession(endpoint.url());
    expect(await errorOf(await post(endpoint.url(), rpc(1, 'ping'), second))).toEqual(GONE);
    expect((await post(endpoint.url(), rpc(1, 'ping'), first)).status).toBe(200);
    stream.abort();
  });

  test('a new session is refused when none is idle', async () => {
    endpoint = await testEndpoint({ limits: { maxSessions: 1 } });
    const session = await openSession(endpoint.url());
    await listenOn(endpoint.url(), session);
    const refused = await post(endpoint.url(), initialize());
    expect(refused.headers['retry-after']).toBe('5');
    expect(await errorOf(refused)).toEqual([503, -31010, 'SWB_TOO_MANY_SESSIONS']);
  });
});

test("another principal's session does not exist", async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const [known] = endpoint.relay.sessions;
  const ticker = new TimerWheel(1_000);
  const table = new SessionTable(ticker, { sessionIdleMs: 1_000, resumeGraceMs: 1_000 }, new Shares(1, 1));
  const { all } = stubFederation();
  table.add({ core: known as never, logs: undefined, lastActive: 0 });
  const id = session['mcp-session-id'];
  expect(table.require(id, identityOf('local'), all).core).toBe(known);
  expect(() => table.require(id, identityOf('mallory'), all)).toThrow('unknown or has ended');
  ticker.stop();
});
