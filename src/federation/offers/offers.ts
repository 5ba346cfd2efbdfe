/**
 * Views as clients with different capabilities see them. Most servers list the same to all: then every client has the same
 * view, and nothing is filtered.
 * @module
 */
import { featuresOf } from '../../core/client-features.ts';
import { LOCAL_IDENTITY } from '../../core/identity.ts';
import type { CatalogKind, Entry } from '../../core/upstream.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { FirstListLimits } from '../members/first-connections.ts';
import type { Member, View, ViewFilter, Waiter } from '../types.ts';
import type { CapabilityLists } from './capability-lists.ts';

/** A member whose server can be asked what it lists to which clients. */
export interface OfferingMember extends Member {
  readonly offers: CapabilityLists;
}

const offersOf = (member: Member): CapabilityLists | undefined => (member as Partial<OfferingMember>).offers;

export class Offers {
  readonly #members: () => readonly Member[];
  readonly #limits: FirstListLimits;
  /** Features of the gateway's own sessions: clients with these are shown the catalogs as they are. */
  readonly #everything: string;
  readonly #filters = new Map<string, FeatureFilter>();
  /** Questions that lists have waited for in vain: a server that does not answer delays no list twice. */
  readonly #late = new WeakSet<Promise<void>>();
  #varies = false;

  constructor(members: () => readonly Member[], limits: FirstListLimits, own: JsonObject) {
    this.#members = members;
    this.#limits = limits;
    this.#everything = featuresOf(own).key;
  }

  /** The view as clients with these capabilities see it now: the very same view where no server makes a difference. */
  viewFor(capabilities: JsonObject, view: View): View {
    if (!this.#varies) return view;
    return view.restricted(this.#filterOf(featuresOf(capabilities).key));
  }

  /** The view for what lasts: its list changes are reported also where servers make a difference only later. */
  lastingViewFor(capabilities: JsonObject, view: View): View {
    const { key } = featuresOf(capabilities);
    return key === this.#everything && !this.#varies ? view : view.restricted(this.#filterOf(key));
  }

  /**
   * Resolves when it is known what servers of this view list to clients with these capabilities, or when a list has waited
   * long enough; undefined when there is nothing to wait for. Never rejects.
   */
  prepare(capabilities: JsonObject, view: View, waiter: Waiter): Promise<void> | undefined {
    const features = featuresOf(capabilities);
    if (features.key === this.#everything) return undefined;
    const asking: Promise<void>[] = [];
    for (const member of this.#members()) {
      if (view.server !== undefined && view.server !== member.name) continue;
      const answer = view.reaches(member) ? offersOf(member)?.ask(features, waiter.identity.principal) : undefined;
      if (answer && !this.#late.has(answer)) asking.push(answer);
    }
    if (asking.length === 0) return undefined;
    const { httpMs, stdioMs } = this.#limits;
    const isStdio = waiter.identity === LOCAL_IDENTITY && waiter.inProcess !== true;
    const all = Promise.all(asking);
    return new Promise((resolve) => {
      const giveUp = (): void => {
        for (const each of asking) this.#late.add(each);
        resolve();
      };
      const timer = setTimeout(giveUp, isStdio ? stdioMs : httpMs);
      void all.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** What a server lists to clients with these features has changed. */
  changed(key: string): void {
    const differs = this.#members().some((member) => offersOf(member)?.varies);
    const all = differs !== this.#varies;
    this.#varies = differs;
    for (const [features, filter] of this.#filters) if (all || features === key) filter.changed();
  }

  #filterOf(key: string): FeatureFilter {
    let filter = this.#filters.get(key);
    if (!filter) {
      filter = new FeatureFilter(key);
      this.#filters.set(key, filter);
    }
    return filter;
  }
}

/** Hides what a server does not list to clients with one set of features. */
class FeatureFilter implements ViewFilter {
  readonly #key: string;
  readonly #listeners = new Set<() => void>();

  constructor(key: string) {
    this.#key = key;
  }

  changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  reaches(): boolean {
    return true;
  }

  knows(kind: CatalogKind, member: Member, { key }: Entry): boolean {
    return offersOf(member)?.shows(this.#key, kind, key) ?? true;
  }

  lists(): boolean {
    return true;
  }

  /** A URI that no list has is the server's to judge. */
  knowsUri(): boolean {
    return true;
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
