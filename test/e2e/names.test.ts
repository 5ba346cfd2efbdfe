/** Names and views: the exposed names of a server do not depend on the other servers. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { OFFERS } from '../fixtures/mcp/world.ts';
import { type ClientKind, Clients, textOf } from './clients.ts';
import { FIXTURES_ALLOWED, type OwnGateway, startReadyGateway } from './gateway.ts';
import { modernRequest, send } from './raw.ts';
import { EVERYTHING } from './upstreams/everything.ts';

let v1: HttpFixture;
let v2: HttpFixture;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  gateway = await startReadyGateway({
    servers: {
      v1: { url: v1.url },
      v2: { url: v2.url },
      everything: EVERYTHING,
      short: { url: v1.url, namespace: 's', tools: { include: ['e*', 'a*'], exclude: ['ask'] } },
      bare: { url: v2.url, namespace: false, tools: ['whoami'] },
    },
    gateway: { ...FIXTURES_ALLOWED, limits: { pageSize: 10 } },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all([v1?.close(), v2?.close()]);
});

describe.each<ClientKind>(['v1', 'v2-modern'])('for a %s client', (kind) => {
  it('names stay when servers join and leave, and the order is the same each time', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    const before = await client.tools();
    expect(await client.tools()).toEqual(before);
    // The same server again: every one of its names is taken already.
    await client.call('connectServer', { url: `${v1.url}?again`, name: 'a-first-one' });
    const during = await client.tools();
    expect(during).toEqual(expect.arrayContaining([...before, 'a-first-one__echo']));
    expect(during.filter((name) => before.includes(name))).toEqual(before);
    await client.call('disconnectServer', { name: 'a-first-one' });
    expect(await client.tools()).toEqual(before);
  });

  it('prefixes and filters are the configured ones', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    const tools = await client.tools();
    expect(tools.filter((name) => name.startsWith('s__'))).toEqual(['s__echo', 's__add']);
    expect(tools).toContain('whoami');
    expect(textOf(await client.call('s__echo', { text: 'short' }))).toBe('short');
    expect(JSON.parse(textOf(await client.call('whoami')))).toMatchObject({ process: process.pid });
    const hidden = await client.call('s__ask').catch((error: unknown) => error);
    expect(hidden).toMatchObject({ code: -32602 });
  });

  it('one server has an address of its own, with its own names', async () => {
    for (const server of ['v1', 'v2']) {
      const client = await clients.connect(kind, { http: gateway.at(`/servers/${server}/mcp`) });
      const tools = await client.tools();
      expect(tools).toEqual(expect.arrayContaining([...OFFERS.tools]));
      expect(tools).not.toContain('callAgent');
      expect(textOf(await client.call('echo', { text: server }))).toBe(server);
      const { resources } = (await client.request('resources/list')) as { resources: { uri: string }[] };
      expect(resources.map(({ uri }) => uri)).toEqual([...OFFERS.resources]);
      expect(await client.request('resources/read', { uri: 'fixture://readme' })).toMatchObject({
        contents: [{ uri: 'fixture://readme', text: 'Read me.' }],
      });
      expect(await client.request('prompts/get', { name: 'greet', arguments: { name: 'Ada' } })).toMatchObject({
        messages: [{ content: { text: 'Hello, Ada.' } }],
      });
    }
  });
});

it('the address of an unknown server is refused', async () => {
  const refused = await send(gateway.at('/servers/nobody/mcp'), modernRequest('tools/list'));
  expect(refused.status).toBe(404);
  expect(refused.message.error).toMatchObject({ data: { code: 'SWB_UNKNOWN_SERVER' } });
});

it('lists are paged, say how fresh they are, and are the same bytes each time', async () => {
  const pages: { tools: { name: string }[]; nextCursor?: string; ttlMs: number; cacheScope: string }[] = [];
  let cursor: string | undefined;
  do {
    const params = cursor === undefined ? {} : { cursor };
    const reply = await send(gateway.url, modernRequest('tools/list', params));
    const again = await send(gateway.url, modernRequest('tools/list', params));
    const page = reply.message.result as unknown as (typeof pages)[number];
    expect(page).toMatchObject({ resultType: 'complete', ttlMs: expect.any(Number), cacheScope: expect.any(String) });
    expect(JSON.stringify((again.message.result as { tools?: unknown }).tools)).toBe(JSON.stringify(page.tools));
    pages.push(page);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  expect(pages.length).toBeGreaterThan(3);
  expect(pages.slice(0, -1).every(({ tools }) => tools.length === 10)).toBe(true);
  const names = pages.flatMap(({ tools }) => tools.map(({ name }) => name));
  expect(new Set(names).size).toBe(names.length);
  expect(names.every((name) => /^[A-Za-z0-9_-]{1,64}$/.test(name))).toBe(true);
});

it('definitions arrive as the server wrote them, but for their names', async () => {
  const direct = await send(v2.url, modernRequest('tools/list'));
  const through = await send(gateway.at('/servers/v2/mcp'), modernRequest('tools/list'));
  const tools = ({ message }: typeof direct): string => JSON.stringify((message.result as { tools: unknown }).tools);
  const page = JSON.parse(tools(through)) as object[];
  expect(JSON.stringify(JSON.parse(tools(direct)).slice(0, page.length))).toBe(JSON.stringify(page));
});
