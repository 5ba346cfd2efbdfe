/** Real servers with authentication, directly and behind a proxy with a base path. */
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { resultOf } from '../../adapters/cases.ts';
import { langgraphAdapter } from '../../adapters/langgraph/index.ts';
import { fakeCall } from '../../adapters/testing/call.ts';
import { fakeContext, fakeDetectContext } from '../../adapters/testing/context.ts';
import type { Target } from '../../src/core/adapter.ts';
import { type LanggraphFixture, startLanggraph } from '../fixtures/langgraph.ts';
import { agentCall, VERSIONS } from './talk.ts';

const PREFIX = '/team/langgraph';

describe.each(VERSIONS)('LangGraph %s with authentication', (version) => {
  let server: LanggraphFixture;
  const seen: IncomingHttpHeaders[] = [];
  const proxy = createServer((incoming, outgoing) => {
    seen.push(incoming.headers);
    if (!incoming.url?.startsWith(`${PREFIX}/`)) {
      outgoing.writeHead(404).end();
      return;
    }
    const { host: _, ...headers } = incoming.headers;
    const url = `${server.url}${incoming.url.slice(PREFIX.length)}`;
    const forwarded = httpRequest(url, { method: incoming.method, headers }, (reply) => {
      outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(outgoing);
    });
    incoming.pipe(forwarded);
  });

  beforeAll(async () => {
    server = await startLanggraph(version, { auth: true });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    proxy.closeAllConnections();
    proxy.close();
    await server?.stop();
  });

  const target = (url: string, headers: Readonly<Record<string, string>>): Target => ({
    transport: 'http',
    url,
    headers,
  });
  const proxied = (path: string): string => `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${path}`;
  const echo = agentCall('echo', 'hello');

  it('connects with the right key only, although /info is open to all', async () => {
    for (const headers of [{}, { 'x-api-key': 'wrong' }]) {
      const context = fakeContext(target(server.url, headers as Record<string, string>));
      await expect(langgraphAdapter.connect(context)).rejects.toMatchObject({ code: 'SWB_UPSTREAM_AUTH' });
    }
    const upstream = await langgraphAdapter.connect(fakeContext(target(server.url, server.headers)));
    expect(resultOf(await upstream.request(echo.method, echo.params, fakeCall())).text).toBe('echo: hello');
    await upstream.ping(AbortSignal.timeout(5_000));
    await upstream.close();
  });

  it('is called under a base path, with the configured headers and no others', async () => {
    const upstream = await langgraphAdapter.connect(fakeContext(target(proxied(`${PREFIX}/`), server.headers)));
    seen.length = 0;
    expect(resultOf(await upstream.request(echo.method, echo.params, fakeCall())).text).toBe('echo: hello');
    await upstream.close();
    const ours = ['x-api-key', 'accept', 'accept-encoding', 'content-type', 'content-length', 'host', 'connection'];
    // The run, its status, and the end of its thread.
    await vi.waitFor(() => expect(seen).toHaveLength(3));
    for (const headers of seen) {
      expect(headers['x-api-key']).toBe(server.headers['x-api-key']);
      expect(Object.keys(headers).filter((name) => !ours.includes(name))).toEqual([]);
    }
  });

  it('is detected without a key, and under its base path only', async () => {
    expect(await langgraphAdapter.detect(new URL(server.url), fakeDetectContext())).toBe(true);
    expect(await langgraphAdapter.detect(new URL(proxied(`${PREFIX}/`)), fakeDetectContext())).toBe(true);
    expect(await langgraphAdapter.detect(new URL(proxied('/')), fakeDetectContext())).toBe(false);
  });
});
