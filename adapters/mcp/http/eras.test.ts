import { describe, expect, it, vi } from 'vitest';
import { SwitchboardError } from '../../../src/core/errors.ts';
import { startV1Http, startV1Sse, startV2Http } from '../../../test/fixtures/mcp/http.ts';
import { fakeCall, modernCaller } from '../../testing/call.ts';
import { fakeDetectContext } from '../../testing/context.ts';
import { absentOrigin, readBody, startMuteServer, startRawServer } from '../../testing/faults.ts';
import { mcpAdapter } from '../index.ts';
import { connections, textOf, toolCall } from '../testing/connected.ts';
import { startScripted } from '../testing/scripted.ts';

const { connect, closing } = connections();

const LEGACY = { era: 'legacy', protocolVersion: '2025-11-25' } as const;
const MODERN = { era: 'modern', protocolVersion: '2026-07-28' } as const;

describe('the era of an HTTP server', () => {
  it.each([
    ['SDK v2, both eras', () => startV2Http('both'), 'modern', '2026-07-28', 'streamable-http'],
    ['SDK v2, modern only', () => startV2Http('modern'), 'modern', '2026-07-28', 'streamable-http'],
    ['SDK v2, legacy only', () => startV2Http('legacy'), 'legacy', '2025-11-25', 'streamable-http'],
    ['SDK v1', () => startV1Http(), 'legacy', '2025-11-25', 'streamable-http'],
    ['SDK v1, JSON replies', () => startV1Http('json'), 'legacy', '2025-11-25', 'streamable-http'],
    ['SDK v1, old SSE', () => startV1Sse(), 'legacy', '2025-11-25', 'sse'],
  ] as const)('is found out: %s', async (_name, start, era, protocolVersion, transport) => {
    const fixture = closing(await start());
    for (const known of [undefined, LEGACY, MODERN]) {
      const { upstream } = await connect(fixture.url, { known });
      const found = { era: upstream.era, protocolVersion: upstream.protocolVersion, transport: upstream.transport };
      // A server of both eras is what it is known to be; every other wrong hint is corrected.
      const expected = _name.includes('both') && known === LEGACY ? LEGACY : { era, protocolVersion };
      expect(found, `known: ${known?.era}`).toEqual({ ...expected, transport });
      expect(upstream.serverInfo?.name).toMatch(/^fixture-v[12]$/);
      expect(upstream.instructions).toBe('A server for tests.');
      await upstream.close();
    }
  });

  it('takes no probe when it is known', async () => {
    const server = closing(await startScripted({ era: 'legacy' }));
    await connect(server.url, { known: LEGACY });
    expect(server.posted.map(({ message }) => message.method)).toEqual(['initialize', 'notifications/initialized']);
  });

  it('is modern when the server supports another modern version than the one asked for', async () => {
    const server = closing(
      await startRawServer(async (request, response) => {
        const { id } = JSON.parse(await readBody(request));
        const error = { code: -32022, message: 'Unsupported', data: { supported: ['2027-01-01'], requested: 'x' } };
        response.writeHead(400, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ jsonrpc: '2.0', id, error }));
      }),
    );
    await expect(connect(`${server.origin}/mcp`)).rejects.toMatchObject({
      code: 'SWB_UPSTREAM_PROTOCOL',
      message: expect.stringContaining("'2027-01-01'"),
    });
  });

  it('is probed once more when the server refuses a version it claims to support', async () => {
    const asked: unknown[] = [];
    const server = closing(
      await startRawServer(async (request, response) => {
        const { id, params } = JSON.parse((await readBody(request)) || '{}');
        asked.push(params?._meta?.['io.modelcontextprotocol/protocolVersion']);
        const supported = ['2026-07-28'];
        const error = { code: -32022, message: 'Unsupported', data: { supported, requested: '2026-07-28' } };
        const result = { resultType: 'complete', supportedVersions: supported, capabilities: {} };
        response.writeHead(asked.length === 1 ? 400 : 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ jsonrpc: '2.0', id, ...(asked.length === 1 ? { error } : { result }) }));
      }),
    );
    const { upstream } = await connect(`${server.origin}/mcp`);
    expect([upstream.era, asked]).toEqual(['modern', ['2026-07-28', '2026-07-28']]);
  });

  it('is legacy when a server that knows the modern error supports legacy versions alone', async () => {
    const server = closing(
      await startRawServer(async (request, response) => {
        const { id, method } = JSON.parse((await readBody(request)) || '{}');
        response.writeHead(method === 'server/discover' ? 400 : 200, { 'content-type': 'application/json' });
        const error = { code: -32022, message: 'Unsupported', data: { supported: ['2025-06-18'] } };
        const result = { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'x', version: '1' } };
        response.end(
          JSON.stringify({ jsonrpc: '2.0', id, ...(method === 'server/discover' ? { error } : { result }) }),
        );
      }),
    );
    const { upstream } = await connect(`${server.origin}/mcp`);
    expect([upstream.era, upstream.protocolVersion]).toEqual(['legacy', '2025-06-18']);
  });

  it('is probed again when a modern server has become a legacy one', async () => {
    let era: 'modern' | 'legacy' = 'modern';
    const modern = closing(await startV2Http('both'));
    const front = closing(
      await startRawServer(async (request, response) => {
        const body = await readBody(request);
        if (era === 'legacy') {
          response.writeHead(400, { 'content-type': 'application/json' });
          response.end('{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: no session"}}');
          return;
        }
        const headers = Object.fromEntries(
          Object.entries(request.headers).filter(([name]) => /^(mcp-|accept|content-type)/.test(name)),
        ) as Record<string, string>;
        const reply = await fetch(modern.url, { method: 'POST', headers, body });
        response.writeHead(reply.status, { 'content-type': reply.headers.get('content-type') ?? 'text/plain' });
        response.end(Buffer.from(await reply.arrayBuffer()));
      }),
    );
    const { upstream, context } = await connect(`${front.origin}/mcp`);
    const call = () => upstream.request(...toolCall('echo', { text: 'hi' }), fakeCall({ caller: modernCaller() }));
    expect(textOf(await call())).toBe('hi');
    era = 'legacy';
    await expect(call()).rejects.toThrow();
    await vi.waitFor(() => expect(context.downs.length).toBe(1));
    expect(context.downs[0]?.message).toMatch(/protocol version/);
  });
});

describe('redirects', () => {
  const redirecting = (status: number, location: (origin: string) => string) =>
    startRawServer((request, response) => {
      request.resume();
      const origin = `http://${request.headers.host}`;
      response.writeHead(status, { location: location(origin) }).end();
    });

  it('are followed on the same origin when connecting, with method and body', async () => {
    const server = await startScripted({ era: 'legacy' });
    closing(server);
    const site = closing(
      await startRawServer(async (request, response) => {
        const body = await readBody(request);
        if (request.url === '/mcp') {
          response.writeHead(307, { location: '/mcp/' }).end();
          return;
        }
        const headers = { 'content-type': 'application/json', 'x-key': String(request.headers['x-key']) };
        const reply = await fetch(server.url, { method: request.method ?? 'GET', headers, ...(body ? { body } : {}) });
        response.writeHead(reply.status, { 'content-type': 'application/json' }).end(await reply.text());
      }),
    );
    const target = { transport: 'http' as const, url: `${site.origin}/mcp`, headers: { 'X-Key': 'k' } };
    const { upstream } = await connect(target);
    expect(upstream.era).toBe('legacy');
    expect(server.posted.every(({ headers }) => headers['x-key'] === 'k')).toBe(true);
  });

  it('to another origin are not followed for a server the operator configured', async () => {
    const other = closing(await startScripted({ era: 'legacy' }));
    const site = closing(await redirecting(308, () => other.url));
    await expect(connect(`${site.origin}/mcp`)).rejects.toMatchObject({ code: 'SWB_URL_REFUSED' });
    expect(other.posted).toEqual([]);
  });

  it('to another origin are followed where the guard allows it, and credentials stay behind', async () => {
    const other = closing(await startScripted({ era: 'legacy' }));
    const site = closing(await redirecting(307, () => other.url));
    const checked: string[] = [];
    const guard = {
      lookup: (() => {}) as never,
      check: async (url: URL) => {
        checked.push(url.host);
      },
    };
    const target = {
      transport: 'http' as const,
      url: `${site.origin}/mcp`,
      headers: { authorization: 'Bearer s3cret' },
    };
    await connect(target, { guard });
    expect(checked).toContain(new URL(other.url).host);
    expect(other.posted.length).toBeGreaterThan(0);
    expect(other.posted.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  it('are not followed where the guard refuses', async () => {
    const other = closing(await startScripted({ era: 'legacy' }));
    const site = closing(await redirecting(307, () => other.url));
    const guard = {
      lookup: (() => {}) as never,
      check: async (url: URL) => {
        if (url.host !== new URL(site.origin).host) throw new SwitchboardError('SWB_URL_REFUSED', 'No.');
      },
    };
    const target = { transport: 'http' as const, url: `${site.origin}/mcp`, headers: {} };
    await expect(connect(target, { guard })).rejects.toMatchObject({ code: 'SWB_URL_REFUSED' });
    expect(other.posted).toEqual([]);
  });

  it('end after three', async () => {
    let hops = 0;
    const site = closing(await redirecting(307, (origin) => `${origin}/mcp/${++hops}`));
    await expect(connect(`${site.origin}/mcp`)).rejects.toMatchObject({ message: /redirects more than 3 times/ });
    expect(hops).toBe(4);
  });
});

describe('detection', () => {
  it.each([
    ['a modern server', () => startV2Http('modern')],
    ['a legacy server', () => startV1Http()],
    ['an old SSE server', () => startV1Sse()],
  ] as const)('recognises %s and leaves no session behind', async (_name, start) => {
    const fixture = closing(await start());
    expect(await mcpAdapter.detect(new URL(fixture.url), fakeDetectContext())).toBe(true);
    await vi.waitFor(() => expect(fixture.sessions()).toBe(0));
  });

  it('recognises a server that wants an OAuth token first', async () => {
    const site = closing(
      await startRawServer((request, response) => {
        request.resume();
        const challenge = 'Bearer resource_metadata="https://example.com/.well-known/oauth-protected-resource"';
        response.writeHead(401, { 'www-authenticate': challenge }).end();
      }),
    );
    expect(await mcpAdapter.detect(new URL(`${site.origin}/mcp`), fakeDetectContext())).toBe(true);
  });

  it('rejects a site behind a password, a silent server, and an address where none listens', async () => {
    const site = closing(
      await startRawServer((request, response) => {
        request.resume();
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      }),
    );
    const mute = closing(await startMuteServer());
    for (const origin of [site.origin, mute.origin, await absentOrigin()]) {
      const context = fakeDetectContext({ signal: AbortSignal.timeout(300) });
      expect(await mcpAdapter.detect(new URL(origin), context)).toBe(false);
    }
  });
});
