/**
 * Clients that read slower than an upstream reports.
 * @module
 */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { call, modern, modernHeaders, openSession, type TestEndpoint, until } from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';

let endpoint: TestEndpoint;

/** A call that reports 64 MiB of progress before its answer, none of which the client reads in the meantime. */
async function readLate(message: JsonObject, headers: Record<string, string>): Promise<string> {
  let told = false;
  endpoint.relay.on('tools/call', async ({ inbound: { channel } }) => {
    const params = { progressToken: 'p', progress: 1, message: 'x'.repeat(64 * 1024) };
    for (let i = 0; i < 1024; i++) {
      channel.notify({ jsonrpc: '2.0', method: 'notifications/progress', params });
      if (i % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    told = true;
    return { value: { content: [{ type: 'text', text: 'the answer' }] } };
  });
  const socket = connect(endpoint.port, '127.0.0.1');
  const body = JSON.stringify(message);
  const lines = Object.entries({
    host: 'localhost',
    connection: 'close',
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.pause();
  socket.write(`POST /mcp HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
  await until(() => told, 'everything is told');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

test('a modern client that is behind misses progress, and gets its answer', async () => {
  endpoint = await testEndpoint();
  const message = modern(1, 'tools/call', { name: 't', arguments: {} }, { progressToken: 'p' });
  const text = await readLate(message, modernHeaders(message));
  expect(text.length).toBeLessThan(16 * 1024 * 1024);
  expect(text).toContain('the answer');
});

test('a client with a session that is behind misses progress, and gets its answer', async () => {
  endpoint = await testEndpoint();
  const session = await openSession(endpoint.url());
  const text = await readLate(call(1, 't'), session);
  expect(text.length).toBeLessThan(16 * 1024 * 1024);
  expect(text).toContain('the answer');
});
