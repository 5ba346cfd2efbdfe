/** The bench's upstream is judged by the official client: figures against a server no client accepts would be worth nothing. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, describe, expect, it } from 'vitest';
import { LIMIT_PREFIX, type Limit, startLimit } from '../../bench/limits.ts';
import { LARGE_BYTES, SMALL_TEXT } from '../../bench/messages.ts';
import { startUpstream, type UpstreamOptions } from '../../bench/upstream.ts';
import { LATEST_LEGACY, LATEST_MODERN } from '../../src/wire/eras.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function upstream(options: UpstreamOptions): Promise<number> {
  const server = await startUpstream(options);
  closers.push(() => server.close());
  return server.port;
}

async function limit(kind: Limit, upstreamPort: number): Promise<number> {
  const server = await startLimit(kind, upstreamPort);
  closers.push(() => server.close());
  return server.port;
}

async function connect(port: number, mode: 'auto' | 'legacy'): Promise<Client> {
  const client = new Client({ name: 'judge', version: '1.0.0' }, { versionNegotiation: { mode } });
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)));
  closers.push(() => client.close());
  return client;
}

function textOf(result: Awaited<ReturnType<Client['callTool']>>): string {
  const [part] = result.content;
  if (part?.type !== 'text') throw new Error('the result has no text');
  return part.text;
}

async function expectWorking(client: Client, tools: number, prefix = ''): Promise<void> {
  const listed = await client.listTools();
  expect(listed.tools).toHaveLength(tools);
  expect(new Set(listed.tools.map((tool) => tool.name)).size).toBe(tools);
  const echoed = await client.callTool({ name: `${prefix}echo`, arguments: { text: SMALL_TEXT } });
  expect(textOf(echoed)).toBe(SMALL_TEXT);
  const large = await client.callTool({ name: `${prefix}big`, arguments: { bytes: LARGE_BYTES } });
  expect(Buffer.byteLength(JSON.stringify(textOf(large)))).toBe(LARGE_BYTES);
}

describe('the fixture upstream', () => {
  it.each([
    { eras: ['legacy', 'modern'], mode: 'auto', revision: LATEST_MODERN },
    { eras: ['legacy', 'modern'], mode: 'legacy', revision: LATEST_LEGACY },
    { eras: ['modern'], mode: 'auto', revision: LATEST_MODERN },
    { eras: ['legacy'], mode: 'auto', revision: LATEST_LEGACY },
    { eras: ['legacy'], mode: 'legacy', revision: LATEST_LEGACY },
  ] as const)('speaking $eras serves a client in mode $mode at $revision', async ({ eras, mode, revision }) => {
    const client = await connect(await upstream({ eras, tools: 20 }), mode);
    expect(client.getNegotiatedProtocolVersion()).toBe(revision);
    await expectWorking(client, 20);
  });

  it('lists a thousand tools in one page of half a megabyte', async () => {
    const port = await upstream({ eras: ['modern'], tools: 1_000 });
    const { tools } = await (await connect(port, 'auto')).listTools();
    expect(tools).toHaveLength(1_000);
    const size = JSON.stringify(tools).length;
    expect(size).toBeGreaterThan(450_000);
    expect(size).toBeLessThan(600_000);
  });

  it('forgets a session that was ended', async () => {
    const port = await upstream({ eras: ['legacy'], tools: 2 });
    const url = `http://127.0.0.1:${port}/mcp`;
    const post = (body: object, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(url, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      });
    const opened = await post({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: LATEST_LEGACY },
    });
    const session = { 'mcp-session-id': String(opened.headers.get('mcp-session-id')) };
    const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    expect((await post(list)).status).toBe(400);
    expect((await post(list, session)).status).toBe(200);
    expect((await fetch(url, { method: 'DELETE', headers: session })).status).toBe(200);
    expect((await post(list, session)).status).toBe(404);
  });

  it('refuses a modern request whose headers disagree with its body', async () => {
    const port = await upstream({ eras: ['modern'], tools: 2 });
    const response = await fetch(`http://127.0.0.1:${port}/mcp`, {
      method: 'POST',
      headers: { 'mcp-protocol-version': LATEST_MODERN, 'mcp-method': 'tools/call' },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/list',
        params: {
          _meta: {
            'io.modelcontextprotocol/protocolVersion': LATEST_MODERN,
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: -32020 } });
  });
});

describe('the limits', () => {
  it.each([
    { kind: 'b', era: 'legacy', prefix: '' },
    { kind: 'b', era: 'modern', prefix: '' },
    { kind: 'c', era: 'legacy', prefix: LIMIT_PREFIX },
    { kind: 'c', era: 'modern', prefix: LIMIT_PREFIX },
  ] as const)('($kind) carries a $era client through unchanged', async ({ kind, era, prefix }) => {
    const port = await limit(kind, await upstream({ eras: [era], tools: 20 }));
    const client = await connect(port, era === 'modern' ? 'auto' : 'legacy');
    await expectWorking(client, 20, prefix);
  });

  it('answer 502 when the upstream is gone', async () => {
    const gone = await startUpstream({ eras: ['modern'], tools: 2 });
    const ports = [await limit('b', gone.port), await limit('c', gone.port)];
    await gone.close();
    for (const port of ports) {
      expect((await fetch(`http://127.0.0.1:${port}/mcp`, { method: 'POST', body: '{}' })).status).toBe(502);
    }
  });
});
