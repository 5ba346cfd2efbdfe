/**
 * A view as one principal may see it: its base view without what a filter hides. Exposed names are those of the base view,
 * so they are the same for all principals.
 *
 * Invariants: an entry that is not known is in no list and resolves like an unknown name; an entry that is known but not
 * listed resolves only. A call asks the filter at that moment and never relies on a list made before.
 *
 * Memory: it holds no list longer than its base view does, so an idle principal costs next to nothing. The base view maps
 * filters to restricted views weakly, and the filter's listener holds the view weakly, so view and filter are collected
 * together.
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

/** A {@link ViewFilter} without its change events: a combination of filters has none of its own. */
type VisibilityRules = Omit<ViewFilter, 'onChanged'>;

/** One list of the base view, filtered. */
interface Filtered {
  /** Built on first use. */
  listing: Listing | undefined;
  /** Set while the filter prepares; until then it hides entries it has not prepared. */
  pending: Promise<void> | undefined;
}

class RestrictedView implements View {
  readonly id: string;
  readonly server: string | undefined;
  readonly #base: CatalogView;
  readonly #filter: VisibilityRules;
  /** The filters that `#filter` combines. */
  readonly #sources: readonly ViewFilter[];
  readonly #notifier: ChangeNotifier;
  readonly #restricted = new WeakMap<ViewFilter, View>();
  /** By list of the base view, and collected with it. */
  #filtered = new WeakMap<Listing, Filtered>();
  #stopListening: (() => void) | undefined;

  constructor(base: CatalogView, filter: VisibilityRules, sources: readonly ViewFilter[]) {
    this.id = base.id;
    this.server = base.server;
    this.#base = base;
    this.#filter = filter;
    this.#sources = sources;
    this.#notifier = new ChangeNotifier({
      listing: (kind) => {
        const filtered = this.#filteredOf(kind);
        return filtered.pending ? undefined : this.#listingOf(kind);
      },
      differ: (before, after) => !before.hasSameBytes(after),
      log: base.options.log,
    });
    // Separately: a filter that lives on must not hold the others.
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
    if (!route) {
      this.#workAsForHidden(kind);
      return undefined;
    }
    return this.#filter.knows(kind, route.member, route.entry, exposed) ? route : undefined;
  }

  resolveUri(uri: string): Omit<Route, 'entry'> | undefined {
    return this.#base.findUri(uri, this.#filter);
  }

  /** Asks the filter about some entry: the time it takes must not tell a name that is hidden from one that is not there. */
  #workAsForHidden(kind: CatalogKind): void {
    const [route] = this.#base.listing(kind).routes;
    if (route) this.#filter.knows(kind, route.member, route.entry, route.exposed);
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

  mayReach(member: Member): boolean {
    return this.#base.reaches(member) && mayReach(this.#filter, member);
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
    return filtered.pending ?? this.#prepare(kind, filtered);
  }

  /** Entries that a request may mean by this URI. */
  #routesOfUri(uri: string): Route[] {
    const own = splitUri(uri)?.original;
    return this.#base
      .listing('resources')
      .routes.filter(({ exposed, original }) => exposed === uri || original === uri || original === own);
  }

  onListChanged(listener: (kind: CatalogKind) => void): () => void {
    this.#stopListening ??= this.#base.onRoutesChanged((kind) => this.#notifier.changed([kind]));
    const stop = this.#notifier.add(listener);
    return () => {
      stop();
      if (this.#notifier.hasListeners) return;
      this.#stopListening?.();
      this.#stopListening = undefined;
    };
  }

  /** Call when the filter may give other results from now on. */
  filterChanged(): void {
    this.#filtered = new WeakMap();
    this.#notifier.changed(CATALOG_KINDS);
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
      // A caller that needs the outcome awaits `prepare`; others see what is known so far.
      void this.#prepare(kind, filtered)?.catch(() => {});
    }
    return filtered;
  }

  #prepare(kind: CatalogKind, filtered: Filtered): Promise<void> | undefined {
    const prepared = this.#filter.prepare?.(kind, this.#base.listing(kind).routes);
    if (!prepared) return undefined;
    filtered.pending = prepared.finally(() => {
      filtered.pending = undefined;
      filtered.listing = undefined;
      this.#notifier.changed([kind]);
    });
    return filtered.pending;
  }

  #listingOf(kind: CatalogKind): Listing {
    const filtered = this.#filteredOf(kind);
    filtered.listing ??= this.#build(kind);
    return filtered.listing;
  }

  #build(kind: CatalogKind): Listing {
    const filter = this.#filter;
    const base = this.#base.listing(kind);
    const members = this.#members();
    const reached = new Set<Member>(members);
    const shown = base.routes.map(
      ({ member, entry, exposed }) =>
        reached.has(member) && filter.knows(kind, member, entry, exposed) && filter.lists(kind, member, entry, exposed),
    );
    // Another caller may see another part, whatever scope the servers stated (2026-07-28 server/utilities/caching).
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

/** Lets through what both let through. */
function both(one: VisibilityRules, other: VisibilityRules): VisibilityRules {
  return {
    reaches: (member) => one.reaches(member) && other.reaches(member),
    mayReach: (member) => mayReach(one, member) && mayReach(other, member),
    knows: (...args) => one.knows(...args) && other.knows(...args),
    lists: (...args) => one.lists(...args) && other.lists(...args),
    knowsUri: (...args) => one.knowsUri(...args) && other.knowsUri(...args),
    showsInstructions: (...args) => showsInstructions(one, ...args) && showsInstructions(other, ...args),
    prepare(kind, routes) {
      const first = one.prepare?.(kind, routes);
      const second = other.prepare?.(kind, routes);
      return first && second ? Promise.all([first, second]).then(() => {}) : (first ?? second);
    },
  };
}

const mayReach = (filter: VisibilityRules, member: Member): boolean =>
  filter.reaches(member) || filter.mayReach?.(member) === true;

const showsInstructions = (filter: VisibilityRules, member: Member, text: string): boolean =>
  filter.showsInstructions?.(member, text) ?? true;
