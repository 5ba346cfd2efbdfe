/** What is no longer wanted is stopped where it runs, whichever way the client says so. */
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HttpFixture, startV1Http, startV1Sse, startV2Http } from '../fixtures/mcp/http.ts';
import type { Ledger } from '../fixtures/mcp/ledger.ts';
import { stdioFixture } from '../fixtures/mcp/stdio.ts';
import { type ClientKind, Clients, textOf, type Way } from './clients.ts';
import { gatewayFolder, type OwnGateway, startReadyGateway, stdioCommand } from './gateway.ts';
import { inSession, modernRequest, openSession, type RawRequest } from './raw.ts';
import { until } from './until.ts';

let v1: HttpFixture;
let v2: HttpFixture;
let old: HttpFixture;
const child = stdioFixture('v1');
const modernChild = stdioFixture('v2-modern');
let gateway: OwnGateway;
let ledgers: Record<string, Ledger>;
const clients = new Clients();

const entry = ({ target: { command, args, env } }: typeof child) => ({ command, args, env });

beforeAll(async () => {
  [v1, v2, old] = await Promise.all([startV1Http(), startV2Http('modern'), startV1Sse()]);
  gateway = await startReadyGateway({
    servers: {
      v1: { url: v1.url },
      v2: { url: v2.url },
      old: { url: old.url },
      child: entry(child),
      modernChild: entry(modernChild),
      narrow: { url: v1.url, concurrency: 1 },
      hasty: { url: v1.url, timeoutMs: 300, maxTimeoutMs: 1_200 },
    },
  });
  ledgers = { v1: v1.ledger, v2: v2.ledger, old: old.ledger, child: child.ledger, modernChild: modernChild.ledger };
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  child.close();
  modernChild.close();
  await Promise.all([v1?.close(), v2?.close(), old?.close()]);
});

/** Runs `leave` once the slow call runs on its server; resolves when the server has seen it stopped. */
async function stoppedBy(ledger: Ledger, begin: () => Promise<unknown>, leave: () => unknown): Promise<void> {
  const [started, cancelled] = [ledger.count('slow:started'), ledger.count('slow:cancelled')];
  const outcome = begin().then(
    () => 'answered',
    () => 'failed',
  );
  await until(() => ledger.count('slow:started') > started, 'the call to run');
  await leave();
  await until(() => ledger.count('slow:cancelled') > cancelled, 'the server to see it stopped');
  expect(await outcome).toBe('failed');
}

const SERVERS = ['v1', 'v2', 'old', 'child', 'modernChild'];

describe.each<[string, ClientKind, () => Way]>([
  ['a legacy client', 'v1', () => ({ http: gateway.url })],
  ['a legacy client over the old HTTP+SSE', 'v1', () => ({ sse: gateway.at('/sse') })],
  ['a modern client', 'v2-modern', () => ({ http: gateway.url })],
])('%s', (_, kind, way) => {
  it.each(SERVERS)('cancels a call on %s', async (server) => {
    const client = await clients.connect(kind, way());
    const cancel = new AbortController();
    await stoppedBy(
      ledgers[server] as Ledger,
      () => client.call(`${server}__slow`, {}, { signal: cancel.signal }),
      () => cancel.abort('no longer wanted'),
    );
    // The session and the connection are as good as before.
    expect(textOf(await client.call(`${server}__echo`, { text: 'next' }))).toBe('next');
  });
});

describe('over stdio', () => {
  it.each<ClientKind>(['v1', 'v2-modern'])('a %s client cancels, and what runs stops when it goes', async (kind) => {
    const folder = gatewayFolder({ servers: { v1: { url: v1.url } } });
    try {
      const client = await clients.connect(kind, { stdio: stdioCommand(folder) });
      await until(async () => (await client.tools()).includes('v1__slow'), 'the server');
      const cancel = new AbortController();
      await stoppedBy(
        v1.ledger,
        () => client.call('v1__slow', {}, { signal: cancel.signal }),
        () => cancel.abort(),
      );
      await stoppedBy(
        v1.ledger,
        () => client.call('v1__slow'),
        () => client.close(),
      );
    } finally {
      folder.remove();
    }
  });
});

describe('a client that disconnects', () => {
  /** Sends a request and gives a way to break its connection off. */
  function begin({ headers = {}, body = '' }: RawRequest): { leave: () => void; ended: Promise<unknown> } {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const accept = 'application/json, text/event-stream';
    const req = request(gateway.url, {
      method: 'POST',
      headers: { ...headers, accept, 'content-type': 'application/json' },
    });
    req.on('response', (res) => res.on('error', reject).on('end', resolve).resume());
    req.on('error', reject);
    req.end(body);
    return { leave: () => req.destroy(new Error('gone')), ended: promise };
  }

  it.each(['v1', 'v2', 'child'])('stops a modern call on %s', async (server) => {
    const call = modernRequest('tools/call', { name: `${server}__slow`, arguments: {} });
    let leave = (): void => {};
    await stoppedBy(
      ledgers[server] as Ledger,
      () => {
        const begun = begin(call);
        leave = begun.leave;
        return begun.ended;
      },
      () => leave(),
    );
  });

  it('leaves a legacy call running for its session, which ends it when it is deleted', async () => {
    const session = await openSession(gateway.url);
    const call = inSession(session, 'tools/call', { name: 'v1__slow', arguments: {} });
    const [started, cancelled] = [v1.ledger.count('slow:started'), v1.ledger.count('slow:cancelled')];
    const begun = begin(call);
    begun.ended.catch(() => {});
    await until(() => v1.ledger.count('slow:started') > started, 'the call to run');
    begun.leave();
    const deleted = await fetch(gateway.url, { method: 'DELETE', headers: { 'mcp-session-id': session } });
    expect(deleted.ok).toBe(true);
    await until(() => v1.ledger.count('slow:cancelled') > cancelled, 'the server to see it stopped');
  });
});

describe('a call that waits', () => {
  it('leaves the queue when it is cancelled, and never reaches the server', async () => {
    const client = await clients.connect('v2-modern', { http: gateway.url });
    const started = v1.ledger.count('slow:started');
    const first = new AbortController();
    const second = new AbortController();
    const running = client.call('narrow__slow', {}, { signal: first.signal }).catch(() => 'cancelled');
    await until(() => v1.ledger.count('slow:started') === started + 1, 'the first to run');
    const waiting = client.call('narrow__slow', {}, { signal: second.signal }).catch(() => 'cancelled');
    const third = client.call('narrow__echo', { text: 'third' });
    second.abort();
    expect(await waiting).toBe('cancelled');
    first.abort();
    expect(await running).toBe('cancelled');
    expect(textOf(await third)).toBe('third');
    expect(v1.ledger.count('slow:started')).toBe(started + 1);
  });
});

describe('a call that takes too long', () => {
  it('is stopped on its server, and says so', async () => {
    const client = await clients.connect('v1', { http: gateway.url });
    const cancelled = v1.ledger.count('slow:cancelled');
    await expect(client.call('hasty__slow')).rejects.toMatchObject({
      message: expect.stringMatching(/'hasty' did not answer within 0\.\d s/),
      data: { code: 'SWB_CALL_TIMEOUT', server: 'hasty' },
    });
    await until(() => v1.ledger.count('slow:cancelled') > cancelled, 'the server to see it stopped');
  });

  it('goes on while it reports progress, up to its ceiling', async () => {
    const client = await clients.connect('v1', { http: gateway.url });
    const heard: number[] = [];
    const onProgress = ({ progress }: { progress: number }): void => void heard.push(progress);
    const fine = await client.call('hasty__slow', { ms: 800, steps: 8 }, { onProgress });
    expect(textOf(fine)).toBe('done');
    expect(heard).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const endless = client.call('hasty__slow', { ms: 60_000, steps: 600 }, { onProgress });
    await expect(endless).rejects.toMatchObject({ data: { code: 'SWB_CALL_TIMEOUT' } });
  });
});
