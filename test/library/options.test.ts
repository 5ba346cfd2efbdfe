/** `createGateway` from plain values, and what its gateway offers a program without a network. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import express from 'express';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createGateway, createLog, type Gateway, type GatewayOptions, type Hook } from '../../src/index.ts';
import { memoryState } from '../../src/state/memory/memory-state.ts';
import { EVERYTHING, type EverythingServer, startEverything } from '../e2e/upstreams/everything.ts';

let everything: EverythingServer;
const open: { close(): Promise<void> | void }[] = [];

beforeAll(async () => {
  everything = await startEverything();
});
afterAll(() => everything?.kill());
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function made(options: GatewayOptions = {}): Promise<Gateway> {
  const servers = { everything: { url: everything.url } };
  const gateway = await createGateway({ servers, logLevel: 'silent', ...options });
  open.push(gateway);
  await gateway.settled();
  return gateway;
}

const echo = { name: 'everything__echo', arguments: { message: 'hi' } };
const ECHOED = { content: [{ type: 'text', text: 'Echo: hi' }] };

const post = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2025-11-25',
    ...headers,
  },
  body: JSON.stringify(body),
});

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};

describe('createGateway', () => {
  it('takes servers in plain values, with every default, and calls without a network', async () => {
    const gateway = await made({ servers: { everything: EVERYTHING } });
    expect(gateway.servers()).toMatchObject([{ name: 'everything', state: 'ready', origin: 'file' }]);
    expect(await gateway.call('tools/call', echo)).toMatchObject(ECHOED);
    expect(Object.keys(gateway)).not.toContain('federation');
    expect(Object.keys(gateway)).not.toContain('relay');
  });

  it('rejects with every mistake at once, named by the keys the program wrote', async () => {
    const broken = { servers: { a: {} }, port: 99_999, tokken: 'x' } as unknown as GatewayOptions;
    await expect(createGateway(broken)).rejects.toMatchObject({
      code: 'SWB_CONFIG',
      message: expect.stringMatching(/^createGateway servers\.a: .*\ncreateGateway port: .*\ncreateGateway tokken: /s),
    });
  });

  it('reads no server from the environment', async () => {
    const gateway = await made({ servers: {}, env: { AGENT_SERVERS: 'http://127.0.0.1:1' } });
    expect(gateway.servers()).toEqual([]);
  });

  it('calls hooks that are objects, functions, and either with settings, in their order', async () => {
    const seen: string[] = [];
    const hook = (name: string): Hook => ({
      phases: ['call.before'],
      decide: ({ args }) => {
        seen.push(name);
        return args?.message === name ? { effect: 'deny', reason: `${name} says no.` } : undefined;
      },
    });
    const gateway = await made({
      hooks: [
        hook('a'),
        () => hook('b'),
        { hook: hook('c'), name: 'c' },
        { hook: hook('d'), name: 'd', servers: ['x'] },
      ],
    });
    await gateway.call('tools/call', echo);
    expect(seen).toEqual(['a', 'b', 'c']);
    const denied = await gateway.call('tools/call', { name: 'everything__echo', arguments: { message: 'b' } });
    expect(denied).toMatchObject({ isError: true, content: [{ text: 'b says no.' }] });
  });

  it('names a hook from code that is none', async () => {
    const options = { hooks: [{ hook: 1, name: 'wrong' }] } as unknown as GatewayOptions;
    await expect(createGateway(options)).rejects.toThrow(/Hook "wrong": .*is no hook/);
  });

  it('keeps its state in a folder, or in what it is given, which it leaves open', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'switchboard-state-'));
    open.push({ close: () => rmSync(folder, { recursive: true, force: true }) });
    await made({ state: folder, audit: true });
    const state = memoryState(createLog('silent'));
    const gateway = await createGateway({ state, logLevel: 'silent' });
    await gateway.close();
    await state.kv.set('test', 'key', 1);
    expect(await state.kv.get('test', 'key')).toBe(1);
    await state.close();
  });

  it('puts another set of servers into force', async () => {
    const gateway = await made();
    await gateway.reload({ servers: {} });
    expect(gateway.servers()).toEqual([]);
  });
});

describe('gateway.call', () => {
  it('is bound by the grant of the identity it is made for', async () => {
    const key = 'sha256:781a0df255fa:16VG0g3zuA27XawkPKeSAw:YOza89tXYCbt5fyAjPaEsDSzr8eyojt4YGgBvA3S3zc';
    const gateway = await made({
      grants: { reader: { key, policy: { version: '1', default: 'deny', tools: { everything__echo: {} } } } },
    });
    const as = { principal: 'ada', grant: 'reader', claims: {} };
    expect(await gateway.call('tools/call', echo, { as })).toMatchObject(ECHOED);
    const { tools } = (await gateway.call('tools/list', {}, { as })) as { tools: { name: string }[] };
    expect(tools.map(({ name }) => name)).toEqual(['everything__echo']);
    const env = { name: 'everything__get-env' };
    expect(await gateway.call('tools/call', env, { as })).toMatchObject({ isError: true });
    expect(await gateway.call('tools/call', env)).not.toHaveProperty('isError');
  });

  it('reports progress and is cancelled by its signal', async () => {
    const gateway = await made();
    const name = 'everything__trigger-long-running-operation';
    const progress: unknown[] = [];
    const controller = new AbortController();
    const params = { name, arguments: { duration: 60, steps: 600 }, _meta: { progressToken: 'p' } };
    const running = gateway.call('tools/call', params, {
      signal: controller.signal,
      onNotification: ({ params: sent }) => {
        progress.push(sent?.progress);
        controller.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
    expect(progress[0]).toBe(1);
  });
});

describe('gateway.fetch', () => {
  it('answers, keeps a session, and streams', async () => {
    const gateway = await made();
    const opened = await gateway.fetch(new Request('http://localhost/mcp', post(initialize)));
    expect(opened.status).toBe(200);
    expect(opened.headers.get('transfer-encoding')).toBeNull();
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
    await opened.json();
    const call = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: echo };
    const answer = await gateway.fetch(new Request('http://localhost/mcp', post(call, session)));
    expect(await answer.json()).toMatchObject({ id: 2, result: ECHOED });
    const headers = { accept: 'text/event-stream', 'mcp-protocol-version': '2025-11-25', ...session };
    const stream = await gateway.fetch(new Request('http://localhost/mcp', { headers }));
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    await stream.body?.cancel();
    expect((await gateway.fetch(new Request('http://localhost/healthz', { method: 'HEAD' }))).body).toBeNull();
  });

  it('answers each request from its own body, whatever length its headers name', async () => {
    const gateway = await made();
    const requests: string[] = [];
    open.push({ close: gateway.on('request', ({ method }) => requests.push(method)) });
    const url = 'http://localhost/mcp';
    const { headers, body } = post(initialize) as { headers: Record<string, string>; body: string };
    const second = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const send = async (init: RequestInit): Promise<number> => {
      const response = await gateway.fetch(new Request(url, init));
      await response.text();
      return response.status;
    };
    const length = (bytes: number) => ({ ...headers, 'content-length': String(bytes) });
    expect(await send({ method: 'POST', headers: length(body.length), body: body + second })).toBe(400);
    expect(await send({ method: 'POST', headers: length(9_999), body })).toBe(200);
    // Of a body that a GET came with, a framework keeps the length alone.
    expect(await send({ headers: { 'content-length': '10' } })).toBe(405);
    expect(await send({ method: 'POST', headers, body })).toBe(200);
    expect(requests).toEqual(['initialize', 'initialize']);
  });

  it('checks Host and credentials as any other address', async () => {
    const gateway = await made({ token: 'a-token-of-sixteen' });
    expect((await gateway.fetch(new Request('http://elsewhere.example/mcp', post(initialize)))).status).toBe(403);
    expect((await gateway.fetch(new Request('http://localhost/mcp', post(initialize)))).status).toBe(401);
    const authorization = 'Bearer a-token-of-sixteen';
    const accepted = await gateway.fetch(new Request('http://localhost/mcp', post(initialize, { authorization })));
    expect(accepted.status).toBe(200);
    await accepted.text();
  });

  it.each(['signal', 'body'] as const)('cancels the call when its %s is cancelled', async (how) => {
    const gateway = await made({ servers: { everything: { url: everything.url, concurrency: 1 } } });
    const name = 'everything__trigger-long-running-operation';
    const _meta = {
      progressToken: 'p',
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const call = {
      ...{ jsonrpc: '2.0', id: 2, method: 'tools/call' },
      params: { name, arguments: { duration: 60, steps: 600 }, _meta },
    };
    const init = post(call, { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': name });
    const controller = new AbortController();
    const request = new Request('http://localhost/mcp', { ...init, signal: controller.signal });
    const response = await gateway.fetch(request);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toContain('notifications/progress');
    if (how === 'signal') {
      controller.abort(new Error('enough'));
      await expect(reader.read()).rejects.toThrow();
    } else await reader.cancel();
    // The only place of the server is free again.
    expect(await gateway.call('tools/call', echo, { signal: AbortSignal.timeout(20_000) })).toMatchObject(ECHOED);
  });

  it('rejects at once when its signal is aborted already, and after the gateway has closed', async () => {
    const gateway = await made();
    const aborted = new Request('http://localhost/mcp', { ...post(initialize), signal: AbortSignal.abort() });
    await expect(gateway.fetch(aborted)).rejects.toThrow();
    await gateway.close();
    const late = await gateway.fetch(new Request('http://localhost/readyz'));
    expect(await late.json()).toMatchObject({ ready: false });
  });
});

describe('gateway.handler', () => {
  async function listening(handler: Parameters<typeof createServer>[1]): Promise<string> {
    const server = createServer(handler);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push({
      close: () => {
        server.closeAllConnections();
        server.close();
      },
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('serves below a base path where the whole path arrives', async () => {
    const gateway = await made({ basePath: '/gateway/', port: 0 });
    const { url, port } = await gateway.listen();
    expect(url).toBe(`http://127.0.0.1:${port}/gateway/mcp`);
    const base = await listening(gateway.handler);
    expect((await fetch(`${base}/gateway/mcp`, post(initialize))).status).toBe(200);
    for (const [agent, announced] of [
      ['node', 'messages'],
      ['Java-http-client/21', '/gateway/messages'],
    ] as const) {
      const headers = { accept: 'text/event-stream', 'user-agent': agent };
      const stream = await fetch(`${base}/gateway/sse`, { headers });
      const { value } = await (stream.body as ReadableStream<Uint8Array>).getReader().read();
      expect(new TextDecoder().decode(value)).toContain(`data: ${announced}?sessionId=`);
    }
    await expect(createGateway({ basePath: 'no path' })).rejects.toMatchObject({ code: 'SWB_CONFIG' });
  });

  it('takes a body that a parser in front of it has read, and says so where it cannot', async () => {
    const gateway = await made();
    const app = express();
    app.use(express.json(), gateway.handler);
    expect((await fetch(`${await listening(app)}/mcp`, post(initialize))).status).toBe(200);
    const swallowing = await listening((req, res) => void req.resume().on('end', () => gateway.handler(req, res)));
    const refused = await fetch(`${swallowing}/mcp`, post(initialize));
    expect(refused.status).toBe(500);
    expect(await refused.text()).toContain('The request body was read before the gateway got the request.');
  });

  it('is closed with the gateway: its sessions and streams end', async () => {
    const gateway = await made();
    const base = await listening(gateway.handler);
    const opened = await fetch(`${base}/mcp`, post(initialize));
    const headers = {
      accept: 'text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
    };
    const stream = await fetch(`${base}/mcp`, { headers });
    await gateway.close();
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    while (!(await reader.read()).done);
  });
});

describe('gateway.serveStdio', () => {
  it('serves a pair of streams until it is closed', async () => {
    const gateway = await made();
    const input = new PassThrough();
    const output = new PassThrough();
    const client = gateway.serveStdio(input, output);
    input.write(`${JSON.stringify(initialize)}\n`);
    const [line] = await output.take(1).toArray();
    expect(JSON.parse(String(line))).toMatchObject({ id: 1, result: { protocolVersion: '2025-11-25' } });
    await client.close();
    await client.closed;
  });

  it('ends its clients when the gateway closes, once, however often it is asked to', async () => {
    const gateway = await made();
    const client = gateway.serveStdio(new PassThrough(), new PassThrough());
    await Promise.all([gateway.close(), gateway.close()]);
    await client.closed;
  });
});
