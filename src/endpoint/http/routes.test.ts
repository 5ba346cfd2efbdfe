import { expect, test } from 'vitest';
import { initialize, modern, post, postModern, send, type TestEndpoint } from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';

let endpoint: TestEndpoint;

const get = (path: string): ReturnType<typeof send> => send(endpoint.url(path), { method: 'GET' });

test('health says nothing but that the process lives', async () => {
  endpoint = await testEndpoint();
  const health = await get('/healthz');
  expect([health.status, await health.text]).toEqual([200, '{"status":"ok"}']);
  const head = await send(endpoint.url('/healthz'), { method: 'HEAD' });
  expect([head.status, await head.text]).toEqual([200, '']);
});

test('readiness follows the servers, in numbers only', async () => {
  let ready = false;
  endpoint = await testEndpoint({ health: () => ({ ready, servers: { ready: 2, connecting: 1 } }) });
  const early = await get('/readyz');
  expect([early.status, await early.json()]).toEqual([503, { ready: false, servers: { ready: 2, connecting: 1 } }]);
  ready = true;
  expect((await get('/readyz')).status).toBe(200);
});

test.each([
  '/',
  '/mcp2',
  '/servers',
  '/servers/one',
  '/servers/one/two/mcp',
  '/servers/%E0%A4%A/mcp',
  '/.well-known/x',
])('there is nothing at %s', async (path) => {
  endpoint = await testEndpoint();
  const missing = await get(path);
  expect(missing.status).toBe(404);
  expect(missing.headers['content-type']).toBe('application/json');
});

test('one server is served under its own address; an unknown one is a JSON-RPC error', async () => {
  endpoint = await testEndpoint();
  const one = await postModern(endpoint.url('/servers/one/mcp'), modern(1, 'tools/list'));
  expect(((await one.json()).result as { tools: unknown[] }).tools).toHaveLength(1);
  const unknown = await postModern(endpoint.url('/servers/two/mcp'), modern(1, 'tools/list'));
  expect(unknown.status).toBe(404);
  expect(await unknown.json()).toMatchObject({ error: { data: { code: 'SWB_UNKNOWN_SERVER' } } });
});

test('a slash at the end and a query do no harm', async () => {
  endpoint = await testEndpoint();
  for (const path of ['/mcp/', '/mcp?x=1', '/servers/one/mcp/', '/servers/%6Fne/mcp']) {
    expect((await postModern(endpoint.url(path), modern(1, 'tools/list'))).status).toBe(200);
  }
});

test.each([
  ['PUT', '/mcp', 'POST, GET, DELETE'],
  ['PATCH', '/servers/one/mcp', 'POST, GET, DELETE'],
  ['GET', '/mcp', 'POST'],
  ['DELETE', '/mcp', 'POST'],
  ['POST', '/sse', 'GET'],
  ['GET', '/messages', 'POST'],
  ['POST', '/healthz', 'GET, HEAD'],
  ['POST', '/readyz', 'GET, HEAD'],
])('%s %s is not allowed; allowed is %s', async (method, path, allow) => {
  endpoint = await testEndpoint();
  const refused = await send(endpoint.url(path), { method });
  expect([refused.status, refused.headers.allow]).toEqual([405, allow]);
});

test('any legacy request without its session id gets an error that says so', async () => {
  endpoint = await testEndpoint();
  for (const method of ['GET', 'DELETE']) {
    const refused = await send(endpoint.url(), { method, headers: { 'mcp-protocol-version': '2025-06-18' } });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: { code: -32000, data: { code: 'SWB_SESSION_REQUIRED' } } });
  }
});

test('after close nothing is accepted and closing again is harmless', async () => {
  endpoint = await testEndpoint();
  await post(endpoint.url(), initialize());
  await Promise.all([endpoint.close(), endpoint.close()]);
  await expect(post(endpoint.url(), initialize())).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(endpoint.relay.closedSessions).toBe(1);
});
