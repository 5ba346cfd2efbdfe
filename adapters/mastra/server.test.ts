import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Change } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { startMastra } from '../../test/fixtures/mastra.ts';
import { resultOf } from '../cases.ts';
import { fakeCall } from '../testing/call.ts';
import { fakeDetectContext } from '../testing/context.ts';
import { mastraAdapter, mastraAdapterPolling } from './index.ts';
import {
  AGENT,
  ask,
  closeAll,
  connect,
  DONE,
  event,
  events,
  failureOf,
  fakeMastra,
  finish,
  json,
  page,
  page502,
  type Route,
} from './testing/fake-mastra.ts';

afterEach(closeAll);

const saysYes = events(event('text-delta', { text: 'yes' }), finish, DONE);

describe('connecting to a Mastra server', () => {
  it.each<[string, Route, string]>([
    ['a web page', page, 'SWB_UPSTREAM_PROTOCOL'],
    ['another API', json({ a: { title: 'no agent' } }), 'SWB_UPSTREAM_PROTOCOL'],
    ['a list', json([AGENT]), 'SWB_UPSTREAM_PROTOCOL'],
    ['nothing of the kind', json({ error: 'Not Found' }, 404), 'SWB_UPSTREAM_PROTOCOL'],
    ['a demand for credentials', json({ error: 'Invalid or expired token' }, 401), 'SWB_UPSTREAM_AUTH'],
    ['a refusal', json({ error: 'No' }, 403), 'SWB_UPSTREAM_AUTH'],
    ['a proxy without a server', page502, 'SWB_UPSTREAM_UNAVAILABLE'],
    ['a redirect', json({}, 302, { location: 'http://elsewhere.example/' }), 'SWB_UPSTREAM_HTTP'],
    ['an error', json({ error: 'it broke at /srv/app/index.js:1:2' }, 500), 'SWB_UPSTREAM_HTTP'],
  ])('fails precisely where there is %s', async (_what, route, code) => {
    const { server } = await fakeMastra({ 'GET /api/agents?partial=true': route });
    const failure = await failureOf(connect(server.origin));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(/^Server 'fixture' /);
    expect(failure.message).not.toMatch(/127\.0\.0\.1|srv|elsewhere/);
  });

  it('keeps a base path and a query, and sends no headers but the configured ones', async () => {
    const { server, sent } = await fakeMastra({
      'GET /base/api/agents?team=x&partial=true': json({ a: AGENT }),
      'GET /base/api/system/packages?team=x': json({ packages: [] }),
      'POST /base/api/agents/a/stream?team=x': saysYes,
    });
    const headers = { authorization: 'Bearer key', 'x-team': 'x' };
    const { upstream } = await connect(`${server.origin}/base/api/?team=x`, {}, mastraAdapter, headers);
    expect(await ask(upstream, false)).toMatchObject({ status: 'completed', text: 'yes', finishReason: 'stop' });
    const post = sent.at(-1);
    expect(JSON.parse(post?.body ?? '')).toEqual({ messages: [{ role: 'user', content: 'hi' }] });
    const { host, connection, 'content-length': length, ...rest } = post?.headers ?? {};
    expect([host, connection, length].every((value) => value !== undefined)).toBe(true);
    expect(rest).toEqual({
      ...headers,
      accept: 'application/json, text/event-stream',
      'accept-encoding': 'identity',
      'content-type': 'application/json',
    });
  });

  it.each([
    ['/mastra', '/mastra'],
    ['/mastra/', '/mastra'],
    ['/api/mastra-studio', '/api/mastra-studio'],
    ['/api/mastra-studio/', '/api/mastra-studio/api'],
    ['/api', '/api/api'],
    ['', ''],
  ])('finds an API at %s mounted under %s, and keeps to it', async (path, base) => {
    const { server, sent } = await fakeMastra({
      'GET /api/agents?partial=true': page,
      [`GET ${base}/agents?partial=true`]: json({ a: AGENT }),
      [`GET ${base}/system/packages`]: json({ packages: [] }),
      [`POST ${base}/agents/a/stream`]: saysYes,
    });
    expect(await mastraAdapter.detect(new URL(server.origin + path), fakeDetectContext())).toBe(true);
    const { upstream } = await connect(server.origin + path);
    expect(await ask(upstream, false)).toMatchObject({ status: 'completed', text: 'yes' });
    expect(sent.at(-1)?.line).toBe(`POST ${base}/agents/a/stream`);
  });

  it.each(['/mastra', '/api/mastra-studio'])(
    'finds a real server mounted under %s, and asks its agents',
    async (prefix) => {
      const server = await startMastra({ prefix });
      try {
        const url = `${server.url}${prefix}`;
        expect(await mastraAdapter.detect(new URL(url), fakeDetectContext())).toBe(true);
        const { upstream } = await connect(url);
        const params = { agent: 'echo', messages: [{ role: 'user', content: 'under a prefix' }], stream: true };
        const reply = await upstream.request('agents/call', params, fakeCall()).then(resultOf);
        expect(JSON.stringify(reply)).toContain('under a prefix');
      } finally {
        await server.stop();
      }
    },
  );

  it('says what a url must be where there is no API, and asks the two places only', async () => {
    const { server, sent } = await fakeMastra({});
    const failure = await failureOf(connect(`${server.origin}/nowhere`));
    expect(failure.message).toContain('neither <url>/api/agents nor <url>/agents answers');
    expect(new Set(sent.filter(({ line }) => line.includes('/agents')).map(({ line }) => line))).toEqual(
      new Set(['GET /nowhere/api/agents?partial=true', 'GET /nowhere/agents?partial=true']),
    );
  });

  it('reports the version where the server does', async () => {
    const { server } = await fakeMastra({});
    const { upstream } = await connect(server.origin);
    expect(upstream.protocolVersion).toBe('1.71.0');
    expect(upstream.serverInfo).toEqual({ name: 'mastra', version: '1.71.0' });
  });
});

describe('a Mastra server', () => {
  it('keeps the numbers of a tool result as it wrote them', async () => {
    const { server } = await fakeMastra({
      'GET /api/tools/n': json({ id: 'n', requireApproval: false }),
      'POST /api/tools/n/execute': (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"n":12345678901234567890,"x":1.0}');
      },
    });
    const { upstream } = await connect(server.origin);
    const reply = await upstream.request('tools/call', { name: 'n' }, fakeCall());
    expect('raw' in reply && reply.raw?.toString()).toContain('"structuredContent":{"n":12345678901234567890,"x":1.0}');
  });

  it('needs approval for tools that an agent guards', async () => {
    const guarded = { ...AGENT, tools: { t: { id: 't', requireApproval: true } } };
    const { server, sent } = await fakeMastra({
      'GET /api/agents?partial=true': json({ a: guarded }),
      'GET /api/tools/t': json({ id: 't', requireApproval: false }),
    });
    const { upstream } = await connect(server.origin);
    const result = resultOf(await upstream.request('tools/call', { name: 't' }, fakeCall()));
    expect(result.isError).toBe(true);
    expect(sent.some(({ line }) => line.startsWith('POST'))).toBe(false);
  });

  it('is polled for changes, and each list that changed is reported once', async () => {
    const listing: { agents: JsonObject; tools: JsonObject } = { agents: { a: AGENT }, tools: {} };
    const { server, sent } = await fakeMastra({
      'GET /api/agents?partial=true': (request, response) => json(listing.agents)(request, response),
      'GET /api/tools': (request, response) => json(listing.tools)(request, response),
    });
    const { upstream } = await connect(server.origin, {}, mastraAdapterPolling(20));
    for (const kind of ['agents', 'tools'] as const) await upstream.catalog(kind, AbortSignal.timeout(30_000));
    const changes: Change[] = [];
    const subscription = upstream.listen({ lists: true }, (change) => changes.push(change));

    const polls = (): number => sent.filter(({ line }) => line === 'GET /api/tools').length;
    const polled = async (): Promise<void> => {
      const before = polls();
      await vi.waitFor(() => expect(polls()).toBeGreaterThan(before + 1), { timeout: 5_000, interval: 10 });
    };
    await polled();
    expect(changes).toEqual([]);
    listing.tools = { t: { id: 't', requireApproval: false } };
    await polled();
    expect(changes).toEqual([{ type: 'list', kind: 'tools' }]);
    listing.agents = { a: { ...AGENT, instructions: 'ANOTHER SECRET' } };
    await polled();
    expect(changes).toHaveLength(1);
    listing.agents = { a: { ...AGENT, description: 'new' } };
    await polled();
    expect(changes.slice(1)).toEqual([{ type: 'list', kind: 'agents' }]);

    subscription.close();
  });

  it('that is away is noticed by polling', async () => {
    const { server } = await fakeMastra({ 'GET /api/tools': json({}) });
    const { context, upstream } = await connect(server.origin, {}, mastraAdapterPolling(20));
    upstream.listen({ lists: true }, () => {});
    await server.close();
    await vi.waitFor(() => expect(context.downs).toHaveLength(1), { timeout: 5_000, interval: 10 });
    expect(context.downs[0]).toMatchObject({ code: 'SWB_UPSTREAM_UNAVAILABLE' });
  });

  it.each<[string, Record<string, Route>, boolean]>([
    ['agents', {}, true],
    ['no agents', { 'GET /api/agents?partial=true': json({}) }, true],
    [
      'credentials to ask for',
      {
        'GET /api/agents?partial=true': json({ error: 'Invalid or expired token' }, 401),
        'GET /api/auth/capabilities': json({ enabled: true, login: null }),
      },
      true,
    ],
    [
      'another API that wants credentials',
      { 'GET /api/agents?partial=true': json({ error: 'unauthorized' }, 401) },
      false,
    ],
    [
      'an API that answers everything with nothing',
      { 'GET /api/agents?partial=true': json({}), 'GET /api/system/packages': json({}) },
      false,
    ],
    ['a list of agents', { 'GET /api/agents?partial=true': json([AGENT]) }, false],
    ['other things', { 'GET /api/agents?partial=true': json({ a: { name: 'A' } }) }, false],
    ['an endpoint of MCP', { 'GET /api/agents?partial=true': json({ jsonrpc: '2.0', id: null, error: {} }) }, false],
  ])('is known by its API: one with %s', async (_what, routes, verdict) => {
    const { server, sent } = await fakeMastra(routes);
    expect(await mastraAdapter.detect(new URL(server.origin), fakeDetectContext())).toBe(verdict);
    expect(sent.every(({ line }) => line.startsWith('GET'))).toBe(true);
  });
});
