import { afterEach, describe, expect, it } from 'vitest';
import { SetFilter } from '../federation/testing/catalog-views.ts';
import { type Rig, rig, type ToolResult } from './testing/rig.ts';
import { errorOf, everything, mastra, namesOf } from './testing/servers.ts';

let at: Rig;
afterEach(() => at.close());

const ADA = { caller: { principal: 'ada', key: 'ada' } };

/** `open` and `vault` are configured, `spare` was connected at run time; `ada` knows what `filter` lets through. */
async function setUp(filter: SetFilter, options: Parameters<typeof rig>[0] = {}): Promise<void> {
  at = await rig({
    servers: [everything()],
    configured: {
      open: { ...mastra(), url: 'https://open.example', agents: [{ key: 'writer' }, { key: 'mute' }], answer: said },
      vault: { ...mastra(), url: 'https://vault.example', agents: [{ key: 'writer' }, { key: 'spy' }], answer: said },
      spare: { ...mastra(), url: 'https://spare.example', tools: ['one'] },
    },
    origins: { spare: 'runtime' },
    ...options,
    deps: {
      viewOf: ({ principal }) => (principal === 'ada' ? at.federation.all.restricted(filter) : at.federation.all),
      ...options.deps,
    },
  });
}

const said = () => ({ status: 'completed', text: 'said' });
const ada = (tool: string, args = {}): Promise<ToolResult> => at.call(tool, args, ADA);
/** What was answered, with one name in place of another. */
const respelled = (result: ToolResult, from: string, to: string): unknown =>
  JSON.parse(JSON.stringify([result.text, errorOf(result)]).replaceAll(from, to));

describe('the builtin tools, for a caller who may not know of a server', () => {
  const filter = () => new SetFilter({ unreached: ['vault', 'spare'] });

  it('show it in no list', async () => {
    await setUp(filter());
    const told = [
      await ada('listServers'),
      await ada('listAgents'),
      await ada('callAgent', { agent: 'writr', message: 'hi' }),
      await ada('describeAgent', { agent: 'spi' }),
      await ada('listAgents', { server: 'vaul' }),
      await ada('disconnectServer', { name: 'spar' }),
      await ada('callAgent', { agent: 'x', message: 'hi', serverUrl: 'https://vault.example' }),
    ];
    expect(JSON.stringify(told).replaceAll("'vaul'", '').replaceAll("'spar'", '')).not.toMatch(/vault|spare|spy/);
    expect(told[0]?.text).toContain('1 server, 1 ready.');
    expect((await at.call('listServers')).text).toContain('3 servers, 3 ready.');
  });

  it('answer its name exactly like an unknown one', async () => {
    await setUp(filter());
    const asks: [string, (name: string) => object][] = [
      ['listAgents', (server) => ({ server })],
      ['describeAgent', (server) => ({ agent: `${server}/writer` })],
      ['callAgent', (server) => ({ agent: `${server}:spy`, message: 'hi' })],
      ['callAgent', (server) => ({ agent: `${server}__spy`, message: 'hi' })],
      ['disconnectServer', (name) => ({ name })],
    ];
    for (const [tool, args] of asks) {
      for (const hidden of ['vault', 'spare']) {
        const result = await ada(tool, args(hidden));
        expect(result.isError).toBe(true);
        const none = `${hidden.slice(0, -1)}0`;
        expect(respelled(result, hidden, none)).toEqual(respelled(await ada(tool, args(none)), none, none));
      }
    }
    expect(namesOf(at)).toEqual(['open', 'vault', 'spare']);
    expect(at.reached).toEqual([]);
  });

  it('resolve agents as if it did not exist', async () => {
    await setUp(filter());
    expect(errorOf(await at.call('callAgent', { agent: 'writer', message: 'hi' }))?.code).toBe('SWB_AMBIGUOUS_NAME');
    expect((await ada('callAgent', { agent: 'writer', message: 'hi' })).structuredContent).toMatchObject({
      agent: 'open/writer',
      text: 'said',
    });
  });

  it('call agents that lists do not show but that may be known', async () => {
    await setUp(new SetFilter({ unlisted: ['open/mute'], hidden: ['vault/spy'] }));
    expect((await ada('listAgents')).text).not.toMatch(/mute|spy/);
    expect((await ada('callAgent', { agent: 'mute', message: 'hi' })).structuredContent).toMatchObject({
      agent: 'open/mute',
    });
    expect(errorOf(await ada('callAgent', { agent: 'vault/spy', message: 'hi' }))?.code).toBe('SWB_UNKNOWN_AGENT');
  });

  it('count only entries the caller sees', async () => {
    await setUp(new SetFilter({ hidden: ['open/mute', 'open/weather'], unreached: ['vault', 'spare'] }));
    expect((await ada('listServers')).structuredContent).toMatchObject({
      servers: [{ name: 'open', counts: { tools: 0, agents: 1 } }],
    });
    const again = await ada('connectServer', { url: 'https://open.example' });
    expect(again.structuredContent).toMatchObject({ status: 'already-connected', tools: [], agents: ['open/writer'] });
    expect(again.text).not.toMatch(/mute|weather/);
  });
});

describe('connectServer, for a caller who may not know of a server', () => {
  const filter = () => new SetFilter({ unreached: ['vault', 'spare'] });

  it('refuses its URL under every name, and does not say why', async () => {
    await setUp(filter());
    const url = 'https://vault.example';
    const results = [
      await ada('connectServer', { url }),
      await ada('connectServer', { url, name: 'vault' }),
      await ada('connectServer', { url, name: 'mine', namespace: 'open' }),
    ];
    for (const result of results) expect(errorOf(result)).toMatchObject({ code: 'SWB_URL_REFUSED' });
    expect(new Set(results.map(({ text }) => text)).size).toBe(1);
    expect(results[0]?.text).not.toMatch(/vault|already|connected/);
    expect(namesOf(at)).toEqual(['open', 'vault', 'spare']);
  });

  it('reports a taken name or prefix without its owner', async () => {
    await setUp(filter());
    const url = 'https://mcp.example/mcp';
    const name = await ada('connectServer', { url, name: 'vault' });
    expect(errorOf(name)).toMatchObject({ code: 'SWB_INVALID_PARAMS' });
    expect(name.text).toBe((await ada('connectServer', { url, name: 'open' })).text.replace('open', 'vault'));
    const prefix = await ada('connectServer', { url, name: 'mine', namespace: 'spare' });
    expect(prefix.text).toContain("Another server already uses the prefix 'spare'");
    expect((await ada('connectServer', { url, name: 'mine', namespace: 'open' })).text).toContain("Server 'open'");
  });

  it('does not tell how many servers fill the limit', async () => {
    await setUp(filter(), { connect: { maxServers: 1 } });
    const full = await ada('connectServer', { url: 'https://mcp.example/mcp' });
    expect(errorOf(full)).toMatchObject({ code: 'SWB_CONNECT_FAILED' });
    expect(JSON.stringify([full.text, errorOf(full)])).not.toMatch(/\d/);
    const all = await at.call('connectServer', { url: 'https://mcp.example/mcp' });
    expect(errorOf(all)).toMatchObject({ limit: 1 });
  });

  it('lists only those entries of a new server that the caller may know', async () => {
    await setUp(new SetFilter({ hidden: Array.from({ length: 11 }, (_, i) => `mine/tool${i}`) }));
    const result = await ada('connectServer', { url: 'https://mcp.example/mcp', name: 'mine' });
    expect(result.structuredContent).toMatchObject({
      status: 'connected',
      tools: ['mine__tool11'],
      counts: { tools: 1 },
    });
  });
});

describe('disconnectServer, for a caller who may not know everything', () => {
  it('removes only servers that the caller may know and that were connected at run time', async () => {
    await setUp(new SetFilter({ unreached: ['vault'] }));
    expect(errorOf(await ada('disconnectServer', { name: 'vault' }))?.code).toBe('SWB_UNKNOWN_SERVER');
    expect(errorOf(await ada('disconnectServer', { name: 'open' }))?.code).toBe('SWB_NOT_SUPPORTED');
    expect((await ada('disconnectServer', { name: 'spare' })).structuredContent).toMatchObject({ disconnected: true });
    expect(namesOf(at)).toEqual(['open', 'vault']);
  });

  it('forgets a saved server that is not in the federation for callers who may know everything', async () => {
    await setUp(new SetFilter());
    await at.runtimeServers.save({
      name: 'saved',
      url: 'https://saved.example/',
      kind: 'mcp',
      headers: {},
      namespace: 'saved',
    });
    expect(errorOf(await ada('disconnectServer', { name: 'saved' }))?.code).toBe('SWB_UNKNOWN_SERVER');
    expect((await at.call('disconnectServer', { name: 'saved' })).structuredContent).toMatchObject({
      disconnected: true,
    });
  });
});
