/**
 * Notifies listeners which lists differ from those they were last notified of: once for all changes within one turn of
 * the event loop, and not at all when a list is equal again.
 * @module
 */

import { batchNextTick } from '../../core/batch-next-tick.ts';
import { Listeners } from '../../core/listeners.ts';
import type { Log } from '../../core/log.ts';
import { CATALOG_KINDS, type CatalogKind } from '../../core/upstream.ts';
import type { Listing } from './listing.ts';

interface ChangeNotifierOptions {
  /** The current list of this kind; undefined while it is not known. */
  listing(kind: CatalogKind): Listing | undefined;
  differ(before: Listing, after: Listing): boolean;
  log: Log;
}

export class ChangeNotifier {
  readonly #options: ChangeNotifierOptions;
  /** The lists listeners were last notified of. Held only while there are listeners. */
  readonly #notified = new Map<CatalogKind, Listing>();
  readonly #listeners: Listeners<[CatalogKind]>;
  readonly #changed = new Set<CatalogKind>();
  #due = false;

  constructor(options: ChangeNotifierOptions) {
    this.#options = options;
    this.#listeners = new Listeners(options.log);
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  add(listener: (kind: CatalogKind) => void): () => void {
    if (!this.hasListeners) {
      // Changes count from the lists of this moment.
      for (const kind of CATALOG_KINDS) this.#read(kind);
      this.#changed.clear();
    }
    const stop = this.#listeners.add(listener);
    return () => {
      stop();
      if (!this.hasListeners) this.#notified.clear();
    };
  }

  /** Call when these lists may have changed. */
  changed(kinds: readonly CatalogKind[]): void {
    if (!this.hasListeners) return;
    for (const kind of kinds) this.#changed.add(kind);
    if (this.#due) return;
    this.#due = true;
    batchNextTick(() => this.#notify());
  }

  close(): void {
    this.#listeners.clear();
    this.#notified.clear();
  }

  #notify(): void {
    this.#due = false;
    const kinds = [...this.#changed];
    this.#changed.clear();
    if (!this.hasListeners) return;
    for (const kind of kinds) {
      try {
        const before = this.#notified.get(kind);
        const after = this.#read(kind);
        if (before && after && before !== after && this.#options.differ(before, after)) this.#listeners.emit(kind);
      } catch (error) {
        // A filter may throw, and this has no caller to receive the error.
        this.#options.log.error({ list: kind, err: error }, 'A list could not be built.');
      }
    }
  }

  #read(kind: CatalogKind): Listing | undefined {
    const listing = this.#options.listing(kind);
    if (listing) this.#notified.set(kind, listing);
    return listing;
  }
}
