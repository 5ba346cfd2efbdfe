import { expect, test } from 'vitest';
import {
  call,
  listenOn,
  modern,
  openSession,
  openStream,
  post,
  postModern,
  type TestEndpoint,
  until,
} from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';

let endpoint: TestEndpoint;

const TIMING = { keepAliveMs: 40 };

test('quiet streams of every kind are kept alive by comments', async () => {
  endpoint = await testEndpoint({ timing: TIMING });
  const session = await openSession(endpoint.url());
  const streams = await Promise.all([
    listenOn(endpoint.url(), session),
    postModern(endpoint.url(), modern(1, 'subscriptions/listen', { notifications: {} })),
    openStream(endpoint.url('/sse')),
  ]);
  await until(() => streams.every((stream) => stream.comments >= 2), 'two comments arrived on each');
});

test('a slow reply becomes a stream, which is kept alive and ends with the answer', async () => {
  endpoint = await testEndpoint({ timing: TIMING });
  const session = await openSession(endpoint.url());
  const replies = await Promise.all([
    postModern(endpoint.url(), modern(1, 'tools/call', { name: 'wait', arguments: {} })),
    post(endpoint.url(), call(1, 'wait'), session),
  ]);
  await until(() => replies.every((reply) => reply.comments >= 1), 'a comment arrived on each');
  await endpoint.relay.close();
  for (const reply of replies) {
    expect(reply.headers['content-type']).toBe('text/event-stream');
    await reply.text;
    expect(reply.messages()).toMatchObject([{ id: 1, result: {} }]);
  }
});

test('a client can come back for a slow reply of its session', async () => {
  endpoint = await testEndpoint({ timing: TIMING });
  const session = await openSession(endpoint.url());
  const reply = await post(endpoint.url(), call(1, 'wait'), session);
  await until(() => reply.events.length === 1, 'the primer arrives');
  reply.abort();
  await endpoint.relay.close();
  const resumed = await listenOn(endpoint.url(), session, reply.events[0]?.id);
  await resumed.text;
  expect(resumed.messages()).toMatchObject([{ id: 1, result: {} }]);
});

test('a client of a revision without resumable streams cannot come back for a slow reply', async () => {
  endpoint = await testEndpoint({ timing: TIMING });
  const session = await openSession(endpoint.url(), '2025-06-18');
  const reply = await post(endpoint.url(), call(1, 'wait'), session);
  reply.abort();
  await until(() => endpoint.relay.cancelled.length === 1, 'the call is cancelled');
});

test('a client that takes JSON only waits in silence', async () => {
  endpoint = await testEndpoint({ timing: TIMING });
  const session = await openSession(endpoint.url());
  const pending = post(endpoint.url(), call(1, 'wait'), { ...session, accept: 'application/json' });
  const stream = await post(endpoint.url(), call(2, 'wait'), session);
  await until(() => stream.comments >= 2, 'time has passed');
  await endpoint.relay.close();
  expect(await (await pending).json()).toMatchObject({ id: 1, result: {} });
});

test('a client that does not read is cut off', async () => {
  endpoint = await testEndpoint();
  let stop = false;
  endpoint.relay.on('tools/call', async ({ inbound, cancelled }) => {
    cancelled.catch(() => {
      stop = true;
    });
    while (!stop) {
      inbound.channel.notify({ jsonrpc: '2.0', method: 'notifications/x', params: { filler: 'x'.repeat(256 * 1024) } });
      await new Promise(setImmediate);
    }
    return { value: {} };
  });
  const { connect } = await import('node:net');
  const message = modern(1, 'tools/call', { name: 'x' });
  const body = JSON.stringify(message);
  const socket = connect(endpoint.port, '127.0.0.1').pause();
  socket.on('error', () => {});
  socket.write(
    `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\n` +
      `Mcp-Method: tools/call\r\nMcp-Name: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await until(() => endpoint.relay.cancelled.length === 1, 'the call is cancelled');
  socket.destroy();
});
