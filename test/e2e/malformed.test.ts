/** Requests no correct client sends: a precise error without internals for the sender, and no effect on others. */
import { connect as connectTcp } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { Clients, type TestClient, textOf } from './clients.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { expectNoLeak } from './leaks.ts';
import { envelope, inSession, modernRequest, openSession, type RawReply, type RawRequest, send } from './raw.ts';

const MAX_BODY = 64 * 1024;

let v1: HttpFixture;
let gateway: OwnGateway;
let session: string;
let bystander: TestClient;
const clients = new Clients();

beforeAll(async () => {
  v1 = await startV1Http();
  gateway = await startReadyGateway({
    servers: { v1: { url: v1.url } },
    gateway: { limits: { maxBodyBytes: MAX_BODY } },
  });
  session = await openSession(gateway.url);
  bystander = await clients.connect('v1', { http: gateway.url });
});
afterEach(async () => {
  // Whatever was sent: the others, and the session it was sent in, are as they were.
  expect(textOf(await bystander.call('v1__echo', { text: 'undisturbed' }))).toBe('undisturbed');
  const alive = await send(gateway.url, inSession(session, 'ping'));
  expect(alive.message).toMatchObject({ result: {} });
});
afterAll(async () => {
  await clients.close();
  await gateway?.close();
  await v1?.close();
});

async function refused(request: RawRequest, path = '/mcp'): Promise<RawReply> {
  const reply = await send(gateway.at(path), request);
  expectNoLeak(reply.text);
  return reply;
}

const call = (params: object, id = 1) =>
  JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { ...params, _meta: envelope() } });

describe('the body of a request', () => {
  it.each<[string, RawRequest, number, number]>([
    ['that is no JSON', { body: '{"jsonrpc":"2.0",' }, 400, -32700],
    ['that is empty', { body: '' }, 400, -32700],
    ['that is no UTF-8', { body: new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]) }, 400, -32700],
    ['that is no message', { body: '"hello"' }, 400, -32600],
    ['that is an empty batch', { body: '[]' }, 400, -32600],
    ['with an id that is none', { body: '{"jsonrpc":"2.0","id":{},"method":"tools/list"}' }, 400, -32600],
    ['with a method that is no text', { body: '{"jsonrpc":"2.0","id":1,"method":7}' }, 400, -32600],
    ['of another type', { body: 'hello', headers: { 'content-type': 'text/plain' } }, 415, -32600],
    ['over the limit', { body: `{"jsonrpc":"2.0","id":1,"method":"${'x'.repeat(MAX_BODY)}"}` }, 413, -32600],
  ])('%s', async (_, { headers, ...request }, status, code) => {
    const reply = await refused({ ...request, headers: { 'mcp-session-id': session, ...headers } });
    expect([reply.status, reply.message.error?.code]).toEqual([status, code]);
    expect(reply.message).toMatchObject({ jsonrpc: '2.0', error: { message: expect.stringMatching(/\S/) } });
  });

  it('that nests deeper than anything sensible', async () => {
    const depth = 20_000;
    const reply = await refused({
      body: `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${'['.repeat(depth)}${']'.repeat(depth)}}}`,
    });
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.message.error?.code).toBeLessThan(0);
  });

  it('that is announced and never sent delays no other request', async () => {
    const { port } = new URL(gateway.url);
    const socket = connectTcp(Number(port), '127.0.0.1');
    socket.write(
      'POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\ncontent-length: 100\r\n\r\n{"json',
    );
    expect(textOf(await bystander.call('v1__echo', { text: 'meanwhile' }))).toBe('meanwhile');
    socket.destroy();
  });
});

describe('headers', () => {
  it.each<[string, RawRequest, number, string]>([
    ['a Host that is not the gateway’s', { headers: { host: 'evil.example' } }, 403, 'SWB_HOST_REFUSED'],
    ['an Origin that is not allowed', { headers: { origin: 'https://evil.example' } }, 403, 'SWB_ORIGIN_REFUSED'],
    ['an Accept that takes neither JSON nor a stream', { headers: { accept: 'text/html' } }, 406, 'SWB_NOT_ACCEPTABLE'],
    ['a session nobody opened', { headers: { 'mcp-session-id': 'made-up' } }, 404, 'SWB_SESSION_NOT_FOUND'],
    ['a revision nobody knows', { headers: { 'mcp-protocol-version': '1999-01-01' } }, 400, 'SWB_INVALID_REQUEST'],
  ])('%s', async (_, request, status, code) => {
    const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}';
    // `fetch` does not send a Host of one's own: this one goes over a plain socket.
    const reply = request.headers?.host
      ? await overSocket(request.headers, body)
      : await refused({ body, headers: { 'mcp-session-id': session, ...request.headers } });
    expect([reply.status, reply.message.error?.data?.code]).toEqual([status, code]);
  });

  it('without a session where one is needed', async () => {
    const reply = await refused({ body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' });
    expect([reply.status, reply.message.error?.data?.code]).toEqual([400, 'SWB_SESSION_REQUIRED']);
  });

  it.each<[string, Record<string, string>]>([
    ['Mcp-Method', { 'mcp-method': 'tools/list' }],
    ['Mcp-Name', { 'mcp-name': 'v1__add' }],
    ['MCP-Protocol-Version', { 'mcp-protocol-version': '2025-11-25' }],
  ])('a modern %s that says something else than the body', async (_, wrong) => {
    const request = modernRequest('tools/call', { name: 'v1__echo', arguments: { text: 'hi' } });
    const reply = await refused({ ...request, headers: { ...request.headers, ...wrong } });
    expect([reply.status, reply.message.error?.code]).toEqual([400, -32020]);
  });

  it('a modern request without its envelope', async () => {
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' };
    const reply = await refused({ headers, body: '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}' });
    expect(reply.status).toBe(400);
    expect(reply.message.error?.data?.code).toMatch(/^SWB_(ENVELOPE|HEADER_MISMATCH|INVALID_PARAMS)$/);
  });

  async function overSocket(headers: Record<string, string>, body: string): Promise<RawReply> {
    const { port } = new URL(gateway.url);
    const socket = connectTcp(Number(port), '127.0.0.1');
    const lines = Object.entries({ 'content-type': 'application/json', connection: 'close', ...headers });
    socket.end(
      `POST /mcp HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}content-length: ${body.length}\r\n\r\n${body}`,
    );
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    expectNoLeak(text);
    return {
      status: Number(text.split(' ')[1]),
      headers: new Headers(),
      text,
      message: JSON.parse(text.slice(text.indexOf('{'))),
    };
  }
});

describe('a request', () => {
  it.each<[string, object, string]>([
    ['for a tool there is none of', { name: 'v1__nope', arguments: {} }, 'SWB_UNKNOWN_TOOL'],
    ['for a tool under its bare name', { name: 'echo', arguments: { text: 'x' } }, 'SWB_UNKNOWN_TOOL'],
    ['for a tool of a name with tricks', { name: '__proto__', arguments: {} }, 'SWB_UNKNOWN_TOOL'],
    ['without a tool’s name', { arguments: {} }, 'SWB_INVALID_PARAMS'],
    ['with arguments that are a list', { name: 'v1__echo', arguments: ['x'] }, 'SWB_INVALID_PARAMS'],
  ])('%s', async (_, params, code) => {
    const legacy = await refused(inSession(session, 'tools/call', params as Record<string, unknown>));
    expect(legacy.message).toMatchObject({ id: 1, error: { code: -32602, data: { code } } });
    const name = (params as { name?: string }).name;
    const modern = await refused({
      headers: {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        ...(name === undefined ? {} : { 'mcp-name': name }),
      },
      body: call(params),
    });
    expect(modern.message.error?.code).toBe(name === undefined ? modern.message.error?.code : -32602);
    expect(modern.message.error?.code).toBeLessThan(0);
  });

  it('with arguments the server refuses gets the server’s own words', async () => {
    const wrong = await bystander.call('v1__add', { a: 'one', b: 2 }).catch((error: Error) => error);
    const text = wrong instanceof Error ? wrong.message : textOf(wrong);
    expect(text).toMatch(/number/);
    expectNoLeak(text);
  });

  it('with arguments a builtin tool refuses says what is allowed', async () => {
    const wrong = await bystander.call('callAgent', { agnet: 'x/y', message: 'hi' });
    expect(wrong.isError).toBe(true);
    expect(textOf(wrong)).toMatch(/agnet/);
    expect(textOf(wrong)).toMatch(/\bagent\b/);
  });

  it('for a method there is none of', async () => {
    const legacy = await refused(inSession(session, 'tools/fly'));
    expect(legacy.message.error).toMatchObject({ code: -32601 });
    const modern = await refused(modernRequest('tools/fly'));
    expect([modern.status, modern.message.error?.code]).toEqual([404, -32601]);
  });

  it('for a tool that fails or throws passes the server’s error on, without secrets of ours', async () => {
    const fails = await bystander.call('v1__fail');
    expect(fails).toMatchObject({ isError: true, content: [{ text: 'The fixture fails as it should.' }] });
    const throws = await bystander.call('v1__boom').catch((error: Error) => error);
    expectNoLeak(throws instanceof Error ? throws.message : throws);
  });

  it('with a cursor that is none', async () => {
    const reply = await refused(inSession(session, 'tools/list', { cursor: 'bm90IGEgY3Vyc29y' }));
    expect(reply.message.error).toMatchObject({ code: -32602 });
  });
});

describe('an address', () => {
  it.each(['/', '/nope', '/mcp/extra', '/servers/v1', '/servers/%E0%A4%A/mcp'])(
    'that leads nowhere: %s',
    async (path) => {
      const reply = await refused({ body: '{}' }, path);
      expect(reply.status).toBe(404);
    },
  );

  it('with a method it does not have', async () => {
    const reply = await refused({ method: 'PUT', body: '{}' });
    expect(reply.status).toBe(405);
    expect(reply.headers.get('allow')).toContain('POST');
  });
});

describe('a token', () => {
  it('is required where one is configured, and never shown', async () => {
    const token = 'the-token-of-this-very-test';
    const own = await startReadyGateway({
      servers: { v1: { url: v1.url } },
      gateway: { token: `\${E2E_TOKEN}` },
      env: { E2E_TOKEN: token },
    });
    try {
      for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: token }] as Record<
        string,
        string
      >[]) {
        const refusal = await send(own.url, {
          ...modernRequest('tools/list'),
          headers: { ...modernRequest('tools/list').headers, ...headers },
        });
        expect(refusal.status).toBe(401);
        expect(refusal.headers.get('www-authenticate')).toMatch(/^Bearer/);
        expectNoLeak(refusal.text.replaceAll('Bearer ', ''));
      }
      const friend = await clients.connect('v2-modern', {
        http: own.url,
        headers: { authorization: `Bearer ${token}` },
      });
      expect(textOf(await friend.call('v1__whoami'))).not.toContain(token);
      expect(own.log()).not.toContain(token);
    } finally {
      await own.close();
    }
  });
});
