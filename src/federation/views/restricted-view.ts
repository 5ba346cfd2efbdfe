/**
 * A view as one principal may know it: the view it is made of, without what a filter keeps from that principal. Names
 * are those of the view itself, so that they are the same for everybody.
 *
 * Invariants: what is not known is in no list and resolves like a name nobody has; what is known but not listed resolves
 * only. A call is judged by what the filter says at that moment, never by a list made before.
 *
 * It holds no list longer than the view itself does, so that principals who are idle cost next to nothing, and it is held
 * by its filter alone: both go together.
 * @module
 */
import { CATALOG_KINDS, type CatalogKind } from '../../core/upstream.ts';
import type { Era } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { ViewMember } from '../members/facts.ts';
import { splitUri } from '../names/uris.ts';
import type { ListPage, Member, Route, View, ViewFilter } from '../types.ts';
import { ChangeNotifier } from './change-notifier.ts';
import type { Listing, PagedKind } from './listing.ts';
import { CatalogView } from './view.ts';

/** A {@link ViewFilter} as it judges. Of several in one, each reports its own changes. */
type VisibilityRules = Omit<ViewFilter, 'onChanged'>;

/** What the filter makes of one list of the view. */
interface Filtered {
  /** Made when it is needed. */
  listing: Listing | undefined;
  /** While the filter is still finding out; it hides meanwhile what it has not looked at. */
  pending: Promise<void> | undefined;
}

export class RestrictedView implements View {
  readonly id: string;
  readonly server: string | undefined;
  readonly #base: CatalogView;
  readonly #filter: VisibilityRules;
  /** What the filter is made of. */
  readonly #sources: readonly ViewFilter[];
  readonly #announcer: ChangeNotifier;
  readonly #restricted = new WeakMap<ViewFilter, View>();
  /** By the list of the view it is made of: the two go together. */
  #filtered = new WeakMap<Listing, Filtered>();
  #stopListening: (() => void) | undefined;

  constructor(base: CatalogView, filter: VisibilityRules, sources: readonly ViewFilter[]) {
    this.id = base.id;
    this.server = base.server;
    this.#base = base;
    this.#filter = filter;
    this.#sources = sources;
    this.#announcer = new ChangeNotifier({
      listing: (kind) => {
        const filtered = this.#filteredOf(kind);
        return filtered.pending ? undefined : this.#listingOf(kind);
      },
      differ: (before, after) => !before.hasSameBytes(after),
      log: base.options.log,
    });
    // Each by itself: one that lives on must not hold another that does not.
    for (const source of sources) listenWeakly(source, this);
  }

  page(kind: PagedKind, era: Era, cursor: string | undefined): ListPage {
    const listing = this.#listingOf(kind);
    if (cursor === undefined) this.#base.touch(kind);
    return listing.page(era, cursor);
  }

  routes(kind: CatalogKind): readonly Route[] {
    const { routes } = this.#listingOf(kind);
    this.#base.touch(kind);
    return routes;
  }

  resolve(kind: 'tools' | 'prompts' | 'agents', exposed: string): Route | undefined {
    const route = this.#base.resolve(kind, exposed);
    return route && this.#filter.knows(kind, route.member, route.entry, exposed) ? route : undefined;
  }

  resolveUri(uri: string): Omit<Route, 'entry'> | undefined {
    return this.#base.findUri(uri, this.#filter);
  }

  exposeUri(member: Member, uri: string): string {
    return this.#base.exposeUri(member, uri);
  }

  resolveTask(taskId: string): { member: Member; original: string } | undefined {
    const task = this.#base.resolveTask(taskId);
    return task && this.#filter.reaches(task.member) ? task : undefined;
  }

  exposeTask(member: Member, taskId: string): string {
    return this.#base.exposeTask(member, taskId);
  }

  capabilities(era: Era): JsonObject {
    return this.#base.capabilitiesOf(this.#members(), era);
  }

  instructions(): string | undefined {
    return this.#base.instructionsOf(this.#members(), (member, text) => showsInstructions(this.#filter, member, text));
  }

  serverInfo(): JsonObject {
    return this.#base.serverInfoOf(this.#members());
  }

  reaches(member: Member): boolean {
    return this.#base.reaches(member) && this.#filter.reaches(member);
  }

  restricted(filter: ViewFilter): View {
    if (this.#sources.includes(filter)) return this;
    let restricted = this.#restricted.get(filter);
    if (!restricted) {
      restricted = new RestrictedView(this.#base, both(this.#filter, filter), [...this.#sources, filter]);
      this.#restricted.set(filter, restricted);
    }
    return restricted;
  }

  prepare(kind: CatalogKind, name?: string): Promise<void> | undefined {
    if (name !== undefined && kind !== 'templates') {
      const routes = kind === 'resources' ? this.#routesOfUri(name) : [this.#base.resolve(kind, name)];
      const [route] = routes;
      return route && this.#filter.prepare?.(kind, routes as Route[]);
    }
    const filtered = this.#filteredOf(kind);
    return filtered.pending ?? this.#ask(kind, filtered);
  }

  /** Entries that a request may mean by this URI. */
  #routesOfUri(uri: string): Route[] {
    const own = splitUri(uri)?.original;
    return this.#base
      .listing('resources')
      .routes.filter(({ exposed, original }) => exposed === uri || original === uri || original === own);
  }

  onListChanged(listener: (kind: CatalogKind) => void): () => void {
    this.#stopListening ??= this.#base.onRoutesChanged((kind) => this.#announcer.changed([kind]));
    const stop = this.#announcer.add(listener);
    return () => {
      stop();
      if (this.#announcer.isHeard) return;
      this.#stopListening?.();
      this.#stopListening = undefined;
    };
  }

  /** The filter may answer otherwise now. */
  filterChanged(): void {
    this.#filtered = new WeakMap();
    this.#announcer.changed(CATALOG_KINDS);
  }

  #members(): readonly ViewMember[] {
    return this.#base.members().filter((member) => this.#filter.reaches(member));
  }

  #filteredOf(kind: CatalogKind): Filtered {
    const base = this.#base.listing(kind);
    let filtered = this.#filtered.get(base);
    if (!filtered) {
      filtered = { listing: undefined, pending: undefined };
      this.#filtered.set(base, filtered);
      // Somebody waits for `prepare`, or looks at what is known so far.
      void this.#ask(kind, filtered)?.catch(() => {});
    }
    return filtered;
  }

  #ask(kind: CatalogKind, filtered: Filtered): Promise<void> | undefined {
    const asked = this.#filter.prepare?.(kind, this.#base.listing(kind).routes);
    if (!asked) return undefined;
    filtered.pending = asked.finally(() => {
      filtered.pending = undefined;
      filtered.listing = undefined;
      this.#announcer.changed([kind]);
    });
    return filtered.pending;
  }

  #listingOf(kind: CatalogKind): Listing {
    const filtered = this.#filteredOf(kind);
    filtered.listing ??= this.#made(kind);
    return filtered.listing;
  }

  #made(kind: CatalogKind): Listing {
    const filter = this.#filter;
    const base = this.#base.listing(kind);
    const members = this.#members();
    const reached = new Set<Member>(members);
    const shown = base.routes.map(
      ({ member, entry, exposed }) =>
        reached.has(member) && filter.knows(kind, member, entry, exposed) && filter.lists(kind, member, entry, exposed),
    );
    // Other callers may have another list, whoever may see the servers' own (2026-07-28 server/utilities/caching).
    const freshness = { ...this.#base.freshnessOf(members, kind), cacheScope: 'private' as const };
    return base.part(shown, {
      freshness,
      serverInfo: this.#base.serverInfoOf(members),
      pageSize: this.#base.options.pageSize,
    });
  }
}

/** A view that can be restricted. */
export abstract class RestrictableView extends CatalogView implements View {
  readonly #restricted = new WeakMap<ViewFilter, RestrictedView>();

  restricted(filter: ViewFilter): View {
    let restricted = this.#restricted.get(filter);
    if (!restricted) {
      restricted = new RestrictedView(this, filter, [filter]);
      this.#restricted.set(filter, restricted);
    }
    return restricted;
  }
}

/** The filter holds its listeners, and may outlive the view: the listener holds the view weakly, and goes with it. */
function listenWeakly(filter: ViewFilter, view: RestrictedView): void {
  const ref = new WeakRef(view);
  const stop = filter.onChanged(() => {
    const alive = ref.deref();
    if (alive) alive.filterChanged();
    else stop();
  });
}

/** What both let through. */
function both(one: VisibilityRules, other: VisibilityRules): VisibilityRules {
  return {
    reaches: (member) => one.reaches(member) && other.reaches(member),
    knows: (...thing) => one.knows(...thing) && other.knows(...thing),
    lists: (...thing) => one.lists(...thing) && other.lists(...thing),
    knowsUri: (...thing) => one.knowsUri(...thing) && other.knowsUri(...thing),
    showsInstructions: (...said) => showsInstructions(one, ...said) && showsInstructions(other, ...said),
    prepare(kind, routes) {
      const first = one.prepare?.(kind, routes);
      const second = other.prepare?.(kind, routes);
      return first && second ? Promise.all([first, second]).then(() => {}) : (first ?? second);
    },
  };
}

const showsInstructions = (filter: VisibilityRules, member: Member, text: string): boolean =>
  filter.showsInstructions?.(member, text) ?? true;
