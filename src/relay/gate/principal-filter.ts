/**
 * Filters views for one principal: what of a catalog it may know. The same documents decide as for calls, so a list never
 * shows what no call can reach, and never hides what a call can.
 * @module
 */

import type { Identity } from '../../core/identity.ts';
import type { Catalog, CatalogKind, Entry } from '../../core/upstream.ts';
import { CATALOG_KINDS } from '../../core/upstream.ts';
import type { Member, Route, ViewFilter } from '../../federation/types.ts';
import { HOOK_KIND } from '../../policy/decision/screening.ts';
import type { ListedEntry } from '../../policy/hooks/listing.ts';
import type { PolicySection } from '../../policy/language/types.ts';
import type { Policy } from '../../policy/policy.ts';
import { subjectOf, subjectOfUri } from './subjects.ts';

const SECTION: Readonly<Record<CatalogKind, PolicySection>> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resources',
  agents: 'agents',
};

interface Reached {
  /** The catalogs it was computed from: it holds only for these. */
  lists: readonly Catalog[];
  reaches: boolean;
}

export class PrincipalFilter implements ViewFilter {
  readonly #policy: Policy;
  readonly #identity: Identity;
  readonly #listeners = new Set<() => void>();
  #reached = new WeakMap<Member, Reached>();

  constructor(policy: Policy, identity: Identity) {
    this.#policy = policy;
    this.#identity = identity;
  }

  /** The gate calls this. The policy outlives the filter and must not hold it as a listener. */
  policyChanged(): void {
    this.#reached = new WeakMap();
    for (const listener of [...this.#listeners]) listener();
  }

  /** A server with nothing to see does not exist for the principal, nor do its name, its state and its instructions. */
  reaches(member: Member): boolean {
    if (!this.#policy.admitsServer(this.#identity.grant, member)) return false;
    const lists = CATALOG_KINDS.map((kind) => member.catalog(kind));
    const found = this.#reached.get(member);
    if (found?.lists.every((list, i) => list === lists[i])) return found.reaches;
    const reaches = this.#seesAnything(member, lists);
    this.#reached.set(member, { lists, reaches });
    return reaches;
  }

  mayReach(member: Member): boolean {
    return this.#policy.admitsServer(this.#identity.grant, member);
  }

  knows(kind: CatalogKind, member: Member, entry: Entry): boolean {
    const policy = this.#policy;
    return (
      policy.admitsServer(this.#identity.grant, member) &&
      (!policy.examinesEntries || this.#admits(kind, member, entry)) &&
      this.#plan(kind, member, entry).knows
    );
  }

  #admits(kind: CatalogKind, member: Member, entry: Entry): boolean {
    return listedAs(kind, { member, original: entry.key, entry }).every((each) =>
      this.#policy.admitsEntry(this.#identity, member, each.kind === 'agent' ? 'agents' : kind, each),
    );
  }

  /** An entry that another token of the same holder could reach is listed: its client asks for the scope when it calls. */
  lists(kind: CatalogKind, member: Member, entry: Entry): boolean {
    const { scopes } = this.#identity;
    if (scopes && !scopes.canReach(subjectOf(SECTION[kind], { member, original: entry.key, entry }))) return false;
    return this.#plan(kind, member, entry).lists;
  }

  knowsUri(member: Member, original: string): boolean {
    if (!this.#policy.admitsServer(this.#identity.grant, member)) return false;
    return this.#policy.planFor(this.#identity.grant, subjectOfUri(member, original)).knows;
  }

  /** Instructions are pinned like tools. */
  showsInstructions(member: Member, text: string): boolean {
    return this.#policy.admitsInstructions(member, text);
  }

  prepare(kind: CatalogKind, routes: readonly Route[]): Promise<void> | undefined {
    return this.#policy.prepare(this.#identity, () => routes.flatMap((route) => listedAs(kind, route)));
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #plan(kind: CatalogKind, member: Member, entry: Entry) {
    return this.#policy.planFor(this.#identity.grant, subjectOf(SECTION[kind], { member, original: entry.key, entry }));
  }

  /** Hooks are not asked: they may need time, and a server exists before they have decided about its entries. */
  #seesAnything(member: Member, lists: readonly Catalog[]): boolean {
    const policy = this.#policy;
    if (!this.#identity.scopes && policy.allowsByDefault(this.#identity.grant, member)) return true;
    return CATALOG_KINDS.some((kind, i) =>
      lists[i]?.entries.some(
        (entry) => this.lists(kind, member, entry) && policy.admitsDefinition(member, kind, entry),
      ),
    );
  }
}

/** An entry as the inputs of `list.filter` hooks. An agent and its tool are shown to them as what each is, and need both. */
export function listedAs(kind: CatalogKind, route: Omit<Route, 'exposed'>): ListedEntry[] {
  const section = SECTION[kind];
  const { member, entry } = route;
  const { server, name, namespaced, tool } = subjectOf(section, route);
  const agent = kind === 'agents' ? entry : entry.agent;
  if (!agent) return [{ server, kind: HOOK_KIND[section], name, namespaced, entry }];
  const asTool = member.agentTools?.().byAgent.get(agent.key);
  return [
    { server, kind: HOOK_KIND.agents, name, namespaced, entry: agent },
    ...(tool && asTool
      ? [{ server, kind: HOOK_KIND.tools, name: tool.name, namespaced: tool.namespaced, entry: asTool }]
      : []),
  ];
}
