import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CATALOG_KINDS, type CatalogKind } from '../../core/upstream.ts';
import type { Era } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { CatalogMember, SetFilter, ticks, viewOptions } from '../testing/catalog-views.ts';
import { entry } from '../testing/fakes.ts';
import type { Route, View } from '../types.ts';
import type { PagedKind } from './listing.ts';
import { MergedView } from './merged-view.ts';
import type { RestrictableView } from './restricted-view.ts';
import { ServerView } from './server-view.ts';

const MEMBER = { tools: 'tools', prompts: 'prompts', resources: 'resources', templates: 'resourceTemplates' } as const;
const NAMES = ['a', 'b', 'c'];
const KEYS: Readonly<Record<CatalogKind, readonly string[]>> = {
  tools: ['t0', 't1', 't2'],
  prompts: ['p0', 'p1'],
  resources: ['x://0', 'x://1', 'ui://2'],
  templates: ['y://{z}', 'y://0/{z}'],
  agents: ['g0', 'g1'],
};

/** Every entry of a list, read as a client reads it: page by page. */
function read(view: View, kind: PagedKind, era: Era): JsonObject[] {
  const entries: JsonObject[] = [];
  for (let cursor: string | undefined, page = 0; page === 0 || cursor !== undefined; page++) {
    const result = JSON.parse(view.page(kind, era, cursor).result.toString('utf8')) as JsonObject;
    entries.push(...(result[MEMBER[kind]] as JsonObject[]));
    cursor = result.nextCursor as string | undefined;
  }
  return entries;
}

/** What each list is made of, as text. */
const snapshot = (view: View): Map<CatalogKind, string> =>
  new Map(
    CATALOG_KINDS.map((kind) => [
      kind,
      kind === 'agents'
        ? JSON.stringify(view.routes(kind).map((route) => [route.exposed, route.entry.value]))
        : JSON.stringify(read(view, kind, 'legacy')),
    ]),
  );

const kind = fc.constantFrom(...CATALOG_KINDS);
const server = fc.constantFrom(...NAMES);
const thing = kind.chain((of) => fc.tuple(server, fc.constantFrom(...KEYS[of])).map(([name, key]) => `${name}/${key}`));
const offered = kind.chain((of) =>
  fc.record({ kind: fc.constant(of), keys: fc.subarray([...KEYS[of]]), note: fc.constantFrom('', 'other') }),
);

type Change =
  | { type: 'offer'; server: string; offer: { kind: CatalogKind; keys: string[]; note: string } }
  | { type: 'swap' }
  | { type: 'leave' | 'join' | 'reach' | 'unreach'; server: string }
  | { type: 'hide' | 'show' | 'unlist' | 'list'; thing: string };

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ type: fc.constant('offer' as const), server, offer: offered }),
  fc.constant({ type: 'swap' as const }),
  fc.record({ type: fc.constantFrom('leave' as const, 'join' as const, 'reach' as const, 'unreach' as const), server }),
  fc.record({ type: fc.constantFrom('hide' as const, 'show' as const, 'unlist' as const, 'list' as const), thing }),
);

/** Members and a filter that change together with the views over them. */
class World {
  readonly members = new Map<string, CatalogMember>();
  order = [...NAMES];
  readonly absent = new Set<string>();
  readonly filter = new SetFilter();
  readonly views: RestrictableView[];

  constructor() {
    // `b` and `c` share a prefix, so that names depend on who else is there.
    for (const name of NAMES) {
      const member = new CatalogMember(name, { namespace: name === 'a' ? 'a' : 'shared' });
      for (const of of CATALOG_KINDS) {
        member.offer(
          of,
          KEYS[of].map((key) => entry(of, key)),
        );
      }
      this.members.set(name, member);
    }
    const merged = new MergedView(() => this.present(), viewOptions(2));
    const own = new ServerView('b', () => this.present().find(({ name }) => name === 'b'), viewOptions(2));
    this.views = [merged, own];
  }

  present(): CatalogMember[] {
    return this.order.flatMap((name) => (this.absent.has(name) ? [] : (this.members.get(name) ?? [])));
  }

  apply(each: Change): void {
    const { filter } = this;
    switch (each.type) {
      case 'offer': {
        const { kind, keys, note } = each.offer;
        const rest: JsonObject = note === '' ? {} : { description: note };
        this.members.get(each.server)?.offer(
          kind,
          keys.map((key) => entry(kind, key, rest)),
        );
        for (const view of this.views) view.invalidate([kind]);
        return;
      }
      case 'swap':
        this.order.reverse();
        break;
      case 'leave':
        this.absent.add(each.server);
        break;
      case 'join':
        this.absent.delete(each.server);
        break;
      case 'reach':
      case 'unreach':
        filter.unreached[each.type === 'reach' ? 'delete' : 'add'](each.server);
        break;
      case 'hide':
      case 'show':
        filter.hidden[each.type === 'show' ? 'delete' : 'add'](each.thing);
        break;
      case 'unlist':
      case 'list':
        filter.unlisted[each.type === 'list' ? 'delete' : 'add'](each.thing);
        break;
    }
    if (each.type === 'swap' || each.type === 'leave' || each.type === 'join') {
      for (const view of this.views) view.invalidate();
    } else {
      filter.changed();
    }
  }
}

function checkLists(base: View, restricted: View, filter: SetFilter): void {
  const shown = (of: CatalogKind, { member, entry }: Route): boolean =>
    filter.knows(of, member, entry) && filter.lists(of, member, entry);
  for (const of of CATALOG_KINDS) {
    const expected = base.routes(of).filter((route) => shown(of, route));
    expect(restricted.routes(of)).toEqual(expected);
    if (of === 'agents') continue;
    for (const era of ['legacy', 'modern'] as const) {
      const all = read(base, of, era);
      const wanted = base.routes(of).flatMap((route, i) => (shown(of, route) ? [all[i]] : []));
      expect(read(restricted, of, era)).toEqual(wanted);
    }
    const page = JSON.parse(restricted.page(of, 'modern', undefined).result.toString('utf8'));
    expect(page.cacheScope).toBe('private');
  }
}

function checkNames(base: View, restricted: View, filter: SetFilter): void {
  for (const of of ['tools', 'prompts', 'agents'] as const) {
    for (const route of base.routes(of)) {
      const found = restricted.resolve(of, route.exposed);
      expect(found).toEqual(filter.knows(of, route.member, route.entry) ? route : undefined);
    }
  }
}

function checkUris(world: World, base: View, restricted: View): void {
  const { filter } = world;
  const members = base.server === undefined ? world.present() : world.present().filter(({ name }) => name === 'b');
  const knows = (member: CatalogMember, of: 'resources' | 'templates', key: string): boolean =>
    member.catalog(of).entries.some((each) => each.key === key && filter.knows(of, member, each));
  for (const member of members) {
    for (const uri of [...KEYS.resources, 'y://9', 'never://listed']) {
      const found = restricted.resolveUri(base.exposeUri(member, uri));
      expect(found?.member).toBe(filter.knowsUri(member, uri) ? member : undefined);
    }
  }
  if (base.server !== undefined) return;
  for (const uri of KEYS.resources) {
    const owners = members.filter((member) => knows(member, 'resources', uri));
    expect(restricted.resolveUri(uri)?.member).toBe(owners.length === 1 ? owners[0] : undefined);
  }
  const matching = members.filter((member) => knows(member, 'templates', 'y://{z}'));
  expect(restricted.resolveUri('y://9')?.member).toBe(matching.length === 1 ? matching[0] : undefined);
}

describe('a restricted view, whatever is offered, hidden and changed', () => {
  it('lists and resolves what the base view does and the filter lets through, and notifies of each change', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { maxLength: 6 }), async (rounds) => {
        const world = new World();
        const watched = world.views.map((base) => {
          const restricted = base.restricted(world.filter);
          const heard: CatalogKind[] = [];
          const stop = restricted.onListChanged((kind) => heard.push(kind));
          return { base, restricted, heard, stop };
        });
        const quiet = new SetFilter();
        for (const changes of rounds) {
          const before = watched.map(({ restricted }) => snapshot(restricted));
          for (const each of changes) world.apply(each);
          await ticks();
          for (const [i, { base, restricted, heard }] of watched.entries()) {
            checkLists(base, restricted, world.filter);
            checkNames(base, restricted, world.filter);
            checkUris(world, base, restricted);
            const after = snapshot(restricted);
            const changed = CATALOG_KINDS.filter((of) => before[i]?.get(of) !== after.get(of));
            expect(heard.splice(0).toSorted()).toEqual(changed.toSorted());
            // No session listens to this one: it is asked anew each time.
            quiet.hidden = world.filter.hidden;
            quiet.unlisted = world.filter.unlisted;
            quiet.unreached = world.filter.unreached;
            quiet.changed();
            checkLists(base, base.restricted(quiet), quiet);
          }
        }
        for (const { stop } of watched) stop();
        expect(world.views.map(({ hasListeners }) => hasListeners)).toEqual([false, false]);
      }),
      { numRuns: 150 },
    );
  });
});
