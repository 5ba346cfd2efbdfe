/** Servers that are dead, hang or talk nonsense from the start: everybody else is served as if they were not there. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  absentOrigin,
  type RawServer,
  readBody,
  startMuteServer,
  startRawServer,
  startWebSite,
} from '../../adapters/testing/faults.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { stdioFixture } from '../fixtures/mcp/stdio.ts';
import { type ClientKind, Clients, textOf } from './clients.ts';
import { type OwnGateway, startGateway } from './gateway.ts';
import { expectNoLeak } from './leaks.ts';
import { until } from './until.ts';

const BAD = ['dead', 'mute', 'site', 'half', 'nothing', 'hanging', 'quitting'];

let v1: HttpFixture;
let v2: HttpFixture;
const child = stdioFixture('v2');
let mute: RawServer;
let site: RawServer;
let half: RawServer;
let gateway: OwnGateway;
/** What waits for a server that never answers takes this long (`connectTimeoutMs`). */
const CONNECT_DEADLINE_MS = 15_000;

let listenedAfterMs: number;
const clients = new Clients();

/** Opens sessions, and is silent about everything else. */
const startHalf = (): Promise<RawServer> =>
  startRawServer((request, response) => {
    void readBody(request).then((text) => {
      const { id, method } = JSON.parse(text || '{}');
      if (request.method === 'POST' && id === undefined) return response.writeHead(202).end();
      if (method === 'server/discover') return response.writeHead(400).end();
      if (method !== 'initialize') return undefined;
      const capabilities = { tools: {}, prompts: {}, resources: {} };
      const result = { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'half', version: '1' } };
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    });
  });

beforeAll(async () => {
  [v1, v2, mute, site, half] = await Promise.all([
    startV1Http(),
    startV2Http('modern'),
    startMuteServer(),
    startWebSite(),
    startHalf(),
  ]);
  const began = performance.now();
  gateway = await startGateway({
    servers: {
      dead: { url: `${await absentOrigin()}/mcp` },
      mute: { url: `${mute.origin}/mcp` },
      site: { url: `${site.origin}/mcp` },
      half: { url: `${half.origin}/mcp`, kind: 'mcp' },
      nothing: { command: '/nonexistent/program' },
      hanging: { command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] },
      quitting: { command: process.execPath, args: ['-e', 'console.error("no license"); process.exit(3)'] },
      v1: { url: v1.url },
      v2: { url: v2.url },
      child: { command: child.target.command, args: child.target.args, env: child.target.env },
    },
  });
  listenedAfterMs = performance.now() - began;
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  child.close();
  await Promise.all([v1?.close(), v2?.close(), mute?.close(), site?.close(), half?.close()]);
});

describe('a gateway whose servers are dead or hang', () => {
  it('listens at once, and lists working servers within seconds', async () => {
    expect(listenedAfterMs).toBeLessThan(CONNECT_DEADLINE_MS);
    const client = await clients.connect('v1', { http: gateway.url });
    const began = performance.now();
    const wanted = ['v1__echo', 'v2__echo', 'child__echo', 'listServers'];
    await until(async () => {
      const tools = await client.tools();
      return wanted.every((tool) => tools.includes(tool));
    }, 'all that works');
    expect(performance.now() - began).toBeLessThan(CONNECT_DEADLINE_MS);
  });

  it.each<ClientKind>(['v1', 'v2-modern'])('a %s client lists and calls the others without delay', async (kind) => {
    const client = await clients.connect(kind, { http: gateway.url });
    const began = performance.now();
    expect(await client.tools()).toEqual(expect.arrayContaining(['v1__echo', 'v2__echo', 'child__echo']));
    for (const server of ['v1', 'v2', 'child']) {
      expect(textOf(await client.call(`${server}__echo`, { text: server }))).toBe(server);
    }
    expect(performance.now() - began).toBeLessThan(CONNECT_DEADLINE_MS);
  });

  it('reports what is wrong with each server, without its address', async () => {
    const client = await clients.connect('v2-modern', { http: gateway.url });
    // The hanging ones are found out by their deadline; until then they are said to be connecting.
    await gateway.reaches('quitting', 'degraded');
    await gateway.reaches('site', 'degraded');
    const listed = await client.call('listServers');
    expectNoLeak(listed);
    const { servers } = listed.structuredContent as { servers: { name: string; state: string; error?: string }[] };
    const of = (name: string) => servers.find((server) => server.name === name);
    for (const name of BAD) expect(of(name)?.state, name).toMatch(/^(connecting|degraded)$/);
    expect(of('dead')?.error).toMatch(/refuses|closed/);
    expect(of('site')?.error).toMatch(/not|HTML|MCP/i);
    expect(of('nothing')?.error).toMatch(/found|exist/);
    expect(of('quitting')?.error).toMatch(/ended|exit|quit/);
    for (const name of ['v1', 'v2', 'child']) expect(of(name)).toMatchObject({ state: 'ready' });
  });

  it('answers a call to a server that never was there at once and precisely', async () => {
    const calls = [
      ['/mcp', 'dead__echo'],
      ['/servers/dead/mcp', 'echo'],
    ] as const;
    for (const [path, tool] of calls) {
      const client = await clients.connect('v1', { http: gateway.at(path) });
      const began = performance.now();
      const error = await client.call(tool, { text: 'hello' }).catch((failure: unknown) => failure);
      expect(performance.now() - began).toBeLessThan(CONNECT_DEADLINE_MS);
      expect(error).toMatchObject({ data: { code: 'SWB_UPSTREAM_UNAVAILABLE', server: 'dead' } });
      expect(String(error)).toMatch(/'dead'.*(refuses|closed)/);
      expectNoLeak(String(error));
    }
  });

  it('is alive, and shows the state of its servers on request', async () => {
    expect((await fetch(gateway.at('/healthz'))).status).toBe(200);
    const ready = await fetch(gateway.at('/readyz'));
    expect([200, 503]).toContain(ready.status);
    expect(await ready.json()).toMatchObject({ servers: { ready: 3 } });
  });
});
