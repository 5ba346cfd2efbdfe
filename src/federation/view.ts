/**
 * What the merged view and the views of single servers have in common: lists built when they are needed after a change,
 * served from bytes until the next one, and announced only when their bytes really changed.
 * @module
 */
import { CATALOG_KINDS, type CatalogKind, type Entry, type Log } from '../../adapters/adapter.ts';
import type { Era } from '../wire/eras.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import type { ViewMember } from './facts.ts';
import { Listeners } from './listeners.ts';
import { type Freshness, type ListedRoute, Listing, type PagedKind } from './listing.ts';
import type { Timing } from './timing.ts';
import type { ListPage, Member, Route, View } from './types.ts';

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

export abstract class CatalogView implements View {
  abstract readonly id: string;
  abstract readonly server: string | undefined;
  protected readonly options: ViewOptions;
  readonly #current = new Map<CatalogKind, Current>();
  /** The lists as listeners know them. */
  readonly #announced = new Map<CatalogKind, Listing>();
  readonly #listeners: Listeners<[CatalogKind]>;
  readonly #changed = new Set<CatalogKind>();
  #tick: NodeJS.Immediate | undefined;

  constructor(options: ViewOptions) {
    this.options = options;
    this.#listeners = new Listeners(options.log);
  }

  /** The members whose entries are listed, in order. */
  protected abstract members(): readonly ViewMember[];
  protected abstract list(kind: CatalogKind): ListedRoute[];
  protected abstract freshness(kind: CatalogKind): Freshness;
  abstract resolveUri(uri: string): Omit<Route, 'entry'> | undefined;
  abstract exposeUri(member: Member, uri: string): string;
  abstract resolveTask(taskId: string): { member: Member; original: string } | undefined;
  abstract exposeTask(member: Member, taskId: string): string;
  abstract capabilities(era: Era): JsonObject;
  abstract instructions(): string | undefined;
  abstract serverInfo(): JsonObject;

  page(kind: PagedKind, era: Era, cursor: string | undefined): ListPage {
    const { listing } = this.#currentOf(kind);
    // Later pages belong to the list that the first one began.
    if (cursor === undefined) this.#touch(kind);
    return listing.page(era, cursor);
  }

  routes(kind: CatalogKind): readonly Route[] {
    const { listing } = this.#currentOf(kind);
    this.#touch(kind);
    return listing.routes;
  }

  resolve(kind: 'tools' | 'prompts' | 'agents', exposed: string): Route | undefined {
    return this.#currentOf(kind).listing.resolve(exposed);
  }

  onListChanged(listener: (kind: CatalogKind) => void): () => void {
    if (this.#listeners.size === 0) {
      // From now on changes are seen relative to what there is now.
      for (const kind of CATALOG_KINDS) this.#announced.set(kind, this.listing(kind));
      this.#changed.clear();
    }
    return this.#listeners.add(listener);
  }

  /** Whether somebody holds this view and listens to it. */
  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  /** Something these lists are made of changed. They are built again when they are needed, at the latest this tick. */
  invalidate(kinds: readonly CatalogKind[] = CATALOG_KINDS): void {
    for (const kind of kinds) {
      this.#current.delete(kind);
      this.#changed.add(kind);
    }
    if (this.#listeners.size > 0) this.#tick ??= setImmediate(() => this.#announce());
  }

  close(): void {
    clearImmediate(this.#tick);
    this.#listeners.clear();
  }

  protected listing(kind: CatalogKind): Listing {
    return this.#currentOf(kind).listing;
  }

  protected route(member: ViewMember, entry: Entry, exposed: string, bytes: Buffer): ListedRoute {
    return { member, exposed, original: entry.key, entry, bytes };
  }

  #currentOf(kind: CatalogKind): Current {
    let current = this.#current.get(kind);
    if (!current) {
      const listing = new Listing(kind, this.list(kind), {
        pageSize: this.options.pageSize,
        freshness: this.freshness(kind),
        serverInfo: this.serverInfo(),
      });
      current = { listing, touchAt: 0 };
      this.#current.set(kind, current);
    }
    return current;
  }

  /** Upstreams whose list is out of date are asked again in the background; what is known is served meanwhile. */
  #touch(kind: CatalogKind): void {
    const current = this.#currentOf(kind);
    const now = performance.now();
    if (now < current.touchAt) return;
    current.touchAt = Math.min(...this.members().map((member) => member.touch(kind, now)));
  }

  #announce(): void {
    this.#tick = undefined;
    const kinds = [...this.#changed];
    this.#changed.clear();
    for (const kind of kinds) {
      const listing = this.listing(kind);
      const before = this.#announced.get(kind);
      this.#announced.set(kind, listing);
      if (before && !before.hasSameBytes(listing)) this.#listeners.emit(kind);
    }
  }
}
