import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpuClock } from '../../core/testing/cpu.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { entry, FakeServer, gatewayConfig, tool } from '../testing/fakes.ts';
import { exposed, harness, until } from '../testing/harness.ts';
import type { Federation, View } from '../types.ts';

const { start, log } = harness();

const page = (view: View | undefined, era: 'legacy' | 'modern' = 'modern', kind: 'tools' | 'resources' = 'tools') =>
  JSON.parse(view?.page(kind, era, undefined).result.toString('utf8') ?? 'null') as JsonObject;

/** Time for everything that was going to be announced. */
const ticks = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

describe('the merged view', () => {
  it('lists everything in the order of configuration, then of each upstream', async () => {
    const federation = await start({ b: new FakeServer('z', 'a'), a: new FakeServer('m') });
    expect(exposed(federation.all)).toEqual(['b__z', 'b__a', 'a__m']);
    const route = federation.all.resolve('tools', 'b__a');
    expect(route).toMatchObject({ exposed: 'b__a', original: 'a', member: { name: 'b' } });
    expect(federation.all.resolve('tools', 'a')).toBeUndefined();
    expect(federation.all.id).toBe('all');
    expect(federation.all.server).toBeUndefined();
  });

  it('keeps every name when servers are added and removed', async () => {
    const federation = await start({ one: new FakeServer('a.b', 'x'.repeat(90)), two: new FakeServer('a.b') });
    const before = exposed(federation.all).filter((name) => name.startsWith('one__'));
    await federation.remove('two');
    expect(exposed(federation.all)).toEqual(before);
  });

  it('gives a bare name to the first server of the configuration, and the later one its prefix', async () => {
    const bare = { namespace: false as const };
    const federation = await start(
      { one: new FakeServer('a'), two: new FakeServer('a', 'b'), three: new FakeServer('b') },
      { one: bare, two: bare },
    );
    expect(exposed(federation.all)).toEqual(['a', 'two__a', 'b', 'three__b']);
    expect(federation.all.resolve('tools', 'a')?.member.name).toBe('one');
    expect(federation.all.resolve('tools', 'two__a')).toMatchObject({ original: 'a', member: { name: 'two' } });
    const warnings = (): unknown[] => log().filter(({ fields }) => 'owner' in fields);
    expect(warnings()).toHaveLength(1);
    federation.all.capabilities('legacy');
    await federation.remove('three');
    expect(exposed(federation.all)).toEqual(['a', 'two__a', 'b']);
    expect(warnings()).toHaveLength(1);
  });

  it('prefers a prefixed name to an equal bare one', async () => {
    const federation = await start(
      { one: new FakeServer('two__a'), two: new FakeServer('a') },
      { one: { namespace: false } },
    );
    expect(federation.all.resolve('tools', 'two__a')?.member.name).toBe('two');
    expect(exposed(federation.all)[0]).toBe('one__two__a');
  });

  it('drops nothing when servers share a prefix', async () => {
    const federation = await start(
      { one: new FakeServer('a'), two: new FakeServer('a'), three: new FakeServer('a') },
      { one: { namespace: 'x' }, two: { namespace: 'x' }, three: { namespace: 'two' } },
    );
    expect(exposed(federation.all)).toEqual(['x__a', expect.stringMatching(/^two__a_[a-z2-7]{8}$/), 'two__a']);
  });

  it('has the builtin tools under their own names, whatever servers offer', async () => {
    const federation = await start({ one: new FakeServer('listServers', 'a') }, { one: { namespace: false } });
    const own = new FakeServer('listServers');
    federation.addBuiltin('switchboard', { ...own.upstream(), kind: 'builtin' });
    await federation.settled();
    expect(exposed(federation.all)).toEqual(['listServers', 'one__listServers', 'a']);
    expect(federation.all.resolve('tools', 'listServers')?.member.builtin).toBe(true);
    expect(federation.member('switchboard')?.status()).toMatchObject({ origin: 'builtin', state: 'ready' });
    expect(federation.view('switchboard')).toBeUndefined();
    expect(await federation.remove('switchboard')).toBe(false);
    await federation.apply([]);
    expect(exposed(federation.all)).toEqual(['listServers']);
  });

  it('keeps every byte of an entry but its name', async () => {
    const raw = Buffer.from(
      '{"zz":1.0,"name":"a","inputSchema":{"type":"object","2":9007199254740993,"1":[]},"_x":{"name":"a"}}',
    );
    const one = new FakeServer();
    one.catalogs.tools = { entries: [{ key: 'a', value: JSON.parse(raw.toString()), raw }] };
    const federation = await start({ one });
    const result = federation.all.page('tools', 'legacy', undefined).result.toString();
    expect(result).toBe(`{"tools":[${raw.toString().replace('"name":"a"', '"name":"one__a"')}]}`);
    const own = federation.view('one')?.page('tools', 'legacy', undefined).result.toString();
    expect(own).toBe(`{"tools":[${raw.toString()}]}`);
  });

  it('loses no JSON of any entry of any server', async () => {
    const one = new FakeServer();
    const federation = await start({ one });
    const member = fc.tuple(
      fc.string().filter((key) => key !== 'name' && key !== '__proto__'),
      fc.jsonValue(),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(member, { maxLength: 4 }), { maxLength: 12 }), async (lists) => {
        const entries = lists.map((members, i) =>
          tool(`t${i}`, { inputSchema: { type: 'object' }, ...Object.fromEntries(members) }),
        );
        const fetches = one.lists.tools;
        one.catalogs.tools = { entries };
        one.changed('tools');
        await until(() => expect(one.lists.tools).toBeGreaterThan(fetches));
        await ticks();
        const expected = entries.map(({ value }, i) => JSON.parse(JSON.stringify({ ...value, name: `one__t${i}` })));
        expect(page(federation.all).tools).toEqual(expected);
        expect(page(federation.view('one')).tools).toEqual(
          JSON.parse(JSON.stringify(entries.map(({ value }) => value))),
        );
      }),
      { numRuns: 10 },
    );
  });

  it('pages long lists and serves each page from the same bytes until a change', async () => {
    const one = new FakeServer('a', 'b', 'c');
    const federation = await start({ one, two: new FakeServer('d') }, {}, { gateway: gatewayConfig(2) });
    const first = federation.all.page('tools', 'legacy', undefined);
    expect(federation.all.page('tools', 'legacy', undefined)).toBe(first);
    const { nextCursor, tools } = JSON.parse(first.result.toString());
    expect(tools).toHaveLength(2);
    expect(JSON.parse(federation.all.page('tools', 'legacy', nextCursor).result.toString()).tools).toHaveLength(2);
    one.setTools('x', 'b', 'c');
    one.changed('tools');
    await until(() => expect(exposed(federation.all)[0]).toBe('one__x'));
    expect(() => federation.all.page('tools', 'legacy', nextCursor)).toThrow('The list has changed');
  });

  it('serialises the entries of a server once, however the others change', async () => {
    const one = new FakeServer('a');
    const two = new FakeServer('b');
    const federation = await start({ one, two });
    const bytesOf = (i: number): unknown => (federation.all.routes('tools')[i] as unknown as { bytes: Buffer }).bytes;
    const before = bytesOf(0);
    two.setTools('b', 'c');
    two.changed('tools');
    await until(() => expect(exposed(federation.all)).toHaveLength(3));
    expect(bytesOf(0)).toBe(before);
  });

  it('lists a thousand tools without work per request', async () => {
    const one = new FakeServer(...Array.from({ length: 1_000 }, (_, i) => `tool_${i}`));
    const federation = await start({ one });
    federation.all.page('tools', 'modern', undefined);
    const cpu = cpuClock();
    for (let i = 0; i < 10_000; i++) federation.all.page('tools', 'modern', undefined);
    expect(cpu()).toBeLessThan(500);
  });
});

describe('URIs', () => {
  async function withResources(): Promise<Federation> {
    const one = new FakeServer();
    one.capabilities = { resources: {} };
    one.catalogs.resources = {
      entries: [entry('resources', 'file:///one'), entry('resources', 'x://both'), entry('resources', 'ui://cart/v')],
    };
    one.catalogs.templates = { entries: [entry('templates', 'demo://{id}'), entry('templates', 'same://{id}')] };
    const two = new FakeServer();
    two.capabilities = { resources: {} };
    two.catalogs.resources = { entries: [entry('resources', 'x://both'), entry('resources', 'one+file:///secret')] };
    two.catalogs.templates = { entries: [entry('templates', 'same://{name}'), entry('templates', 'ui://{host}/w')] };
    return start({ one, two });
  }
  const where = (view: View | undefined, uri: string): string | undefined => {
    const route = view?.resolveUri(uri);
    return route && `${route.member.name} ${route.original}`;
  };

  it('are listed with their server', async () => {
    const { all } = await withResources();
    expect(exposed(all, 'resources')).toEqual([
      'one+file:///one',
      'one+x://both',
      'ui://one+cart/v',
      'two+x://both',
      'two+one+file:///secret',
    ]);
    expect(exposed(all, 'templates')).toEqual([
      'one+demo://{id}',
      'one+same://{id}',
      'two+same://{name}',
      'ui://two+{host}/w',
    ]);
    expect((page(all, 'legacy', 'resources').resources as JsonObject[])[2]).toEqual({
      uri: 'ui://one+cart/v',
      name: 'ui://cart/v',
    });
  });

  it('lead back to their server, listed, expanded from a template, or neither', async () => {
    const { all } = await withResources();
    expect(where(all, 'one+file:///one')).toBe('one file:///one');
    expect(where(all, 'ui://one+cart/v')).toBe('one ui://cart/v');
    expect(where(all, 'one+demo://7')).toBe('one demo://7');
    expect(where(all, 'ui://two+shop/w')).toBe('two ui://shop/w');
    expect(where(all, 'two+not://listed')).toBe('two not://listed');
    expect(where(all, 'TWO+x://both')).toBe('two x://both');
  });

  it('resolve in the upstream’s spelling when exactly one server has them', async () => {
    const { all } = await withResources();
    expect(where(all, 'file:///one')).toBe('one file:///one');
    expect(where(all, 'demo://7')).toBe('one demo://7');
    expect(where(all, 'ui://shop/w')).toBe('two ui://shop/w');
    expect(where(all, 'x://both')).toBeUndefined();
    expect(where(all, 'same://7')).toBeUndefined();
    expect(where(all, 'nobody://x')).toBeUndefined();
    expect(all.resolveUri('file:///one')?.exposed).toBe('file:///one');
  });

  it('of one server cannot be claimed by another', async () => {
    const { all } = await withResources();
    expect(where(all, 'one+file:///secret')).toBe('one file:///secret');
    expect(where(all, 'two+one+file:///secret')).toBe('two one+file:///secret');
  });

  it("are the server's own in its own view", async () => {
    const federation = await withResources();
    const view = federation.view('two');
    expect(exposed(view as View, 'resources')).toEqual(['x://both', 'one+file:///secret']);
    expect(where(view, 'x://both')).toBe('two x://both');
    expect(where(view, 'any://thing')).toBe('two any://thing');
    const member = federation.member('two');
    expect(member && view?.exposeUri(member, 'x://both')).toBe('x://both');
    expect(member && federation.all.exposeUri(member, 'x://both')).toBe('two+x://both');
  });

  it('follow changes of the lists', async () => {
    const one = new FakeServer();
    one.capabilities = { resources: {} };
    const federation = await start({ one });
    expect(where(federation.all, 'file:///new')).toBeUndefined();
    one.catalogs.resources = { entries: [entry('resources', 'file:///new')] };
    one.changed('resources');
    await until(() => expect(where(federation.all, 'file:///new')).toBe('one file:///new'));
  });
});
