import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { initialize, modern, post, postModern, send, type TestEndpoint, until } from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';

let endpoint: TestEndpoint;

const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

/** Speaks raw HTTP and collects what comes back until the connection is closed. */
function raw(port: number, ...pieces: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
    for (const piece of pieces) socket.write(piece);
  });
}

test('a declared length over the limit is refused without reading, and the connection is closed politely', async () => {
  endpoint = await testEndpoint({ limits: { maxBodyBytes: 1_000 } });
  const reply = await raw(
    endpoint.port,
    `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n`,
    'x'.repeat(5_000),
  );
  expect(reply).toMatch(/^HTTP\/1\.1 413 /);
  expect(reply.toLowerCase()).toContain('connection: close');
  expect(reply).toContain('SWB_BODY_TOO_LARGE');
  expect(endpoint.relay.requests).toHaveLength(0);
});

test('a body without declared length is counted', async () => {
  endpoint = await testEndpoint({ limits: { maxBodyBytes: 1_000 } });
  const chunk = 'x'.repeat(600);
  const reply = await raw(
    endpoint.port,
    'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    `258\r\n${chunk}\r\n`,
    `258\r\n${chunk}\r\n`,
    '0\r\n\r\n',
  );
  expect(reply).toMatch(/^HTTP\/1\.1 413 /);
  expect(reply).toContain('SWB_BODY_TOO_LARGE');
});

test('a client that waits for 100 Continue gets it, or a refusal, at once', async () => {
  endpoint = await testEndpoint({ limits: { maxBodyBytes: 1_000 } });
  const head = 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n';
  const refused = await raw(endpoint.port, `${head}Content-Length: 5000\r\n\r\n`);
  expect(refused).toMatch(/^HTTP\/1\.1 413 /);
  const body = JSON.stringify(initialize());
  const accepted = await raw(endpoint.port, `${head}Connection: close\r\nContent-Length: ${body.length}\r\n\r\n`, body);
  expect(accepted).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
});

test('a body of exactly the limit is read', async () => {
  const message = JSON.stringify(initialize());
  endpoint = await testEndpoint({ limits: { maxBodyBytes: message.length } });
  expect((await send(endpoint.url(), { headers: HEADERS, body: message })).status).toBe(200);
  expect((await send(endpoint.url(), { headers: HEADERS, body: `${message} ` })).status).toBe(413);
});

test.each([
  [undefined, 415],
  ['text/plain', 415],
  ['application/x-www-form-urlencoded', 415],
  ['application/json; charset=latin1', 415],
  ['application/json; charset="UTF-8"', 200],
  ['Application/JSON;charset=utf-8', 200],
])('a body of type %s is answered %i', async (type, status) => {
  endpoint = await testEndpoint();
  const headers: Record<string, string> = { accept: HEADERS.accept, ...(type ? { 'content-type': type } : {}) };
  expect((await send(endpoint.url(), { headers, body: JSON.stringify(initialize()) })).status).toBe(status);
});

test('a compressed body is refused', async () => {
  endpoint = await testEndpoint();
  const refused = await send(endpoint.url(), { headers: { ...HEADERS, 'content-encoding': 'gzip' }, body: 'x' });
  expect(refused.status).toBe(415);
});

test.each(['', '{', 'nope', '{"a":1}}', '\u0000'])('%j is a parse error', async (body) => {
  endpoint = await testEndpoint();
  const refused = await send(endpoint.url(), { headers: HEADERS, body });
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({ id: null, error: { code: -32700 } });
});

test.each([
  '1',
  'null',
  '"x"',
  '{}',
  '{"method":1,"id":1}',
  '{"method":"ping","id":null}',
  '{"method":"ping","id":1,"params":[]}',
])('%s is not a message', async (body) => {
  endpoint = await testEndpoint();
  const headers = { ...HEADERS, 'mcp-protocol-version': '2026-07-28' };
  const refused = await send(endpoint.url(), { headers, body });
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({ error: { code: -32600 } });
});

test('nesting without end is refused, brackets in strings are not', async () => {
  endpoint = await testEndpoint();
  const deep = `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}}`;
  const refused = await send(endpoint.url(), { headers: HEADERS, body: deep });
  expect(await refused.json()).toMatchObject({ error: { code: -32700 } });
  const flat = modern(1, 'tools/call', { name: 'echo', arguments: { text: '[{'.repeat(5_000) } });
  expect((await postModern(endpoint.url(), flat)).status).toBe(200);
});

test('keys that would pollute prototypes stay keys', async () => {
  endpoint = await testEndpoint();
  const body = JSON.stringify(modern(1, 'tools/call', { name: 'echo', arguments: {} })).replace(
    '"arguments":{}',
    '"arguments":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
  );
  const headers = { ...HEADERS, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'echo' };
  const echoed = await send(endpoint.url(), { headers, body });
  expect(echoed.status).toBe(200);
  expect(await echoed.text).toContain('__proto__');
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test('a head that never ends is cut off', async () => {
  endpoint = await testEndpoint({ timing: { headersTimeoutMs: 100, requestTimeoutMs: 200 } });
  expect(await raw(endpoint.port, 'POST /mcp HTTP/1.1\r\nHost: loc')).toMatch(/^HTTP\/1\.1 408 /);
});

test('a body that never ends is cut off, and a client that leaves in the middle disturbs nothing', async () => {
  endpoint = await testEndpoint({ timing: { headersTimeoutMs: 100, requestTimeoutMs: 200 } });
  const head = 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{';
  expect(await raw(endpoint.port, head)).toMatch(/^HTTP\/1\.1 408 /);
  const socket = connect(endpoint.port, '127.0.0.1');
  let gone = false;
  socket.on('close', () => {
    gone = true;
  });
  socket.write(head, () => socket.destroy());
  await until(() => gone, 'the client has left');
  expect((await post(endpoint.url(), initialize())).status).toBe(200);
});
