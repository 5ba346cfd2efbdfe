/** What happens to calls, sessions and children when servers, clients or the whole gateway go. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { absentOrigin, type RawServer, startMuteServer, startWebSite } from '../../adapters/testing/faults.ts';
import { loadConfig } from '../../src/load-config.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { stdioFixture } from '../fixtures/mcp/stdio.ts';
import { Clients, textOf } from './clients.ts';
import { FIXTURES_ALLOWED, startGateway, startReadyGateway } from './gateway.ts';
import { expectNoLeak } from './leaks.ts';
import { until } from './until.ts';

let v1: HttpFixture;
let v2: HttpFixture;
let mute: RawServer;
let site: RawServer;
const clients = new Clients();

beforeAll(async () => {
  [v1, v2, mute, site] = await Promise.all([startV1Http(), startV2Http(), startMuteServer(), startWebSite()]);
});
afterEach(() => clients.close());
afterAll(() => Promise.all([v1?.close(), v2?.close(), mute?.close(), site?.close()]));

const failureOf = (call: Promise<unknown>): Promise<Error & { data?: object }> =>
  call.then(
    (result) => Promise.reject(new Error(`It succeeded: ${JSON.stringify(result)}`)),
    (error: Error) => error,
  );

describe('a call that runs', () => {
  it('fails with the reason when its server is disconnected or removed from the configuration', async () => {
    const gateway = await startReadyGateway({ servers: { fixed: { url: v1.url } }, gateway: FIXTURES_ALLOWED });
    try {
      const client = await clients.connect('v2-modern', { http: gateway.url });
      await client.call('connectServer', { url: v2.url, name: 'guest' });
      const started = v2.ledger.count('slow:started');
      const running = failureOf(client.call('guest__slow'));
      await until(() => v2.ledger.count('slow:started') > started, 'the call to run');
      await client.call('disconnectServer', { name: 'guest' });
      const error = await running;
      expect(error.message).toContain("'guest'");
      expect(error).toMatchObject({ data: { code: expect.stringMatching(/^SWB_UPSTREAM/), server: 'guest' } });

      const before = v1.ledger.count('slow:started');
      const other = failureOf(client.call('fixed__slow'));
      await until(() => v1.ledger.count('slow:started') > before, 'the call to run');
      await gateway.gateway.reload({ gateway: {} as never, servers: [] });
      expect(await other).toMatchObject({ data: { server: 'fixed' } });
      expect(v1.sessions()).toBe(0);
    } finally {
      await clients.close();
      await gateway.close();
    }
  });
});

describe('a gateway that is closed', () => {
  it('ends at once with clients and calls open, and frees its sessions on servers', async () => {
    const child = stdioFixture('v2');
    const { command, args, env } = child.target;
    const gateway = await startReadyGateway({
      servers: { v1: { url: v1.url }, v2: { url: v2.url }, child: { command, args, env } },
    });
    try {
      const legacy = await clients.connect('v1', { http: gateway.url });
      const old = await clients.connect('v1', { sse: gateway.at('/sse') });
      const modern = await clients.connect('v2-modern', { http: gateway.url });
      for (const client of [legacy, old, modern]) await client.listen();
      const started = v1.ledger.count('slow:started');
      const running = [legacy, old, modern].map((client) => failureOf(client.call('v1__slow')));
      await until(() => v1.ledger.count('slow:started') === started + 3, 'the calls to run');
      const began = performance.now();
      await gateway.stop();
      // The calls themselves would run for a minute.
      expect(performance.now() - began).toBeLessThan(20_000);
      for (const error of await Promise.all(running)) expectNoLeak(error.message);
      expect([v1.sessions(), child.children()]).toEqual([0, []]);
    } finally {
      await clients.close();
      await gateway.close();
      child.close();
    }
  });
});

describe('children of callers', () => {
  it('exist once per caller with isolation caller, and end with it', async () => {
    const child = stdioFixture('v1');
    const { command, args, env } = child.target;
    const gateway = await startReadyGateway({
      servers: { own: { command, args, env, isolation: 'caller' } },
    });
    try {
      const boot = child.children().length;
      const processes = new Set<unknown>();
      const first = await clients.connect('v1', { http: gateway.url });
      const second = await clients.connect('v1', { sse: gateway.at('/sse') });
      for (const client of [first, second, first, second]) {
        processes.add(JSON.parse(textOf(await client.call('own__whoami'))).process);
      }
      expect(processes.size).toBe(2);
      expect(child.children()).toHaveLength(boot + 2);
      // The old transport's session ends with its stream; the other one's could be gone on with.
      await clients.close();
      await until(() => child.children().length === boot + 1, 'the child of the SSE client to end');
    } finally {
      await clients.close();
      await gateway.close();
      expect(child.children()).toEqual([]);
      child.close();
    }
  });
});

it('children of callers start one after the other where that is the limit of starts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-starts-'));
  const notes = join(folder, 'notes');
  const script = new URL('../fixtures/mcp/stdio-plain.ts', import.meta.url).pathname;
  const env = { NOTES: notes, OPEN_MS: '100' };
  const gateway = await startReadyGateway({
    servers: { own: { command: process.execPath, args: [script], env, isolation: 'caller' } },
    gateway: { limits: { maxStarts: 1 } },
  });
  try {
    const callers = await Promise.all([0, 1, 2].map(() => clients.connect('v1', { http: gateway.url })));
    const pids = await Promise.all(callers.map((client) => client.call('own__pid')));
    expect(new Set(pids.map(textOf)).size).toBe(3);
    const noted = readFileSync(notes, 'utf8').trim().split('\n');
    expect(noted).toEqual([0, 1, 2, 3].flatMap(() => ['start', 'open']));
  } finally {
    await clients.close();
    await gateway.close();
    rmSync(folder, { recursive: true });
  }
});

describe('connectServer', () => {
  it('says why a server cannot be connected, and adds nothing', async () => {
    const gateway = await startGateway({ gateway: FIXTURES_ALLOWED });
    try {
      const client = await clients.connect('v1', { http: gateway.url });
      const cases: [string, Record<string, unknown>, RegExp][] = [
        ['nothing there', { url: `${await absentOrigin()}/mcp` }, /Nothing answers|not reachable|refuse/],
        ['a web site', { url: site.origin }, /No MCP, Mastra, LangGraph, .* server/],
        ['another kind', { url: v1.url, kind: 'mastra' }, /was not added/],
        ['no URL', { url: 'not a url' }, /URL/],
      ];
      for (const [what, args, says] of cases) {
        const refused = await client.call('connectServer', args);
        expect(refused.isError, what).toBe(true);
        expect(textOf(refused), what).toMatch(says);
        expectNoLeak(refused);
      }
      expect((await client.call('listServers')).structuredContent).toEqual({ servers: [] });
    } finally {
      await clients.close();
      await gateway.close();
    }
  });

  it('is cancelled with its caller', async () => {
    const gateway = await startGateway({ gateway: FIXTURES_ALLOWED });
    try {
      const client = await clients.connect('v2-modern', { http: gateway.url });
      const cancel = new AbortController();
      const connecting = failureOf(
        client.call('connectServer', { url: mute.origin, kind: 'mcp', name: 'mute' }, { signal: cancel.signal }),
      );
      await until(() => gateway.gateway.federation.member('mute') !== undefined, 'the server to be on its way in');
      cancel.abort();
      await connecting;
      await until(() => gateway.gateway.federation.member('mute') === undefined, 'the server to be out again');
    } finally {
      await clients.close();
      await gateway.close();
    }
  });

  it('connects a server once, however often it is asked at one time', async () => {
    const gateway = await startGateway({ gateway: FIXTURES_ALLOWED });
    try {
      const client = await clients.connect('v2-modern', { http: gateway.url });
      const all = await Promise.all([1, 2, 3, 4].map(() => client.call('connectServer', { url: v2.url })));
      expect(all.filter(({ isError }) => isError !== true).length).toBeGreaterThanOrEqual(1);
      const { servers } = (await client.call('listServers')).structuredContent as { servers: unknown[] };
      expect(servers).toHaveLength(1);
    } finally {
      await clients.close();
      await gateway.close();
    }
  });
});

it('a server connected at run time that is away at a restart joins when it is back', async () => {
  const guest = await startV1Http();
  const before = await startGateway({ gateway: FIXTURES_ALLOWED });
  const client = await clients.connect('v2-modern', { http: before.url });
  await client.call('connectServer', { url: guest.url, name: 'guest' });
  await clients.close();
  await before.stop();
  await guest.close();
  const after = await startGateway({ folder: before.folder });
  try {
    const watcher = await clients.connect('v1', { http: after.url });
    await until(() => after.status('guest').state === 'degraded', 'the guest to be missed');
    const { servers } = (await watcher.call('listServers')).structuredContent as { servers: object[] };
    expect(servers).toMatchObject([{ name: 'guest', origin: 'runtime', state: 'degraded' }]);
    expectNoLeak(servers);
  } finally {
    await clients.close();
    await after.close();
  }
});

describe('replies of any size', () => {
  it('up to the limit arrive whole, in both eras', async () => {
    const gateway = await startReadyGateway({ servers: { v1: { url: v1.url }, v2: { url: v2.url } } });
    try {
      for (const kind of ['v1', 'v2-modern'] as const) {
        const client = await clients.connect(kind, { http: gateway.url });
        for (const server of ['v1', 'v2']) {
          const bytes = 6 * 1024 * 1024;
          expect(textOf(await client.call(`${server}__big`, { bytes }))).toHaveLength(bytes);
          const over = await failureOf(client.call(`${server}__big`, { bytes: 9 * 1024 * 1024 }));
          expect(over).toMatchObject({ data: { code: 'SWB_REPLY_TOO_LARGE', server } });
          expect(textOf(await client.call(`${server}__echo`, { text: 'still fine' }))).toBe('still fine');
        }
      }
    } finally {
      await clients.close();
      await gateway.close();
    }
  });
});

it('the shipped configuration starts with nothing else on the machine', async () => {
  const file = join(import.meta.dirname, '../../servers.json');
  const { servers, warnings } = await loadConfig({ file, env: {} });
  expect(warnings).toEqual([]);
  expect(servers.map(({ name, kind }) => [name, kind])).toEqual([
    ['everything', 'mcp'],
    ['mastra', 'mastra'],
    ['langgraph', 'langgraph'],
  ]);
});
