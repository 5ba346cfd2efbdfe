/** Which tools there are, as servers start, stop and crash on a real broker, and what is no card. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Upstream } from '../../src/core/upstream.ts';
import { hasMosquitto, type Mosquitto, startMosquitto } from '../../test/fixtures/mosquitto.ts';
import { fakeCall } from '../testing/call.ts';
import { type FakeContext, fakeContext } from '../testing/context.ts';
import { codeOf, resultOf, until } from '../testing/outcome.ts';
import { mcpOverMqttAdapter } from './index.ts';
import { connectHandle, type Handle } from './testing/handle.ts';
import { publishJson, serverCard, toolCard } from './testing/raw-tool.ts';
import { startToolServer, testTools } from './testing/servers.ts';

let number = 0;

describe.runIf(hasMosquitto())('the tools on a broker', () => {
  let broker: Mosquitto;
  let handle: Handle;
  /** Each test has topics of its own. */
  let base: string;
  const upstreams: Upstream[] = [];

  beforeAll(async () => {
    broker = await startMosquitto();
    handle = await connectHandle(broker.url);
  });
  afterEach(() => Promise.all(upstreams.splice(0).map((upstream) => upstream.close())));
  afterAll(async () => {
    await handle?.disconnect();
    await broker?.stop();
  });

  const connect = async (namespace?: string): Promise<{ upstream: Upstream; context: FakeContext }> => {
    base = namespace ?? `test/${number++}`;
    const target = {
      transport: 'mqtt' as const,
      url: broker.url,
      headers: {},
      broker: { version: 'auto' as const, keepaliveSeconds: 30 },
    };
    const context = fakeContext(target, { options: { topicNamespace: base } });
    const upstream = await mcpOverMqttAdapter.connect(context);
    upstreams.push(upstream);
    return { upstream, context };
  };
  const namesOf = async (upstream: Upstream): Promise<string[]> =>
    (await upstream.catalog('tools', AbortSignal.timeout(30_000))).entries.map(({ key }) => key);
  const becomes = async (upstream: Upstream, names: string[]): Promise<void> => {
    await until(`the tools are ${names}`, async () => String(await namesOf(upstream)) === String(names));
  };
  const two = () => testTools({}).filter(({ name }) => name === 'say' || name === 'echo');

  it('are shown as their cards say', async () => {
    base = `test/${number++}`;
    await serverCard(handle, 'plant', ['crawl', 'bare'], 'online', base);
    const input_schema = { type: 'object', properties: { url: { type: 'string' } }, required: ['url'] };
    await toolCard(
      handle,
      'crawl',
      {
        server: 'plant',
        description: 'Crawls.',
        input_schema,
        output_schema: { type: 'object' },
        supports_streaming: true,
        requires_auth: true,
        allowed_callers: ['scout', 'analyst', 5],
        version_info: { sdk: '0.1.0', tool: '2.0.0' },
      },
      base,
    );
    await toolCard(handle, 'bare', { server: 'plant' }, base);
    const { upstream } = await connect(base);
    await becomes(upstream, ['bare', 'crawl']);
    expect((await upstream.catalog('tools', AbortSignal.timeout(30_000))).entries.map(({ value }) => value)).toEqual([
      { name: 'bare', inputSchema: { type: 'object' }, _meta: { 'switchboard/mqtt': { server: 'plant' } } },
      {
        name: 'crawl',
        description: 'Crawls.',
        inputSchema: input_schema,
        outputSchema: { type: 'object' },
        _meta: {
          'switchboard/mqtt': {
            server: 'plant',
            allowed_callers: ['scout', 'analyst'],
            requires_auth: true,
            supports_streaming: true,
            version: '2.0.0',
          },
        },
      },
    ]);
  });

  it('come with a server and go with it, and listeners hear of both', async () => {
    const { upstream } = await connect();
    const changes: unknown[] = [];
    upstream.listen({ lists: true }, (change) => changes.push(change));
    expect(await namesOf(upstream)).toEqual([]);
    const server = await startToolServer(broker.url, { namespace: base, tools: two() });
    await becomes(upstream, ['echo', 'say']);
    await until('listeners are told', () => changes.length > 0);
    changes.length = 0;
    await server.stop();
    await becomes(upstream, []);
    await until('listeners are told', () => changes.length > 0);
    expect(changes[0]).toEqual({ type: 'list', kind: 'tools' });
  });

  it('go when their server crashes, though their own cards stay', async () => {
    const { upstream } = await connect();
    const server = await startToolServer(broker.url, { namespace: base });
    await until('they are there', async () => (await namesOf(upstream)).length === 7);
    const slow = upstream.request('tools/call', { name: 'slow' }, fakeCall()).catch((error: unknown) => error);
    await until('the call runs', () => server.counts.slow === 1);
    await server.kill();
    await becomes(upstream, []);
    expect(codeOf(await slow)).toBe('SWB_UPSTREAM_UNAVAILABLE');
    const late = await upstream.request('tools/call', { name: 'echo' }, fakeCall()).catch((error: unknown) => error);
    expect(late).toMatchObject({ code: 'SWB_UPSTREAM_UNAVAILABLE', message: expect.stringMatching(/^unavailable: /) });
    const again = await startToolServer(broker.url, { namespace: base });
    await until('they are back', async () => (await namesOf(upstream)).length === 7);
    await again.stop();
  });

  it('stay while one of two servers that have them stops', async () => {
    const { upstream } = await connect();
    const one = await startToolServer(broker.url, { name: 'one', namespace: base });
    const two = await startToolServer(broker.url, { name: 'two', namespace: base });
    await until('they are there', async () => (await namesOf(upstream)).length === 7);
    const calls = Array.from({ length: 10 }, (_, n) =>
      upstream.request('tools/call', { name: 'say', arguments: { text: `${n}` } }, fakeCall()),
    );
    await Promise.all(calls);
    expect(one.counts.say).toBeGreaterThan(0);
    expect(two.counts.say).toBe(10 - Number(one.counts.say));
    // Its cards say that the tools are offline: it was the last one to publish them.
    await two.stop();
    await publishJson(handle, `${base}/mcp/servers/fence/card`, { status: 'online', tools: [] }, true);
    await until('the stop was seen', async () => {
      const reply = await upstream.request('tools/call', { name: 'say', arguments: { text: 'still' } }, fakeCall());
      return JSON.stringify(resultOf(reply)).includes('still');
    });
    expect(await namesOf(upstream)).toHaveLength(7);
    await one.stop();
    await becomes(upstream, []);
  });

  it('are not there when their server says so, or their card is taken away', async () => {
    const { upstream } = await connect();
    await serverCard(handle, 'plant', ['a', 'b', 'c'], 'online', base);
    for (const tool of ['a', 'b', 'c']) await toolCard(handle, tool, { server: 'plant' }, base);
    await becomes(upstream, ['a', 'b', 'c']);
    await toolCard(handle, 'b', { server: 'plant', status: 'offline' }, base);
    await becomes(upstream, ['a', 'c']);
    await publishJson(handle, `${base}/mcp/tools/c/card`, '', true);
    await becomes(upstream, ['a']);
    await publishJson(handle, `${base}/mcp/servers/plant/card`, '', true);
    await becomes(upstream, []);
  });

  it('survive retained garbage beside their cards', async () => {
    base = `test/${number++}`;
    await serverCard(handle, 'plant', ['good', 'other', 'text'], 'online', base);
    await toolCard(
      handle,
      'good',
      { server: 'plant', input_schema: 'none', description: 5, allowed_callers: 'all' },
      base,
    );
    for (const [topic, payload] of [
      ['tools/text/card', 'not json'],
      ['tools/list/card', '[1]'],
      ['tools/other/card', '{"tool":"another","server":"plant"}'],
      ['tools/good/card/deeper', '{}'],
      ['servers/bad/card', '{"tools":5,"status":"online"}'],
      ['servers/worse/card', '\u0000\u0001'],
    ] as const) {
      await publishJson(handle, `${base}/mcp/${topic}`, payload, true);
    }
    const { upstream, context } = await connect(base);
    const warnings = () => context.log.lines.filter(({ level }) => level === 'warn').length;
    await until('all of it has come', () => warnings() === 4);
    await becomes(upstream, ['good']);
    for (const bytes of [5_000_000, 300_000]) {
      const card = { server: 'plant', description: 'x'.repeat(bytes) };
      await toolCard(handle, 'good', card, base);
      await becomes(upstream, []);
      await toolCard(handle, 'good', { server: 'plant' }, base);
      await becomes(upstream, ['good']);
    }
    // All cards together are bounded too, and what is taken away makes room.
    const big = { server: 'plant', description: 'x'.repeat(250_000) };
    const names = Array.from({ length: 140 }, (_, n) => `big-${n}`);
    await Promise.all(names.map((name) => toolCard(handle, name, big, base)));
    await until('no more are taken', () =>
      context.log.lines.some(({ fields }) => JSON.stringify(fields).includes('too many')),
    );
    await Promise.all(names.map((name) => publishJson(handle, `${base}/mcp/tools/${name}/card`, '', true)));
    await toolCard(handle, 'last', { server: 'plant' }, base);
    await becomes(upstream, ['good', 'last']);
  });
});
