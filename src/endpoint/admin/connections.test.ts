import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { gatewayAuthenticator } from '../../auth/authenticators.ts';
import { LoginPages } from '../../auth/connect/login-pages.ts';
import { ConnectRequests } from '../../auth/connect/requests.ts';
import { MemoryLogins } from '../../auth/connect/testing/memory-logins.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { openApprovals } from '../../policy/approvals/approvals.ts';
import type { Approvals } from '../../policy/approvals/types.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import { createHttpEndpoint, type HttpEndpoint } from '../http/server.ts';
import { gatewayConfig, silentLog } from '../testing/http.ts';
import { StubRelay, stubFederation } from '../testing/stub-relay.ts';

const TOKEN = 'admin-token-of-the-operator';
const BASE = 'https://gate.example';

let approvals: Approvals;
let endpoint: HttpEndpoint;
let origin: string;
let requests: ConnectRequests;
const logins = new MemoryLogins();

beforeAll(async () => {
  approvals = await openApprovals({ log: silentLog });
  requests = new ConnectRequests(memoryState(silentLog).kv, randomBytes(32));
  const pages = new LoginPages({ logins, requests, base: () => BASE, ready: async () => {} });
  const connections = { logins, pages, hasGrant: (name: string) => name === 'ada' };
  endpoint = createHttpEndpoint({
    relay: new StubRelay(),
    federation: stubFederation(),
    config: gatewayConfig({ token: 'gateway-token' }),
    log: silentLog,
    health: () => ({ ready: true, servers: {} }),
    timing: { closeGraceMs: 200 },
    auth: gatewayAuthenticator('gateway-token'),
    admin: { token: TOKEN, approvals, servers: () => [], connections },
  });
  origin = `http://127.0.0.1:${(await endpoint.listen()).port}`;
});
afterAll(async () => {
  await endpoint.close();
  await approvals.close();
});
beforeEach(() => {
  logins.accounts.clear();
  logins.shared.clear();
  logins.failure = undefined;
});

async function send(path: string, body?: object | string, token = TOKEN): Promise<[number, Record<string, unknown>]> {
  const response = await fetch(`${origin}/admin/api/connections${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return [response.status, (await response.json()) as Record<string, unknown>];
}

const refusal = (code: string, words: string) => ({
  error: expect.objectContaining({ code, message: expect.stringContaining(words) }),
});

describe('the connections of the administration', () => {
  it('are the operator’s alone', async () => {
    for (const [path, body] of [
      ['', undefined],
      ['/pages/x', undefined],
      ['/connect', { server: 'mail' }],
      ['/revoke', { server: 'mail', principal: 'ada' }],
    ] as const) {
      expect(await send(path, body, 'gateway-token')).toEqual([401, refusal('SWB_UNAUTHENTICATED', '')]);
    }
  });

  it('are listed, of all or of one principal, with times and without tokens', async () => {
    logins.loggedIn('ada', 'mail', 'ada@mail');
    logins.loggedIn('local', 'mail', 'me@mail');
    const listed = (principal: string) => ({
      ...{ principal, server: 'mail', issuer: 'https://accounts.example', resource: 'https://mail.example/mcp' },
      ...{ scopes: ['read'], state: 'connected', since: '2026-01-01T00:00:00.000Z', renewable: true },
    });
    expect(await send('')).toEqual([200, { connections: [listed('ada'), listed('local')] }]);
    expect(await send('?principal=ada')).toEqual([200, { connections: [listed('ada')] }]);
    expect(await send('?principal=nobody')).toEqual([200, { connections: [] }]);
  });

  it('are revoked once', async () => {
    logins.loggedIn('ada', 'mail', 'ada@mail');
    const body = { server: 'mail', principal: 'ada' };
    expect(await send('/revoke', body)).toEqual([200, { revoked: true }]);
    expect(await send('/revoke', body)).toEqual([200, { revoked: false }]);
  });
});

describe('a page that the operator opens', () => {
  it.each([
    ['the local user', {}, 'local', undefined],
    ['the holders of a grant’s keys', { grant: 'ada' }, 'ada', 'ada'],
    ['a principal that is named like a grant', { principal: 'ada' }, 'ada', 'ada'],
    ['a person under a grant', { principal: 'https://id.example#7', grant: 'ada' }, 'https://id.example#7', 'ada'],
    ['a person without one', { principal: 'https://id.example#7' }, 'https://id.example#7', undefined],
  ])('is for %s, with its code, and its state is told', async (_, whose, principal, grant) => {
    const [status, page] = await send('/connect', { server: 'mail', ...whose });
    const id = String(page.id);
    expect([status, page]).toEqual([
      200,
      {
        ...{ id, server: 'mail', principal, url: `${BASE}/connect/${id}`, code: requests.codeOf(id) },
        expiresAt: expect.stringMatching(/^\d{4}-.*Z$/),
      },
    ]);
    expect(await requests.find(id)).toMatchObject({ principal, grant });
    expect(await send(`/pages/${id}`)).toEqual([200, { state: 'waiting' }]);
    await requests.finish(id);
    expect(await send(`/pages/${id}`)).toEqual([200, { state: 'connected' }]);
  });

  it('is closed where it is not known, or took too many wrong codes', async () => {
    expect(await send(`/pages/${'a'.repeat(22)}`)).toEqual([200, { state: 'closed' }]);
    const [, { id }] = await send('/connect', { server: 'files' });
    for (let n = 0; n < 5; n++) await requests.type(String(id), 'BBBB-BBBB');
    expect(await send(`/pages/${id}`)).toEqual([200, { state: 'closed' }]);
  });

  it('is for everybody where the server has one login', async () => {
    logins.shared.add('mail');
    expect(await send('/connect', { server: 'mail', grant: 'ada' })).toMatchObject([200, { principal: '(gateway)' }]);
  });

  it('is refused with a status and the reason where nobody could log in', async () => {
    logins.failure = new SwitchboardError('SWB_LOGIN_FAILED', 'It names no authorization server.');
    expect(await send('/connect', { server: 'mail' })).toEqual([422, refusal('SWB_LOGIN_FAILED', 'It names no')]);
    logins.failure = new SwitchboardError('SWB_UNKNOWN_SERVER', "There is no server named 'x'.");
    expect(await send('/connect', { server: 'x' })).toEqual([404, refusal('SWB_UNKNOWN_SERVER', 'no server')]);
  });

  it.each([
    ['an unknown grant', { server: 'mail', grant: 'nobody' }, 422, "no grant 'nobody'"],
    ['no server', { grant: 'ada' }, 400, 'needs the member "server"'],
    ['another member', { server: 'mail', token: 'x' }, 400, 'server, grant, principal only'],
    ['a number', { server: 7 }, 400, '"server" must be a text'],
    ['an empty text', { server: '' }, 400, '"server" must be a text'],
    ['a line break', { server: 'mail', principal: 'ada\nlocal' }, 400, 'none of them a control character'],
    ['a long text', { server: 'm'.repeat(1_025) }, 400, '"server" must be a text'],
    ['a list', [], 400, 'must be a JSON object'],
  ])('is refused for %s', async (_, body, status, words) => {
    const code = status === 422 ? 'SWB_INVALID_PARAMS' : 'SWB_INVALID_REQUEST';
    expect(await send('/connect', body)).toEqual([status, refusal(code, words)]);
  });
});
