/**
 * The base of the merged view and the views of single servers: each list is built on first use after a change and served
 * from its bytes until the next change; listeners are notified only when its bytes differ.
 *
 * Methods that depend on the members take a set of them (`…Of(members)`), so that a restricted view can ask for the
 * members it reaches.
 * @module
 */

import type { Log } from '../../core/log.ts';
import { CATALOG_KINDS, type CatalogKind, type Entry } from '../../core/upstream.ts';
import type { Era } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { ViewMember } from '../members/facts.ts';
import type { Timing } from '../members/timing.ts';
import type { ListPage, Member, Route, View, VisibilityFilter } from '../types.ts';
import { ChangeNotifier } from './change-notifier.ts';
import type { Freshness } from './freshness.ts';
import { type ListedRoute, Listing, type PagedKind } from './listing.ts';

export interface ViewOptions {
  pageSize: number;
  timing: Timing;
  log: Log;
}

interface Current {
  listing: Listing;
  /** From when using the list may refetch it from an upstream, on the clock of `performance.now()`. */
  touchAt: number;
}

type Found = Omit<Route, 'entry'>;

/** Whether a server's instructions may be passed on. */
export type ShowsInstructions = (member: ViewMember, text: string) => boolean;

/** Lets everything through. */
const EVERYTHING: VisibilityFilter = { reaches: () => true, knows: () => true, knowsUri: () => true };

export abstract class CatalogView implements Omit<View, 'restricted'> {
  abstract readonly id: string;
  abstract readonly server: string | undefined;
  readonly options: ViewOptions;
  readonly #current = new Map<CatalogKind, Current>();
  readonly #bytesChanged: ChangeNotifier;
  readonly #routesChanged: ChangeNotifier;

  constructor(options: ViewOptions) {
    this.options = options;
    const notifier = (differ: (before: Listing, after: Listing) => boolean): ChangeNotifier =>
      new ChangeNotifier({ listing: (kind) => this.listing(kind), differ, log: options.log });
    this.#bytesChanged = notifier((before, after) => !before.hasSameBytes(after));
    this.#routesChanged = notifier((before, after) => !before.hasSameRoutes(after));
  }

  /** The members whose entries are listed, in order. */
  abstract members(): readonly ViewMember[];
  abstract freshnessOf(members: readonly ViewMember[], kind: CatalogKind): Freshness;
  abstract capabilitiesOf(members: readonly ViewMember[], era: Era): JsonObject;
  /** Leaves out instructions of servers that `shown` rejects. */
  abstract instructionsOf(members: readonly ViewMember[], shown?: ShowsInstructions): string | undefined;
  abstract serverInfoOf(members: readonly ViewMember[]): JsonObject;
  /** {@link View.resolveUri}, as far as the filter lets through. */
  abstract findUri(uri: string, filter: VisibilityFilter): Found | undefined;
  protected abstract list(kind: CatalogKind): ListedRoute[];
  abstract reaches(member: Member): boolean;
  abstract exposeUri(member: Member, uri: string): string;
  abstract resolveTask(taskId: string): { member: Member; original: string } | undefined;
  abstract exposeTask(member: Member, taskId: string): string;

  page(kind: PagedKind, era: Era, cursor: string | undefined): ListPage {
    const listing = this.listing(kind);
    // Later pages belong to the list that the first one began.
    if (cursor === undefined) this.touch(kind);
    return listing.page(era, cursor);
  }

  routes(kind: CatalogKind): readonly Route[] {
    const { routes } = this.listing(kind);
    this.touch(kind);
    return routes;
  }

  resolve(kind: 'tools' | 'prompts' | 'agents', exposed: string): Route | undefined {
    return this.listing(kind).resolve(exposed);
  }

  resolveUri(uri: string): Found | undefined {
    return this.findUri(uri, EVERYTHING);
  }

  capabilities(era: Era): JsonObject {
    return this.capabilitiesOf(this.members(), era);
  }

  instructions(): string | undefined {
    return this.instructionsOf(this.members());
  }

  serverInfo(): JsonObject {
    return this.serverInfoOf(this.members());
  }

  onListChanged(listener: (kind: CatalogKind) => void): () => void {
    return this.#bytesChanged.add(listener);
  }

  /** Calls `listener` when the entries of a list or their names differ, even if its bytes do not. */
  onRoutesChanged(listener: (kind: CatalogKind) => void): () => void {
    return this.#routesChanged.add(listener);
  }

  get hasListeners(): boolean {
    return this.#bytesChanged.hasListeners || this.#routesChanged.hasListeners;
  }

  /** Drops the built lists of these kinds; they are built again on the next use, or before listeners are notified. */
  invalidate(kinds: readonly CatalogKind[] = CATALOG_KINDS): void {
    for (const kind of kinds) this.#current.delete(kind);
    this.#bytesChanged.changed(kinds);
    this.#routesChanged.changed(kinds);
  }

  close(): void {
    this.#bytesChanged.close();
    this.#routesChanged.close();
  }

  /** The current list: the same object until {@link invalidate}. */
  listing(kind: CatalogKind): Listing {
    return this.#currentOf(kind).listing;
  }

  /** Upstreams whose list is out of date are asked again in the background; what is known is served meanwhile. */
  touch(kind: CatalogKind): void {
    const current = this.#currentOf(kind);
    const now = performance.now();
    if (now < current.touchAt) return;
    current.touchAt = Math.min(...this.members().map((member) => member.touch(kind, now)));
  }

  /** Whether the entry of this exposed URI is known; undefined when no list has one. */
  protected listedUri(exposed: string, filter: VisibilityFilter): boolean | undefined {
    for (const kind of ['resources', 'templates'] as const) {
      const route = this.listing(kind).resolve(exposed);
      if (route) return filter.knows(kind, route.member, route.entry, exposed);
    }
    return undefined;
  }

  protected route(member: ViewMember, entry: Entry, exposed: string, bytes: Buffer): ListedRoute {
    return { member, exposed, original: entry.key, entry, bytes };
  }

  #currentOf(kind: CatalogKind): Current {
    let current = this.#current.get(kind);
    if (!current) {
      const members = this.members();
      const listing = new Listing(kind, this.list(kind), {
        pageSize: this.options.pageSize,
        freshness: this.freshnessOf(members, kind),
        serverInfo: this.serverInfoOf(members),
      });
      current = { listing, touchAt: 0 };
      this.#current.set(kind, current);
    }
    return current;
  }
}
