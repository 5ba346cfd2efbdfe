import { describe, expect, it, vi } from 'vitest';
import type { CatalogKind } from '../core/upstream.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { FakeServer, serverConfig, tool } from './testing/fakes.ts';
import { exposed, harness, until, untilReady } from './testing/harness.ts';
import type { View } from './types.ts';

const { create, start } = harness();

const page = (view: View | undefined, era: 'legacy' | 'modern' = 'modern', kind: 'tools' | 'resources' = 'tools') =>
  JSON.parse(view?.page(kind, era, undefined).result.toString('utf8') ?? 'null') as JsonObject;

/** Time for everything that was going to be announced. */
const ticks = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

describe('freshness', () => {
  const stating = (ttlMs: number | undefined, cacheScope: 'public' | 'private' | undefined): FakeServer => {
    const server = new FakeServer();
    server.era = 'modern';
    server.catalogs.tools = {
      entries: [tool('a')],
      ...(ttlMs === undefined ? {} : { ttlMs }),
      ...(cacheScope === undefined ? {} : { cacheScope }),
    };
    return server;
  };

  it('of the merged list is the shortest, and private if any is', async () => {
    const federation = await start({ one: stating(300_000, 'public'), two: stating(90_000, 'public') });
    expect(page(federation.all)).toMatchObject({ ttlMs: 90_000, cacheScope: 'public' });
    await federation.apply([serverConfig('one'), serverConfig('three')]);
    // A server that is being connected may add to the list at any moment.
    expect(page(federation.all)).toMatchObject({ ttlMs: 0 });
    await federation.settled();
    expect(page(federation.all)).toMatchObject({ ttlMs: 5_000 });
  });

  it('is private and one minute for a server that states nothing', async () => {
    const federation = await start({ one: stating(300_000, 'public'), two: stating(undefined, undefined) });
    expect(page(federation.all)).toMatchObject({ ttlMs: 60_000, cacheScope: 'private' });
    expect(page(federation.view('two'))).toMatchObject({ ttlMs: 60_000, cacheScope: 'private' });
  });

  it('ignores servers that have no such list', async () => {
    const two = new FakeServer();
    two.capabilities = { prompts: {} };
    const federation = await start({ one: stating(300_000, 'public'), two });
    expect(page(federation.all)).toMatchObject({ ttlMs: 300_000, cacheScope: 'public' });
  });

  it("of one server's list is its own", async () => {
    const federation = await start({ one: stating(0, 'public'), two: stating(7, 'private') });
    expect(page(federation.view('one'))).toMatchObject({ ttlMs: 0, cacheScope: 'public' });
    expect(page(federation.view('two'))).toMatchObject({ ttlMs: 7, cacheScope: 'private' });
    expect(page(federation.view('one'), 'legacy')).toEqual({ tools: [tool('a').value] });
  });
});

describe('list changes', () => {
  const record = (view: View | undefined): CatalogKind[] => {
    const heard: CatalogKind[] = [];
    view?.onListChanged((kind) => heard.push(kind));
    return heard;
  };

  it('are reported once, in the views whose bytes changed and in no other', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one, two: new FakeServer('b') });
    const heard = {
      all: record(federation.all),
      one: record(federation.view('one')),
      two: record(federation.view('two')),
    };
    one.setTools('a', 'c');
    one.changed('tools');
    await until(() => expect(heard.all).toEqual(['tools']));
    await ticks();
    expect(heard).toEqual({ all: ['tools'], one: ['tools'], two: [] });
  });

  it('are not reported when a server notifies and nothing changed', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    const heard = record(federation.all);
    const fetches = one.lists.tools;
    one.changed('tools');
    await until(() => expect(one.lists.tools).toBe(fetches + 1));
    one.catalogs.tools = { entries: [tool('a')], ttlMs: 5, cacheScope: 'public' };
    one.changed('tools');
    await until(() => expect(one.lists.tools).toBe(fetches + 2));
    await until(() => expect(page(federation.all)).toMatchObject({ ttlMs: 5, cacheScope: 'public' }));
    await ticks();
    expect(heard).toEqual([]);
  });

  it('of a server that goes on notifying are fetched at a bounded rate', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    const heard = record(federation.all);
    const fetches = one.lists.tools;
    const fetched = (): number => one.lists.tools - fetches;
    const until1s = performance.now() + 1_000;
    for (let i = 0; performance.now() < until1s || fetched() <= 10; i++) {
      one.setTools(`t${i}`);
      one.changed('tools');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(fetched()).toBeLessThan(30);
    expect(heard.length).toBeLessThan(30);
    // The last one is not lost, only late.
    one.setTools('last');
    one.changed('tools');
    await until(() => expect(exposed(federation.all)).toContain('one__last'));
  });

  it('are reported when the clock of the machine is set back', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 });
    try {
      one.setTools('b');
      one.changed('tools');
      await until(() => expect(exposed(federation.all)).toContain('one__b'));
    } finally {
      vi.useRealTimers();
    }
  });

  it('are not reported when a server goes away or comes back unchanged', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    const heard = record(federation.all);
    one.crash();
    await untilReady(federation, 'one');
    await ticks();
    expect(heard).toEqual([]);
    expect(one.attempts).toHaveLength(2);
  });

  it('are not reported for a server that joins without entries', async () => {
    const federation = await start({ one: new FakeServer('a') });
    const heard = record(federation.all);
    await federation.add(serverConfig('absent'));
    await ticks();
    expect(heard).toEqual([]);
  });

  it('are reported once for changes of many servers in one tick', async () => {
    const servers = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`s${i}`, new FakeServer('a')]));
    const federation = create(servers);
    const heard = record(federation.all);
    await federation.apply(Object.keys(servers).map((name) => serverConfig(name)));
    await federation.settled();
    await ticks();
    expect(exposed(federation.all)).toHaveLength(20);
    expect(heard.length).toBeLessThanOrEqual(3);
  });

  it('reach every listener although one throws, and none that was removed', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    federation.all.onListChanged(() => {
      throw new Error('mine');
    });
    const heard = record(federation.all);
    const left: CatalogKind[] = [];
    federation.all.onListChanged((kind) => left.push(kind))();
    one.setTools('b');
    one.changed('tools');
    await until(() => expect(heard).toEqual(['tools']));
    expect(left).toEqual([]);
  });
});
