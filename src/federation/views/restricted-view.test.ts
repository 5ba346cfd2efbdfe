import { describe, expect, it } from 'vitest';
import type { CatalogKind } from '../../core/upstream.ts';
import { CatalogMember, SetFilter, ticks, viewOptions } from '../testing/catalog-views.ts';
import { entry, tool } from '../testing/fakes.ts';
import { exposed } from '../testing/harness.ts';
import type { View } from '../types.ts';
import { MergedView } from './merged-view.ts';
import { ServerView } from './server-view.ts';

const page = (view: View) => JSON.parse(view.page('tools', 'modern', undefined).result.toString('utf8'));

function setUp() {
  const open = new CatalogMember('open');
  const secret = new CatalogMember('secret', {}, { capabilities: { tools: {}, completions: {} } });
  for (const member of [open, secret]) {
    member.offer('tools', [tool('one'), tool('two')]);
    member.offer('resources', [entry('resources', 'file:///shared')]);
  }
  const members = [open, secret];
  const all = new MergedView(() => members, viewOptions());
  const own = new ServerView('secret', () => members.find(({ name }) => name === 'secret'), viewOptions());
  return { open, secret, members, all, own };
}

const hear = (view: View): CatalogKind[] => {
  const heard: CatalogKind[] = [];
  view.onListChanged((kind) => heard.push(kind));
  return heard;
};

describe('a server that the filter does not reach', () => {
  const filter = new SetFilter({ unreached: ['secret'] });

  it('is missing from instructions, capabilities and serverInfo of the view', () => {
    const { all, own, open, secret } = setUp();
    const view = all.restricted(filter);
    const told = JSON.stringify([
      view.instructions(),
      view.capabilities('legacy'),
      view.capabilities('modern'),
      view.serverInfo(),
      page(view),
      view.routes('agents'),
    ]);
    expect(told).not.toContain('secret');
    expect(view.instructions()).toContain('a gateway to one server: open.');
    expect(view.capabilities('modern')).not.toHaveProperty('completions');
    expect(all.capabilities('modern')).toHaveProperty('completions');
    expect([view.reaches(open), view.reaches(secret)]).toEqual([true, false]);

    const alone = own.restricted(filter);
    expect(alone.reaches(secret)).toBe(false);
    expect(JSON.stringify([alone.serverInfo(), alone.capabilities('modern'), page(alone)])).not.toContain('secret');
    expect(alone.instructions()).toBeUndefined();
    expect(alone.resolve('tools', 'one')).toBeUndefined();
    expect(alone.resolveUri('file:///shared')).toBeUndefined();
    expect(alone.resolveTask('t1')).toBeUndefined();
  });

  it('has no URIs and no tasks, and makes no URI of another server ambiguous', () => {
    const { all, open, secret } = setUp();
    const view = all.restricted(filter);
    expect(all.resolveUri('file:///shared')).toBeUndefined();
    expect(view.resolveUri('file:///shared')).toMatchObject({ member: open, original: 'file:///shared' });
    expect(view.resolveUri(all.exposeUri(secret, 'file:///shared'))).toBeUndefined();
    expect(view.resolveTask(all.exposeTask(secret, 't1'))).toBeUndefined();
    expect(view.resolveTask(all.exposeTask(open, 't1'))).toMatchObject({ member: open, original: 't1' });
  });

  it('leaves its label to a server whose label differs in case only', () => {
    const upper = new CatalogMember('Files');
    const lower = new CatalogMember('files');
    const view = new MergedView(() => [upper, lower], viewOptions());
    expect(view.resolveUri('files+x://y')?.member).toBe(lower);
    expect(view.resolveUri('FILES+x://y')?.member).toBe(lower);
    expect(view.restricted(new SetFilter({ unreached: ['files'] })).resolveUri('files+x://y')?.member).toBe(upper);
  });

  it('does not change the ttl of lists', () => {
    const { all, open, secret } = setUp();
    open.offer('tools', [tool('one')], { ttlMs: 90_000, cacheScope: 'public' });
    secret.upstream = undefined;
    secret.state = 'degraded';
    all.invalidate();
    expect(page(all).ttlMs).toBe(5_000);
    expect(page(all.restricted(filter)).ttlMs).toBe(90_000);
  });
});

describe('a hidden entry', () => {
  it('does not change the names of other entries', () => {
    const first = new CatalogMember('first', { namespace: 'shared' });
    const second = new CatalogMember('second', { namespace: 'shared' });
    for (const member of [first, second]) member.offer('tools', [tool('one')]);
    const all = new MergedView(() => [first, second], viewOptions());
    const view = all.restricted(new SetFilter({ hidden: ['first/one'] }));
    expect(exposed(all)).toEqual(['shared__one', 'second__one']);
    expect(exposed(view)).toEqual(['second__one']);
    expect(view.resolve('tools', 'shared__one')).toBeUndefined();
  });

  it('does not resolve any more at once, before the filter reports a change', () => {
    const { all } = setUp();
    const filter = new SetFilter();
    const view = all.restricted(filter);
    expect(view.resolve('tools', 'open__one')).toBeDefined();
    filter.hidden.add('open/one');
    expect(view.resolve('tools', 'open__one')).toBeUndefined();
  });

  it('resolves when it is known but not listed', () => {
    const { all, own } = setUp();
    const filter = new SetFilter({ unlisted: ['secret/one'] });
    expect(exposed(all.restricted(filter))).not.toContain('secret__one');
    expect(all.restricted(filter).resolve('tools', 'secret__one')).toMatchObject({ original: 'one' });
    expect(own.restricted(filter).resolve('tools', 'one')).toMatchObject({ original: 'one' });
  });

  it('hides a URI by the entry that lists it, and an unlisted URI by itself', () => {
    const { all, open } = setUp();
    const view = all.restricted(new SetFilter({ hidden: ['open/file:///shared', 'open/file:///unlisted'] }));
    for (const uri of ['file:///shared', 'file:///unlisted']) {
      expect(view.resolveUri(all.exposeUri(open, uri))).toBeUndefined();
    }
    expect(view.resolveUri(all.exposeUri(open, 'file:///other'))).toMatchObject({ member: open });
  });

  it('is missing from pages, which have cursors of their own', () => {
    const member = new CatalogMember('m');
    member.offer(
      'tools',
      ['a', 'b', 'c', 'd'].map((name) => tool(name)),
    );
    const all = new MergedView(() => [member], viewOptions(2));
    const filter = new SetFilter({ hidden: ['m/b'] });
    const view = all.restricted(filter);
    const read = (cursor?: string) => JSON.parse(view.page('tools', 'legacy', cursor).result.toString('utf8'));
    const { tools, nextCursor } = read();
    expect(tools.map(({ name }: { name: string }) => name)).toEqual(['m__a', 'm__c']);
    expect(read(nextCursor).tools.map(({ name }: { name: string }) => name)).toEqual(['m__d']);
    filter.hidden.clear();
    filter.changed();
    expect(() => read(nextCursor)).toThrow(expect.objectContaining({ code: 'SWB_STALE_CURSOR' }));
  });
});

describe('the list a filter lets through', () => {
  it('is the base list itself when nothing is hidden', () => {
    const { all } = setUp();
    const filter = new SetFilter();
    const view = all.restricted(filter);
    for (const era of ['legacy', 'modern'] as const) {
      expect(view.page('tools', era, undefined).result).toBe(all.page('tools', era, undefined).result);
    }
    const { asked } = filter;
    for (let i = 0; i < 100; i++) view.page('tools', 'modern', undefined);
    expect(filter.asked).toBe(asked);
    expect(view.routes('tools')).toBe(all.routes('tools'));
  });

  it('is built once for all filters that show the same entries', () => {
    const { all } = setUp();
    const bytes = [new SetFilter({ hidden: ['open/one'] }), new SetFilter({ unlisted: ['open/one'] })].map(
      (filter) => all.restricted(filter).page('tools', 'modern', undefined).result,
    );
    expect(bytes[0]).toBe(bytes[1]);
    const other = all.restricted(new SetFilter({ hidden: ['open/two'] })).page('tools', 'modern', undefined).result;
    expect(other.equals(bytes[0] as Buffer)).toBe(false);
  });

  it('has the cache scope private, even where all servers state public', () => {
    const { all, open, secret } = setUp();
    for (const member of [open, secret]) member.offer('tools', [tool('one')], { ttlMs: 9_000, cacheScope: 'public' });
    all.invalidate();
    expect(page(all)).toMatchObject({ ttlMs: 9_000, cacheScope: 'public' });
    expect(page(all.restricted(new SetFilter()))).toEqual({ ...page(all), cacheScope: 'private' });
  });

  it('refetches stale upstream lists when it is used, as the base view does', () => {
    const { all, open } = setUp();
    page(all.restricted(new SetFilter({ hidden: ['open/one'] })));
    expect(open.touches).toBe(1);
  });

  it('belongs to one view per filter, and holds for two filters what both let through', () => {
    const { all } = setUp();
    const [one, two] = [new SetFilter({ hidden: ['open/one'] }), new SetFilter({ unreached: ['secret'] })];
    const view = all.restricted(one);
    expect(all.restricted(one)).toBe(view);
    expect(view.restricted(one)).toBe(view);
    const both = view.restricted(two);
    expect(view.restricted(two)).toBe(both);
    expect(exposed(both)).toEqual(['open__two']);
    two.unreached.clear();
    two.changed();
    expect(exposed(both)).toEqual(['open__two', 'secret__one', 'secret__two']);
  });
});

describe('list change notifications of a restricted view', () => {
  it('follow the entries that the filter lets through, and changes of the filter', async () => {
    const { all, open, secret } = setUp();
    const filter = new SetFilter({ unreached: ['secret'] });
    const [heard, everything] = [hear(all.restricted(filter)), hear(all)];
    secret.offer('tools', [tool('three')]);
    all.invalidate(['tools']);
    await ticks();
    expect([heard, everything]).toEqual([[], ['tools']]);
    open.offer('tools', [tool('three')]);
    all.invalidate(['tools']);
    await ticks();
    expect(heard).toEqual(['tools']);
    filter.unreached.clear();
    filter.changed();
    await ticks();
    expect(heard.toSorted()).toEqual(['resources', 'tools', 'tools']);
    filter.changed();
    await ticks();
    expect(heard).toHaveLength(3);
  });

  it('are sent when equal bytes now belong to a server that the filter does not reach', async () => {
    const [one, two] = [new CatalogMember('one', { namespace: false }), new CatalogMember('two', { namespace: false })];
    const members = [one];
    one.offer('tools', [tool('same')]);
    two.offer('tools', [tool('same')]);
    const all = new MergedView(() => members, viewOptions());
    const [heard, everything] = [hear(all.restricted(new SetFilter({ unreached: ['two'] }))), hear(all)];
    members[0] = two;
    all.invalidate();
    await ticks();
    expect([heard, everything]).toEqual([['tools'], []]);
  });

  it('stop with the last listener, after which no list of the view is held', async () => {
    const { all, open } = setUp();
    const view = all.restricted(new SetFilter());
    const heard: CatalogKind[] = [];
    const stops = [view.onListChanged((kind) => heard.push(kind)), view.onListChanged((kind) => heard.push(kind))];
    stops[0]?.();
    expect(all.hasListeners).toBe(true);
    stops[1]?.();
    expect(all.hasListeners).toBe(false);
    open.offer('tools', []);
    all.invalidate();
    await ticks();
    expect(heard).toEqual([]);
  });
});

describe('a filter that prepares', () => {
  /** Hides what it was not asked to prepare. */
  function looking() {
    const prepared = new Set<unknown>();
    const filter = new SetFilter();
    const gates: PromiseWithResolvers<void>[] = [];
    filter.knows = (_kind, _member, each) => prepared.has(each);
    filter.preparing = (_kind, routes) => {
      const missing = routes.filter(({ entry }) => !prepared.has(entry));
      if (missing.length === 0) return undefined;
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      return gate.promise.then(() => {
        for (const { entry } of missing) prepared.add(entry);
      });
    };
    return { filter, gates };
  }

  it('is awaited, and shows nothing before', async () => {
    const { all } = setUp();
    const { filter, gates } = looking();
    const view = all.restricted(filter);
    const waiting = view.prepare?.('tools');
    expect(waiting).toBeInstanceOf(Promise);
    expect(view.prepare?.('tools')).toBe(waiting);
    expect(exposed(view)).toEqual([]);
    expect(gates).toHaveLength(1);
    gates[0]?.resolve();
    await waiting;
    expect(view.prepare?.('tools')).toBeUndefined();
    expect(exposed(view)).toEqual(exposed(all));
    expect(view.resolve('tools', 'open__one')).toBeDefined();
  });

  it('prepares one name without the rest of the list', async () => {
    const { all } = setUp();
    const { filter, gates } = looking();
    const view = all.restricted(filter);
    const asked = filter.preparing;
    const names: string[] = [];
    filter.preparing = (kind, routes) => {
      names.push(...routes.map((route) => route.exposed));
      return asked?.(kind, routes);
    };
    const waiting = view.prepare?.('tools', 'open__one');
    gates[0]?.resolve();
    await waiting;
    expect(names).toEqual(['open__one']);
    expect(view.resolve('tools', 'open__one')).toBeDefined();
    expect(view.prepare?.('tools', 'open__one')).toBeUndefined();
    expect(view.prepare?.('tools', 'nowhere__one')).toBeUndefined();
  });

  it('sends no notification for its first result, and one for later changes once they are prepared', async () => {
    const { all, open } = setUp();
    const { filter, gates } = looking();
    const view = all.restricted(filter);
    const heard = hear(view);
    for (const gate of gates) gate.resolve();
    await ticks();
    expect(heard).toEqual([]);
    const asked = gates.length;
    open.offer('tools', [...open.catalog('tools').entries, tool('three')]);
    all.invalidate(['tools']);
    await ticks();
    expect([heard, gates.length]).toEqual([[], asked + 1]);
    gates.at(-1)?.resolve();
    await ticks();
    expect(heard).toEqual(['tools']);
    expect(exposed(view)).toContain('open__three');
  });

  it('hides what it failed to prepare, reports the error, and is asked again', async () => {
    const { all } = setUp();
    const { filter, gates } = looking();
    const view = all.restricted(filter);
    const waiting = view.prepare?.('tools');
    gates[0]?.reject(new Error('hook'));
    await expect(waiting).rejects.toThrow('hook');
    expect(exposed(view)).toEqual([]);
    const again = view.prepare?.('tools');
    gates[1]?.resolve();
    await again;
    expect(exposed(view)).toEqual(exposed(all));
  });
});
