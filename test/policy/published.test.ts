/** The published policy for `connectServer`, pasted for a grant, at every endpoint and with every client. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ClientKind, Clients, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { grant, published } from './grants.ts';

const KINDS: readonly ClientKind[] = ['v1', 'v2-legacy', 'v2-modern'];
const grants = Object.fromEntries(KINDS.map((kind) => [kind, grant({ policy: published('connectServer', 30) })]));

const echo = grant({ policy: published('echo', 10) });

let upstream: HttpFixture;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  // Before the gateway is made, which keeps the clock it finds: all calls are within one minute, however long they take.
  vi.useFakeTimers({ toFake: ['Date'] });
  upstream = await startV1Http();
  gateway = await startGateway({
    servers: { v1: { url: upstream.url } },
    gateway: {
      grants: {
        ...Object.fromEntries(Object.entries(grants).map(([name, { entry }]) => [name, entry])),
        echo: echo.entry,
      },
    },
  });
  await gateway.reaches('v1', 'ready');
});
afterEach(() => clients.close());
afterAll(async () => {
  vi.useRealTimers();
  await gateway?.close();
  await upstream?.close();
});

describe.each(KINDS)('a %s client under the published connectServer policy', (kind) => {
  const connect = () => clients.connect(kind, { http: gateway.url, headers: grants[kind]?.headers ?? {} });

  it('is shown that tool and no other', async () => {
    const client = await connect();
    expect(await client.tools()).toEqual(['connectServer']);
  });

  it('can call it thirty times a minute, and nothing else', async () => {
    const client = await connect();
    const refused = (): Promise<unknown> => client.call('connectServer', { url: 'http://127.0.0.1:1/mcp' });
    const results = [];
    for (let i = 0; i < 31; i++)
      results.push((await refused()) as { isError?: boolean; _meta?: Record<string, unknown> });
    const denials = results.map(
      (result) => result._meta?.['switchboard/denial'] as Record<string, unknown> | undefined,
    );
    expect(denials.slice(0, 30)).toEqual(Array(30).fill(undefined));
    expect(denials[30]).toMatchObject({
      code: 'SWB_RATE_LIMITED',
      rule: '/tools/connectServer/limits/connectserver_rate',
      max: 30,
      window: 'minute',
    });
    expect(denials[30]?.retryAfterMs).toBeGreaterThan(0);
    const other = (await client.call('listServers', {})) as { isError?: boolean };
    expect(other.isError).toBe(true);
    expect(textOf(other as never)).toContain('policy');
    const echo = (await client.call('v1__echo', { text: 'x' })) as { isError?: boolean };
    expect(echo.isError).toBe(true);
  });
});

describe('a published policy of one server, pasted for a grant of every server', () => {
  it('speaks of that server and of nothing else', async () => {
    const client = await clients.connect('v1', { http: gateway.url, headers: echo.headers });
    expect(await client.tools()).toEqual(['v1__echo']);
    expect((await client.call('v1__echo', { text: 'x' })).isError).not.toBe(true);
    expect((await client.call('connectServer', { url: 'http://127.0.0.1:1/mcp' })).isError).toBe(true);
  });
});
