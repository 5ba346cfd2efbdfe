/** Servers that die in use and come back: the errors clients get, and that the gateway recovers by itself. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HttpFixture, startV1Http, startV1Sse, startV2Http } from '../fixtures/mcp/http.ts';
import { type StdioFixture, stdioFixture } from '../fixtures/mcp/stdio.ts';
import { type ClientKind, Clients, type TestClient, textOf } from './clients.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { expectNoLeak } from './leaks.ts';
import { until } from './until.ts';
import { type EverythingServer, startEverything } from './upstreams/everything.ts';

const clients = new Clients();
afterEach(() => clients.close());

/** What a call that must fail fails with, and after how long. */
async function failure(call: Promise<unknown>): Promise<{ error: Error & { data?: unknown }; afterMs: number }> {
  const began = performance.now();
  const error = await call.then(
    (result) => new Error(`The call succeeded: ${JSON.stringify(result)}`),
    (thrown: Error) => thrown,
  );
  expectNoLeak(error.message);
  return { error, afterMs: performance.now() - began };
}

describe.each<ClientKind>(['v1', 'v2-modern'])('a child that is killed, seen by a %s client', (kind) => {
  let child: StdioFixture;
  let v2: HttpFixture;
  let gateway: OwnGateway;
  let client: TestClient;

  beforeAll(async () => {
    child = stdioFixture('v1');
    v2 = await startV2Http();
    const { command, args, env } = child.target;
    gateway = await startReadyGateway({ servers: { child: { command, args, env }, v2: { url: v2.url } } });
  });
  afterAll(async () => {
    await gateway?.close();
    expect(child.children()).toEqual([]);
    child.close();
    await v2.close();
  });

  it('fails its running call, disturbs no other, and is started again', async () => {
    client = await clients.connect(kind, { http: gateway.url });
    const before = await client.tools();
    const started = v2.ledger.count('slow:started');
    const other = client.call('v2__slow', { ms: 2_500 });
    const running = failure(client.call('child__slow'));
    await until(() => child.ledger.count('slow:started') === 1, 'the call to run');
    await until(() => v2.ledger.count('slow:started') > started, 'the other call to run');
    const [pid] = child.children();
    child.kill();
    const { error } = await running;
    expect(error.message).toMatch(/'child'/);
    expect(error).toMatchObject({ data: { code: expect.stringMatching(/^SWB_UPSTREAM/) } });

    // Away for a moment: its names stay, its calls fail at once.
    const away = gateway.status('child');
    if (away.state !== 'ready') expect(away).toMatchObject({ stale: true, counts: { tools: 13 } });
    expect(await client.tools()).toEqual(before);

    await until(async () => {
      const result = await client.call('child__echo', { text: 'back' }).catch(() => undefined);
      return result !== undefined && textOf(result) === 'back';
    }, 'the child to be back');
    expect(child.children()).toHaveLength(1);
    expect(child.children()).not.toContain(pid);
    // A run-creating call is never sent twice.
    expect(child.ledger.count('slow:started')).toBe(1);
    expect(textOf(await other)).toBe('done');
  });
});

it('a call that meets a command which ends after every answer waits until it is back', async () => {
  const script = new URL('../fixtures/mcp/stdio-plain.ts', import.meta.url).pathname;
  const gateway = await startReadyGateway({
    servers: { once: { command: process.execPath, args: [script], env: { ENDS: 'yes', OPEN_MS: '300' } } },
  });
  try {
    const pids = new Set<string>();
    for (const kind of ['v1', 'v2-modern', 'v1'] as const) {
      const client = await clients.connect(kind, { http: gateway.url });
      pids.add(textOf(await client.call('once__pid')));
      // Now it is away, and takes its time to come back.
      await until(() => gateway.status('once').state !== 'ready', 'the child to end');
    }
    expect(pids.size).toBe(3);
  } finally {
    await gateway.close();
  }
});

describe('a server over HTTP that is stopped and started again', () => {
  let everything: EverythingServer;
  let gateway: OwnGateway;

  beforeAll(async () => {
    everything = await startEverything();
    gateway = await startReadyGateway({ servers: { everything: { url: everything.url } } });
  });
  afterAll(async () => {
    await gateway?.close();
    await everything?.kill();
  });

  it('keeps its last good catalog while it is away, fails calls at once, and joins again', async () => {
    const client = await clients.connect('v1', { http: gateway.url });
    const tools = await client.tools();
    expect(textOf(await client.call('everything__echo', { message: 'one' }))).toBe('Echo: one');
    const { port } = new URL(everything.url);
    await everything.kill();

    const first = await failure(client.call('everything__echo', { message: 'two' }));
    expect(first.error).toMatchObject({ data: { server: 'everything' } });
    await gateway.reaches('everything', 'degraded');
    const { error, afterMs } = await failure(client.call('everything__echo', { message: 'three' }));
    // It does not wait for the next attempt to connect, whose deadline is 15 s.
    expect(afterMs).toBeLessThan(10_000);
    expect(error).toMatchObject({
      data: { code: 'SWB_UPSTREAM_UNAVAILABLE', server: 'everything', retryAfterMs: expect.any(Number) },
    });
    expect(gateway.status('everything')).toMatchObject({ stale: true });
    expect(await client.tools()).toEqual(tools);

    everything = await startEverything('streamableHttp', Number(port));
    await gateway.reaches('everything', 'ready');
    expect(textOf(await client.call('everything__echo', { message: 'four' }))).toBe('Echo: four');
  });
});

describe.each([
  ['Streamable HTTP', startV1Http],
  ['Streamable HTTP of SDK v2', () => startV2Http('legacy')],
])('a server over %s that forgets its sessions', (_, start) => {
  it('gets new ones unnoticed by clients, and runs no call twice', async () => {
    const server = await start();
    const gateway = await startReadyGateway({ servers: { server: { url: server.url } } });
    try {
      const legacy = await clients.connect('v1', { http: gateway.url });
      const modern = await clients.connect('v2-modern', { http: gateway.url });
      for (const client of [legacy, modern]) expect(textOf(await client.call('server__echo', { text: 'a' }))).toBe('a');
      const opened = server.ledger.count('session:opened');
      await server.forgetSessions();
      for (const client of [legacy, modern]) expect(textOf(await client.call('server__echo', { text: 'b' }))).toBe('b');
      expect(server.ledger.count('session:opened')).toBeGreaterThan(opened);
      expect(gateway.status('server').state).toBe('ready');
    } finally {
      await clients.close();
      await gateway.close();
      await server.close();
    }
  });
});

describe('a server over the old HTTP+SSE transport whose stream breaks', () => {
  it('is connected again', async () => {
    const server = await startV1Sse();
    const gateway = await startReadyGateway({ servers: { server: { url: server.url } } });
    try {
      expect(gateway.status('server').transport).toBe('sse');
      const client = await clients.connect('v2-auto', { http: gateway.url });
      expect(textOf(await client.call('server__echo', { text: 'a' }))).toBe('a');
      await server.forgetSessions();
      await until(async () => {
        const result = await client.call('server__echo', { text: 'b' }).catch(() => undefined);
        return result !== undefined && textOf(result) === 'b';
      }, 'the server to be back');
    } finally {
      await clients.close();
      await gateway.close();
      await server.close();
    }
  });
});
