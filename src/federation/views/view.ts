/**
 * What the merged view and the views of single servers have in common: lists built when they are needed after a change,
 * served from bytes until the next one, and announced only when their bytes really changed.
 *
 * Whatever depends on the members is asked for a set of them, so that a restricted view (`restricted-view.ts`) has it of
 * those it reaches.
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
  /** When looking at the list may make an upstream list again, on the clock of `performance.now()`. */
  touchAt: number;
}

type Found = Omit<Route, 'entry'>;

/** Whether this text of a server may be passed on. */
export type ShowsInstructions = (member: ViewMember, text: string) => boolean;

/** The holder of the view itself may know of everything. */
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
    const announcer = (differ: (before: Listing, after: Listing) => boolean): ChangeNotifier =>
      new ChangeNotifier({ listing: (kind) => this.listing(kind), differ, log: options.log });
    this.#bytesChanged = announcer((before, after) => !before.hasSameBytes(after));
    this.#routesChanged = announcer((before, after) => !before.hasSameRoutes(after));
  }

  /** The members whose entries are listed, in order. */
  abstract members(): readonly ViewMember[];
  abstract freshnessOf(members: readonly ViewMember[], kind: CatalogKind): Freshness;
  abstract capabilitiesOf(members: readonly ViewMember[], era: Era): JsonObject;
  /** Without what servers say of themselves that is not `shown`. */
  abstract instructionsOf(members: readonly ViewMember[], shown?: ShowsInstructions): string | undefined;
  abstract serverInfoOf(members: readonly ViewMember[]): JsonObject;
  /** {@link View.resolveUri} for somebody who knows no more than this. */
  abstract findUri(uri: string, knowledge: VisibilityFilter): Found | undefined;
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

  /** Called when a list is of other entries, or under other names, than it was, whatever its bytes. */
  onRoutesChanged(listener: (kind: CatalogKind) => void): () => void {
    return this.#routesChanged.add(listener);
  }

  /** Whether somebody holds this view and listens to it. */
  get isHeard(): boolean {
    return this.#bytesChanged.isHeard || this.#routesChanged.isHeard;
  }

  /** Something these lists are made of changed. They are built again when they are needed, at the latest this tick. */
  invalidate(kinds: readonly CatalogKind[] = CATALOG_KINDS): void {
    for (const kind of kinds) this.#current.delete(kind);
    this.#bytesChanged.changed(kinds);
    this.#routesChanged.changed(kinds);
  }

  close(): void {
    this.#bytesChanged.close();
    this.#routesChanged.close();
  }

  /** The list as it is now: the same object until something it is made of changes. */
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
  protected listedUri(exposed: string, knowledge: VisibilityFilter): boolean | undefined {
    for (const kind of ['resources', 'templates'] as const) {
      const route = this.listing(kind).resolve(exposed);
      if (route) return knowledge.knows(kind, route.member, route.entry, exposed);
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
