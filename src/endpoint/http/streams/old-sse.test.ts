import { expect, test } from 'vitest';
import {
  call,
  type Exchanged,
  initialize,
  modern,
  openStream,
  post,
  rpc,
  send,
  type TestEndpoint,
  until,
} from '../../testing/http.ts';
import { testEndpoint } from '../../testing/test-endpoint.ts';

let endpoint: TestEndpoint;

/** Opens a channel; `say` posts to the address it announced. */
async function open(
  path = '/sse',
): Promise<{ stream: Exchanged; announced: string; address: string; say(message: unknown): Promise<Exchanged> }> {
  const stream = await openStream(endpoint.url(path));
  await until(() => stream.events.length === 1, 'the address is announced');
  const [first] = stream.events;
  expect(first?.event).toBe('endpoint');
  const announced = String(first?.data);
  const { pathname, search } = new URL(announced, endpoint.url(path));
  const address = pathname + search;
  stream.events.length = 0;
  return { stream, announced, address, say: (message) => post(endpoint.url(address), message) };
}

test('messages are posted to the announced address and answered on the stream', async () => {
  endpoint = await testEndpoint();
  const { stream, address, say } = await open();
  expect(address).toMatch(/^\/messages\?sessionId=[\w-]{8}\.[0-9a-f]{32}$/);
  const accepted = await say(initialize('2024-11-05'));
  expect([accepted.status, await accepted.text]).toEqual([202, 'Accepted']);
  await until(() => stream.events.length === 1, 'the answer arrives');
  expect(stream.events[0]?.event).toBe('message');
  expect(stream.messages()[0]).toMatchObject({ id: 0, result: { protocolVersion: '2024-11-05' } });
  await say({ jsonrpc: '2.0', method: 'notifications/initialized' });
  await say(call(1, 'progress', { steps: 1 }));
  await until(() => stream.messages().length === 3, 'progress and answer arrive');
  expect(stream.messages().slice(1)).toMatchObject([{ method: 'notifications/progress' }, { id: 1, result: {} }]);
});

test('questions go out on the stream; changes too', async () => {
  endpoint = await testEndpoint();
  const { stream, say } = await open();
  await say(initialize('2024-11-05'));
  await until(() => endpoint.relay.sessions.size === 1, 'the session is open');
  for (const session of endpoint.relay.sessions)
    session.notify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
  await say(call(1, 'ask'));
  await until(() => stream.messages().length === 3, 'change and question arrive');
  const [, changed, question] = stream.messages();
  expect(changed?.method).toBe('notifications/tools/list_changed');
  await say({ jsonrpc: '2.0', id: question?.id, result: { action: 'accept' } });
  await until(() => stream.messages().length === 4, 'the answer arrives');
  expect(JSON.stringify(stream.messages()[3])).toContain('accept');
});

test('a withdrawn call is cancelled and not answered', async () => {
  endpoint = await testEndpoint();
  const { stream, say } = await open();
  await say(initialize());
  await say(call(1, 'wait'));
  await say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
  await say(rpc(2, 'ping'));
  await until(() => stream.messages().some(({ id }) => id === 2), 'the next answer arrives');
  expect(stream.messages().map(({ id }) => id)).toEqual([0, 2]);
  expect(endpoint.relay.cancelled).toHaveLength(1);
});

test('the session ends with its stream', async () => {
  endpoint = await testEndpoint();
  const { stream, address, say } = await open();
  await say(initialize());
  await say(call(1, 'wait'));
  await until(() => endpoint.relay.requests.length === 2, 'the call runs');
  stream.abort();
  await until(() => endpoint.relay.closedSessions === 1, 'the session is closed');
  expect(endpoint.relay.cancelled).toHaveLength(1);
  expect((await post(endpoint.url(address), rpc(2, 'ping'))).status).toBe(404);
});

test('one server has its own channel, which serves no other address', async () => {
  endpoint = await testEndpoint();
  const { stream, address, say } = await open('/servers/one/sse');
  expect(address).toMatch(/^\/servers\/one\/messages\?sessionId=/);
  await say(initialize());
  await say(rpc(1, 'tools/list'));
  await until(() => stream.messages().length === 2, 'the list arrives');
  expect(stream.messages()[1]).toMatchObject({ id: 1, result: { tools: [{ name: 'echo' }] } });
  const elsewhere = await post(endpoint.url(address.replace('/servers/one', '')), rpc(2, 'ping'));
  expect(elsewhere.status).toBe(404);
});

test('a post to an unknown channel gets an error that says why', async () => {
  endpoint = await testEndpoint();
  const { say } = await open();
  expect((await post(endpoint.url('/messages'), rpc(1, 'ping'))).status).toBe(400);
  expect((await post(endpoint.url('/messages?sessionId=nope'), rpc(1, 'ping'))).status).toBe(404);
  const { address } = await open();
  const broken = await send(endpoint.url(address), { headers: { 'content-type': 'application/json' }, body: '{' });
  expect([broken.status, await broken.json()]).toMatchObject([400, { error: { code: -32700 } }]);
  expect((await send(endpoint.url(address), { headers: { 'content-type': 'text/plain' }, body: '{}' })).status).toBe(
    415,
  );
  expect((await say(rpc(1, 'tools/list'))).status).toBe(202);
});

test('a request without initialize is answered, as by official servers: its client has connected again by itself', async () => {
  endpoint = await testEndpoint();
  const { stream, say } = await open();
  await say({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' });
  await say(rpc(1, 'tools/list'));
  await until(() => stream.messages().length === 1, 'the list arrives');
  expect(stream.messages()[0]).toMatchObject({ id: 1, result: { tools: expect.any(Array) } });
  const [request] = endpoint.relay.requests;
  expect(request?.caller).toMatchObject({ era: 'legacy', protocolVersion: '2025-11-25', capabilities: {} });
  // A later handshake is a change, which the listener receives.
  for (const session of endpoint.relay.sessions)
    session.notify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
  await say(initialize('2024-11-05'));
  await until(() => stream.messages().length === 3, 'change and handshake arrive');
  expect(stream.messages().slice(1)).toMatchObject([
    { method: 'notifications/tools/list_changed' },
    { id: 0, result: { protocolVersion: '2024-11-05' } },
  ]);
  stream.abort();
  await until(() => endpoint.relay.sessions.size === 0, 'its session is closed');
});

test.each([
  ['/sse', 'messages', '/messages'],
  ['/sse/', '../messages', '/messages'],
  ['/sse?key=a/b', 'messages', '/messages'],
  ['/servers/one/sse', 'messages', '/servers/one/messages'],
  ['/servers/one/sse/', '../messages', '/servers/one/messages'],
])(
  'the address announced at %s is relative, so that it holds behind a path of a proxy',
  async (path, relative, own) => {
    endpoint = await testEndpoint();
    const { announced, address, stream, say } = await open(path);
    expect(announced.split('?')[0]).toBe(relative);
    expect(address.split('?')[0]).toBe(own);
    expect(new URL(announced, `https://proxy.example/tools${path}`).pathname).toBe(`/tools${own}`);
    await say(initialize());
    await until(() => stream.messages().length === 1, 'the answer arrives');
  },
);

test('a Java client, which appends the announced address to that of the host, is sent an absolute path', async () => {
  endpoint = await testEndpoint();
  for (const [path, agent, own] of [
    ['/sse', 'Java-http-client/21.0.4', '/messages'],
    ['/servers/one/sse', 'ReactorNetty/1.2.3', '/servers/one/messages'],
  ] as const) {
    const stream = await openStream(endpoint.url(path), { 'user-agent': agent });
    await until(() => stream.events.length === 1, 'the address is announced');
    expect(String(stream.events[0]?.data).split('?')[0]).toBe(own);
  }
});

test('a modern request is served on this channel as well', async () => {
  endpoint = await testEndpoint();
  const { stream, say } = await open();
  await say(modern(1, 'tools/list'));
  await until(() => stream.messages().length === 1, 'the list arrives');
  expect(stream.messages()[0]).toMatchObject({ id: 1, result: { resultType: 'complete' } });
});

test('the number of streams is limited', async () => {
  endpoint = await testEndpoint({ limits: { maxStreams: 1 } });
  await open();
  expect((await openStream(endpoint.url('/sse'))).status).toBe(503);
});
