import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { gatewayConfig, initialize, post, send, type TestEndpoint } from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';
import { checkOrigin, createHostCheck } from './guard.ts';

let endpoint: TestEndpoint;

const config = gatewayConfig({
  host: '0.0.0.0',
  allowedHosts: ['gateway.example', 'other.example:8443'],
  allowedOrigins: ['https://app.example', 'vscode-webview://panel'],
});

/** What the endpoint sends back for these bytes, until it closes the connection. */
function rawExchange(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return text(socket);
}

describe('Host', () => {
  const checkHost = createHostCheck(config);

  test.each([
    'localhost',
    'LOCALHOST:3000',
    'localhost.:80',
    '127.0.0.1:3000',
    '127.8.9.10',
    '[::1]:3000',
    'gateway.example',
    'gateway.example:9',
    'other.example:8443',
    '192.168.1.5:3000',
  ])('%s is accepted', (host) => {
    expect(() => checkHost(host, () => '::ffff:192.168.1.5')).not.toThrow();
  });

  test.each([
    undefined,
    '',
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.1',
    'other.example:80',
    'gateway.example.evil',
    'user@localhost',
    'localhost/x',
    '192.168.1.6',
    '[::2]',
  ])('%s is refused', (host) => {
    expect(() => checkHost(host, () => '192.168.1.5')).toThrow('Host header');
  });
});

describe('Origin', () => {
  test.each([
    'http://localhost',
    'http://localhost:5173',
    'https://127.0.0.1:1',
    'http://[::1]:8080',
    'https://app.example',
    'vscode-webview://panel',
  ])('%s may ask', (origin) => {
    expect(checkOrigin(origin, config)).toBe(origin);
  });

  test.each([
    'null',
    '',
    'https://evil.example',
    'http://localhost.evil.example',
    'http://localhost@evil.example',
    'https://app.example:8443',
    'http://app.example',
    'file://',
  ])('%s may not', (origin) => {
    expect(() => checkOrigin(origin, config)).toThrow('web origin');
  });

  test('a request without an Origin is not from a page', () => {
    expect(checkOrigin(undefined, config)).toBeUndefined();
  });
});

describe('on the wire', () => {
  test('a rebound name is answered 403 before the body is looked at', async () => {
    endpoint = await testEndpoint();
    const refused = await send(endpoint.url(), { headers: { host: 'evil.example' }, body: 'not json' });
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ id: null, error: { data: { code: 'SWB_HOST_REFUSED' } } });
  });

  test.each([
    ['other than', 'evil.example'],
    ['the same as', '127.0.0.1'],
  ])('a second Host header %s the first is answered 400', async (_what, second) => {
    endpoint = await testEndpoint();
    const hosts = ['127.0.0.1', second];
    for (const pair of [hosts, hosts.toReversed()]) {
      const lines = ['GET /healthz HTTP/1.1', `Host: ${pair[0]}`, `hOST: ${pair[1]}`, 'Connection: close', '', ''];
      expect(await rawExchange(endpoint.port, lines.join('\r\n'))).toMatch(/^HTTP\/1\.1 400 .*SWB_INVALID_REQUEST/s);
    }
    const one = ['GET /healthz HTTP/1.1', 'Host: 127.0.0.1', 'Connection: close', '', ''];
    expect(await rawExchange(endpoint.port, one.join('\r\n'))).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('the header of a key that a page may send is among those of its preflight', async () => {
    endpoint = await testEndpoint({ config: { keyHeaders: ['x-api-key'] } });
    const preflight = await send(endpoint.url(), { method: 'OPTIONS', headers: { origin: 'http://localhost:5173' } });
    expect(String(preflight.headers['access-control-allow-headers']).split(', ')).toContain('x-api-key');
  });

  test('a foreign page is answered 403, without CORS headers, and its preflight too', async () => {
    endpoint = await testEndpoint();
    for (const method of ['POST', 'OPTIONS', 'GET']) {
      const refused = await send(endpoint.url(), { method, headers: { origin: 'https://evil.example' } });
      expect(refused.status).toBe(403);
      expect(refused.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  test('a page of an allowed origin can open a session and read its id', async () => {
    endpoint = await testEndpoint({ config: { allowedOrigins: ['https://app.example'] } });
    const preflight = await send(endpoint.url(), {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type, Mcp-Param-Region, x-secret',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(preflight.headers['access-control-allow-methods']).toBe('GET, POST, DELETE');
    const allowed = String(preflight.headers['access-control-allow-headers']).split(', ');
    expect(allowed).toContain('mcp-session-id');
    expect(allowed).toContain('mcp-param-region');
    expect(allowed).not.toContain('x-secret');

    const opened = await post(endpoint.url(), initialize(), { origin: 'https://app.example' });
    expect(opened.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(opened.headers['access-control-expose-headers']).toContain('Mcp-Session-Id');
    expect(opened.headers.vary).toBe('Origin');
  });

  test('a client that is no page gets no CORS headers', async () => {
    endpoint = await testEndpoint();
    const opened = await post(endpoint.url(), initialize());
    expect(opened.status).toBe(200);
    expect(opened.headers['access-control-allow-origin']).toBeUndefined();
  });
});
