import { createConnection } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatewayAuthenticator } from '../../auth/authenticators.ts';
import type { ServerStatus } from '../../federation/types.ts';
import { openApprovals } from '../../policy/approvals/approvals.ts';
import { request } from '../../policy/approvals/testing/requests.ts';
import type { Approvals } from '../../policy/approvals/types.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { HttpOptions } from '../http/context.ts';
import { createHttpEndpoint, type HttpEndpoint } from '../http/server.ts';
import { gatewayConfig, type Sent, send, silentLog } from '../testing/http.ts';
import { StubRelay, stubFederation } from '../testing/stub-relay.ts';

const TOKEN = 'admin-token-of-the-operator';
const ADMIN = { authorization: `Bearer ${TOKEN}` };
const GRANT_KEY = 'swb_agent_key';
const STATUS: ServerStatus = {
  name: 'bank',
  kind: 'mcp',
  state: 'degraded',
  transport: 'streamable-http',
  speaksMcp: true,
  era: 'modern',
  protocolVersion: '2026-07-28',
  stale: true,
  counts: { tools: 2, prompts: 0, resources: 1, templates: 0, agents: 0 },
  error: 'the connection was refused',
  origin: 'file',
  since: 0,
  serverInfo: { name: 'bank', version: '1', secret: 'of the server' },
};

let approvals: Approvals;
let endpoint: HttpEndpoint;
let port: number;
let id: string;

async function start(options: Partial<HttpOptions> = {}): Promise<void> {
  endpoint = createHttpEndpoint({
    relay: new StubRelay(),
    federation: stubFederation(),
    config: gatewayConfig({ token: 'gateway-token', allowedOrigins: ['https://app.example'] }),
    log: silentLog,
    health: () => ({ ready: true, servers: {} }),
    timing: { closeGraceMs: 200 },
    admin: { token: TOKEN, approvals, servers: () => [STATUS] },
    auth: gatewayAuthenticator('gateway-token', {
      required: true,
      version: 0,
      verify: (key) => (key === GRANT_KEY ? 'agent' : undefined),
      isValid: () => true,
    }),
    ...options,
  });
  ({ port } = await endpoint.listen());
}

beforeEach(async () => {
  approvals = await openApprovals({ log: silentLog });
  id = approvals.claim(request({ principal: 'agent' })).approval.id;
});

afterEach(async () => {
  await endpoint.close();
  await approvals.close();
});

async function ask(path: string, sent: Sent = {}): Promise<{ status: number; headers: JsonObject; body: JsonObject }> {
  const { status, headers, json } = await send(new URL(`http://127.0.0.1:${port}${path}`), {
    method: 'GET',
    ...sent,
    headers: { ...ADMIN, ...sent.headers },
  });
  return { status, headers, body: await json() };
}

const decide = (effect: string, body?: unknown, of = id) =>
  ask(`/admin/approvals/${of}/${effect}`, {
    method: 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });

describe('the operator', () => {
  beforeEach(() => start());

  it('lists, by state, without arguments', async () => {
    const { status, headers, body } = await ask('/admin/approvals?state=pending');
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
    const [approval] = body.approvals as JsonObject[];
    expect(approval).toMatchObject({ id, state: 'pending', principal: 'agent', server: 'bank', name: 'pay' });
    expect(approval?.expiresAt).toMatch(/^\d{4}-.*Z$/);
    expect(approval).not.toHaveProperty('arguments');
    expect((await ask('/admin/approvals/?state=denied')).body).toEqual({ approvals: [] });
    expect((await ask('/admin/approvals')).body.approvals).toHaveLength(1);
    expect(await ask('/admin/approvals?state=none')).toMatchObject({
      status: 400,
      body: { error: { code: 'SWB_INVALID_REQUEST', message: expect.stringContaining('pending, approved') } },
    });
  });

  it('looks at one', async () => {
    expect(await ask(`/admin/approvals/${id}`)).toMatchObject({
      status: 200,
      body: { approval: { id, reason: 'Money moves.', rule: '/tools/pay', arguments: '{"amount":"[redacted]"}' } },
    });
  });

  it('approves, with words or without', async () => {
    expect(await decide('approve', { by: 'alice', note: 'once' })).toMatchObject({
      status: 200,
      body: { approval: { id, state: 'approved', by: 'alice', note: 'once' } },
    });
    expect(approvals.claim(request({ principal: 'agent' })).status).toBe('approved');
  });

  it('denies', async () => {
    expect((await decide('deny')).body).toMatchObject({ approval: { state: 'denied', by: 'admin' } });
    expect(approvals.claim(request({ principal: 'agent' })).status).toBe('denied');
  });

  it('gets a precise error for what cannot be decided', async () => {
    await decide('deny', { by: 'bob' });
    expect(await decide('approve')).toMatchObject({
      status: 409,
      body: { error: { code: 'SWB_APPROVAL_DECIDED', message: 'It was denied already, by bob.', state: 'denied' } },
    });
    for (const forged of [`apr_${'A'.repeat(22)}`, '..%2f..', 'x']) {
      expect(await decide('approve', undefined, forged)).toMatchObject({
        status: 404,
        body: { error: { code: 'SWB_UNKNOWN_APPROVAL' } },
      });
      expect((await ask(`/admin/approvals/${forged}`)).status).toBe(404);
    }
    const expired = approvals.claim(request({ principal: 'late', need: { ...request().need, timeoutMs: 0 } })).approval
      .id;
    expect(await decide('approve', undefined, expired)).toMatchObject({
      status: 410,
      body: { error: { code: 'SWB_APPROVAL_EXPIRED' } },
    });
  });

  it.each([
    ['no object', '[]', 'application/json', 400],
    ['no JSON', '{', 'application/json', 400],
    ['another type', '{}', 'text/plain', 415],
    ['an unknown member', '{"effect":"approve"}', 'application/json', 400],
    ['a name of objects', '{"toString":"x"}', 'application/json', 400],
    ['a note that is no text', '{"note":1}', 'application/json', 400],
    ['a long note', JSON.stringify({ note: 'x'.repeat(1_001) }), 'application/json', 400],
    ['too many bytes', JSON.stringify({ note: 'x'.repeat(9_000) }), 'application/json', 413],
  ])('is refused a body that is %s', async (_what, body, type, status) => {
    const path = `/admin/approvals/${id}/approve`;
    const refused = await ask(path, { method: 'POST', body, headers: { 'content-type': type } });
    expect(refused.status).toBe(status);
    expect(refused.body).toMatchObject({ error: { code: expect.stringMatching(/^SWB_/) } });
    const chunked = await ask(path, {
      method: 'POST',
      body,
      headers: { 'content-type': type, 'transfer-encoding': 'chunked' },
    });
    expect(chunked.status).toBe(status);
    expect(approvals.get(id)?.state).toBe('pending');
  });

  it('sees the servers and the state each is in, without what their own info says beside their names', async () => {
    const { serverInfo, speaksMcp: _, ...status } = STATUS;
    expect(await ask('/admin/api/servers')).toMatchObject({
      status: 200,
      body: { servers: [{ ...status, since: '1970-01-01T00:00:00.000Z', serverInfo: { name: 'bank', version: '1' } }] },
    });
    expect(JSON.stringify((await ask('/admin/api/servers')).body)).not.toContain('of the server');
    expect((await ask('/admin/api/servers', { method: 'POST' })).headers.allow).toBe('GET');
    expect((await ask('/admin/api/servers', { headers: { authorization: 'Bearer gateway-token' } })).status).toBe(401);
  });

  it('gets the allowed methods of an address', async () => {
    for (const [path, method, allow] of [
      ['/admin/approvals', 'POST', 'GET'],
      [`/admin/approvals/${id}`, 'DELETE', 'GET'],
      [`/admin/approvals/${id}/approve`, 'GET', 'POST'],
      [`/admin/approvals/${id}/deny`, 'OPTIONS', 'POST'],
    ] as const) {
      expect(await ask(path, { method })).toMatchObject({ status: 405, headers: { allow } });
    }
    for (const path of ['/admin', '/admin/', '/admin/x', `/admin/approvals/${id}/expire`, '/admin/approvals/a/b/c']) {
      expect((await ask(path)).status).toBe(404);
    }
    expect(approvals.get(id)?.state).toBe('pending');
  });
});

describe("a request that is not the operator's", () => {
  beforeEach(() => start());

  it.each([
    undefined,
    'Bearer',
    'Bearer wrong',
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(0, -1)}`,
    `Basic ${Buffer.from(`admin:${TOKEN}`).toString('base64')}`,
    TOKEN,
    'Bearer gateway-token',
    `Bearer ${GRANT_KEY}`,
  ])('is refused with %j', async (authorization) => {
    for (const [method, path] of [
      ['GET', '/admin/approvals'],
      ['GET', `/admin/approvals/${id}`],
      ['POST', `/admin/approvals/${id}/approve`],
      ['GET', '/admin/nothing'],
      ['OPTIONS', '/admin/approvals'],
    ] as const) {
      const refused = await send(new URL(`http://127.0.0.1:${port}${path}`), {
        method,
        headers: authorization === undefined ? {} : { authorization },
      });
      expect(refused.status).toBe(401);
      expect(refused.headers['www-authenticate']).toBe('Bearer realm="agent-switchboard administration"');
      const text = await refused.text;
      expect(text).toContain('SWB_UNAUTHENTICATED');
      expect(text).not.toContain(id);
    }
    expect(approvals.get(id)?.state).toBe('pending');
  });

  it('may use the endpoint with the keys of clients, and not with the admin token', async () => {
    const status = async (token: string) =>
      (await ask('/readyz', { headers: { authorization: `Bearer ${token}` } })).status;
    expect(await status(GRANT_KEY)).toBe(200);
    expect(await status('gateway-token')).toBe(200);
    expect(await status(TOKEN)).toBe(401);
  });

  it.each(['null', 'http://localhost:5173', 'https://app.example', 'https://evil.example', ''])(
    'is refused from a page of %j, even with the token',
    async (origin) => {
      for (const method of ['POST', 'OPTIONS']) {
        const refused = await ask(`/admin/approvals/${id}/approve`, { method, headers: { origin } });
        expect(refused).toMatchObject({ status: 403, body: { error: { code: 'SWB_ORIGIN_REFUSED' } } });
        expect(refused.headers['access-control-allow-origin']).toBeUndefined();
      }
      expect(approvals.get(id)?.state).toBe('pending');
    },
  );

  it("a page of the gateway's own origin may use it with the token, and of the same name at another port it may not", async () => {
    const headers = { origin: `http://127.0.0.1:${port}` };
    expect((await ask('/admin/approvals', { headers })).status).toBe(200);
    expect((await decide('approve')).status).toBe(200);
    for (const origin of [`http://127.0.0.1:${port + 1}`, 'http://127.0.0.1', `http://localhost:${port}`]) {
      expect((await ask('/admin/approvals', { headers: { origin } })).status).toBe(403);
    }
    const refused = await ask('/admin/approvals', { headers: { ...headers, authorization: 'Bearer wrong' } });
    expect(refused.status).toBe(401);
    expect(refused.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('is refused under a host name that was rebound', async () => {
    const refused = await ask('/admin/approvals', { headers: { host: 'evil.example' } });
    expect(refused.status).toBe(403);
  });

  it('is refused before its body is read', async () => {
    const socket = createConnection(port, '127.0.0.1');
    let reply = '';
    socket.on('data', (chunk) => {
      reply += chunk;
    });
    socket.on('error', () => {});
    const head = [
      `POST /admin/approvals/${id}/approve HTTP/1.1`,
      'host: 127.0.0.1',
      'content-type: application/json',
      'content-length: 999999999',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n{`);
    await new Promise((resolve) => socket.on('close', resolve));
    expect(reply).toMatch(/^HTTP\/1\.1 401 /);
  });
});

it('without an admin token every address of the administration is one where nothing is', async () => {
  await start({ admin: undefined });
  for (const path of ['/admin', '/admin/approvals', `/admin/approvals/${id}/approve`]) {
    const all: Record<string, string>[] = [
      {},
      { authorization: `Bearer ${GRANT_KEY}` },
      { origin: 'https://app.example' },
    ];
    for (const headers of all) {
      const answered = await ask(path, { method: 'POST', headers });
      expect(answered.status).toBe(404);
      expect(answered.headers['access-control-allow-origin']).toBeUndefined();
    }
  }
});

it('the token of clients cannot be the admin token too', async () => {
  await start();
  const shared = createHttpEndpoint({
    relay: new StubRelay(),
    federation: stubFederation(),
    config: gatewayConfig({ token: TOKEN }),
    auth: gatewayAuthenticator(TOKEN),
    log: silentLog,
    health: () => ({ ready: true, servers: {} }),
    admin: { token: TOKEN, approvals, servers: () => [STATUS] },
  });
  await expect(shared.listen()).rejects.toMatchObject({ code: 'SWB_CONFIG' });
  await shared.close();
});
