/**
 * Tells listeners which lists are others than they were when the listeners last heard of them: once for whatever
 * happened in one turn of the event loop, and not at all when nothing came of it.
 * @module
 */

import { batchNextTick } from '../../core/batch-next-tick.ts';
import { Listeners } from '../../core/listeners.ts';
import type { Log } from '../../core/log.ts';
import { CATALOG_KINDS, type CatalogKind } from '../../core/upstream.ts';
import type { Listing } from './listing.ts';

export interface AnnouncerOptions {
  /** The list of this kind now; undefined while that cannot be said. */
  listing(kind: CatalogKind): Listing | undefined;
  differ(before: Listing, after: Listing): boolean;
  log: Log;
}

export class ChangeNotifier {
  readonly #options: AnnouncerOptions;
  /** The lists as listeners know them. Held only while there are listeners. */
  readonly #announced = new Map<CatalogKind, Listing>();
  readonly #listeners: Listeners<[CatalogKind]>;
  readonly #changed = new Set<CatalogKind>();
  #due = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#listeners = new Listeners(options.log);
  }

  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  add(listener: (kind: CatalogKind) => void): () => void {
    if (!this.isHeard) {
      // From now on changes are seen relative to what there is now.
      for (const kind of CATALOG_KINDS) this.#look(kind);
      this.#changed.clear();
    }
    const stop = this.#listeners.add(listener);
    return () => {
      stop();
      if (!this.isHeard) this.#announced.clear();
    };
  }

  /** These lists may be others now. */
  changed(kinds: readonly CatalogKind[]): void {
    if (!this.isHeard) return;
    for (const kind of kinds) this.#changed.add(kind);
    if (this.#due) return;
    this.#due = true;
    batchNextTick(() => this.#announce());
  }

  close(): void {
    this.#listeners.clear();
    this.#announced.clear();
  }

  #announce(): void {
    this.#due = false;
    const kinds = [...this.#changed];
    this.#changed.clear();
    if (!this.isHeard) return;
    for (const kind of kinds) {
      try {
        const before = this.#announced.get(kind);
        const after = this.#look(kind);
        if (before && after && before !== after && this.#options.differ(before, after)) this.#listeners.emit(kind);
      } catch (error) {
        // A filter may fail, and nobody waits for this who could be told.
        this.#options.log.error({ list: kind, err: error }, 'A list could not be looked at.');
      }
    }
  }

  #look(kind: CatalogKind): Listing | undefined {
    const listing = this.#options.listing(kind);
    if (listing) this.#announced.set(kind, listing);
    return listing;
  }
}
