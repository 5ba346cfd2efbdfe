/**
 * What one principal may know of, as views ask it. The same documents decide as for calls, so that a list never shows
 * what no call can reach, and never hides what one can.
 * @module
 */

import type { Identity } from '../../core/identity.ts';
import type { Catalog, CatalogKind, Entry } from '../../core/upstream.ts';
import { CATALOG_KINDS } from '../../core/upstream.ts';
import type { Member, Route, ViewFilter } from '../../federation/types.ts';
import type { ListedEntry } from '../../policy/hooks/listing.ts';
import type { PolicySection } from '../../policy/language/types.ts';
import type { Policy } from '../../policy/policy.ts';
import { HOOK_KIND } from './screening.ts';
import { subjectOf, subjectOfUri } from './subjects.ts';

const SECTION: Readonly<Record<CatalogKind, PolicySection>> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resources',
  agents: 'agents',
};

interface Reached {
  /** The lists the answer was found in: others may give another one. */
  lists: readonly Catalog[];
  reaches: boolean;
}

export class PrincipalFilter implements ViewFilter {
  readonly #policy: Policy;
  readonly #identity: Identity;
  readonly #listeners = new Set<() => void>();
  #reached = new WeakMap<Member, Reached>();

  /** Whoever holds it says when the policy has changed: the policy, which lives on, must not hold those that are gone. */
  constructor(policy: Policy, identity: Identity) {
    this.#policy = policy;
    this.#identity = identity;
  }

  policyChanged(): void {
    this.#reached = new WeakMap();
    for (const listener of [...this.#listeners]) listener();
  }

  /** A server of which nothing may be seen does not exist, nor do its name, its state and its instructions. */
  reaches(member: Member): boolean {
    if (!this.#policy.admitsServer(this.#identity.grant, member)) return false;
    const lists = CATALOG_KINDS.map((kind) => member.catalog(kind));
    const found = this.#reached.get(member);
    if (found?.lists.every((list, i) => list === lists[i])) return found.reaches;
    const reaches = this.#seesAnything(member, lists);
    this.#reached.set(member, { lists, reaches });
    return reaches;
  }

  knows(kind: CatalogKind, member: Member, entry: Entry): boolean {
    const policy = this.#policy;
    return (
      policy.admitsServer(this.#identity.grant, member) &&
      policy.admitsEntry(this.#identity, member, kind, listed(kind, { member, original: entry.key, entry })) &&
      this.#plan(kind, member, entry).knows
    );
  }

  lists(kind: CatalogKind, member: Member, entry: Entry): boolean {
    return this.#plan(kind, member, entry).lists;
  }

  knowsUri(member: Member, original: string): boolean {
    if (!this.#policy.admitsServer(this.#identity.grant, member)) return false;
    return this.#policy.planFor(this.#identity.grant, subjectOfUri(member, original)).knows;
  }

  /** What is said of the servers' own accord is pinned as their tools are. */
  showsInstructions(member: Member, text: string): boolean {
    return this.#policy.admitsInstructions(member, text);
  }

  prepare(kind: CatalogKind, routes: readonly Route[]): Promise<void> | undefined {
    return this.#policy.prepare(this.#identity, () => routes.map((route) => listed(kind, route)));
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #plan(kind: CatalogKind, member: Member, entry: Entry) {
    return this.#policy.planFor(this.#identity.grant, subjectOf(SECTION[kind], { member, original: entry.key, entry }));
  }

  /**
   * Hooks are not asked: they take their time, and what hides an entry is no reason why its server should not be there
   * before they have decided.
   */
  #seesAnything(member: Member, lists: readonly Catalog[]): boolean {
    const policy = this.#policy;
    if (policy.allowsByDefault(this.#identity.grant, member)) return true;
    return CATALOG_KINDS.some((kind, i) =>
      lists[i]?.entries.some(
        (entry) => this.lists(kind, member, entry) && policy.admitsDefinition(member, kind, entry),
      ),
    );
  }
}

/** An entry as hooks are told of it. */
export function listed(kind: CatalogKind, route: Omit<Route, 'exposed'>): ListedEntry {
  const section = SECTION[kind];
  const { server, name, namespaced } = subjectOf(section, route);
  return { server, kind: HOOK_KIND[section], name, namespaced, entry: route.entry };
}
