import { expect, test } from 'vitest';
import { gatewayAuthenticator } from '../../auth/authenticators.ts';
import type { GatewayConfig } from '../../config/types.ts';
import { gatewayConfig, modern, postModern, send, silentLog, type TestEndpoint } from '../testing/http.ts';
import { StubRelay, stubFederation } from '../testing/stub-relay.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';
import { refuseUnsafeBind } from './guard.ts';
import { createHttpEndpoint } from './server.ts';

let endpoint: TestEndpoint;

test('every address but /healthz asks for the token', async () => {
  endpoint = await testEndpoint({ config: { token: 'correct horse' } });
  for (const path of ['/mcp', '/servers/one/mcp', '/sse', '/messages', '/readyz', '/nothing']) {
    for (const authorization of [undefined, 'Bearer wrong', 'Bearer ', 'Basic Y29ycmVjdA==', 'correct horse']) {
      const refused = await send(endpoint.url(path), {
        method: 'GET',
        headers: authorization ? { authorization } : {},
      });
      expect(refused.status).toBe(401);
      expect(refused.headers['www-authenticate']).toMatch(/^Bearer realm="/);
      expect(await refused.json()).toMatchObject({ error: { data: { code: 'SWB_UNAUTHENTICATED' } } });
    }
  }
  expect((await send(endpoint.url('/healthz'), { method: 'GET' })).status).toBe(200);
});

test('readiness has no counts of servers where callers have keys', async () => {
  const health = () => ({ ready: true, servers: { ready: 2, connecting: 1 } });
  endpoint = await testEndpoint({ config: { token: 's3cret' }, health });
  const headers = { authorization: 'Bearer s3cret' };
  const ready = await send(endpoint.url('/readyz'), { method: 'GET', headers });
  expect([ready.status, await ready.json()]).toEqual([200, { ready: true }]);
});

test('the token is accepted in any case of the scheme', async () => {
  endpoint = await testEndpoint({ config: { token: 's3cret' } });
  const listed = await postModern(endpoint.url(), modern(1, 'tools/list'), { authorization: 'bearer s3cret' });
  expect(listed.status).toBe(200);
  expect(endpoint.relay.requests[0]?.caller.principal).toBe('local');
});

test('a refusal never repeats the token', async () => {
  endpoint = await testEndpoint({ config: { token: 's3cret' } });
  const refused = await send(endpoint.url(), { method: 'GET', headers: { authorization: 'Bearer s3cre' } });
  expect(await refused.text).not.toContain('s3cre');
});

const check = (changes: Partial<GatewayConfig>): void => {
  const config = gatewayConfig(changes);
  refuseUnsafeBind(config, gatewayAuthenticator(config.token));
};

test.each(['127.0.0.1', 'localhost', '::1', '127.3.2.1'])('%s may be bound without a token', (host) => {
  expect(() => check({ host })).not.toThrow();
});

test.each(['0.0.0.0', '::', '192.168.0.4', 'gateway.lan'])('%s may be bound only with a token or a flag', (host) => {
  expect(() => check({ host })).toThrow(/gateway\.token.*127\.0\.0\.1.*allowUnauthenticated/);
  expect(() => check({ host, token: 'x' })).not.toThrow();
  expect(() => check({ host, allowUnauthenticated: true })).not.toThrow();
});

test('listening checks the bind, and says what is wrong with a port in use', async () => {
  endpoint = await testEndpoint();
  const options = {
    relay: new StubRelay(),
    federation: stubFederation(),
    log: silentLog,
    auth: gatewayAuthenticator(undefined),
    health: () => ({ ready: true, servers: {} }),
  };
  const open = createHttpEndpoint({ ...options, config: gatewayConfig({ host: '0.0.0.0' }) });
  await expect(open.listen()).rejects.toMatchObject({ code: 'SWB_CONFIG' });
  const taken = createHttpEndpoint({ ...options, config: gatewayConfig({ port: endpoint.port }) });
  await expect(taken.listen()).rejects.toThrow(`127.0.0.1:${endpoint.port} is in use`);
});
