/**
 * Assigns the exposed names of the merged view.
 *
 * A name depends on its own server only, unless servers are configured to share a namespace or to have none. Then builtin
 * tools come first, prefixed names next and bare names last, each in the order of the configuration. A later entry with a
 * name that is taken is exposed under a longer, unique name; no entry is dropped.
 * @module
 */

import type { Log } from '../../core/log.ts';
import type { CatalogKind, Entry } from '../../core/upstream.ts';
import { listedEntries, type ViewMember } from '../members/facts.ts';
import { exposedName, nameCandidates } from './naming.ts';
import { exposeUri, uriLabel } from './uris.ts';

export interface Named {
  member: ViewMember;
  entry: Entry;
  exposed: string;
}

/** Collisions that are remembered, so that each is logged once. */
const MAX_REPORTED = 1_000;

export class Merge {
  readonly #log: Log;
  readonly #reported = new Set<string>();
  readonly #labels = new Map<string, string>();
  /** Exposed names by entry: making one hashes, and lists are merged often. */
  readonly #names = new WeakMap<Entry, string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** In list order: the members' order, then each upstream's own. */
  named(members: readonly ViewMember[], kind: CatalogKind): Named[] {
    return kind === 'resources' || kind === 'templates' ? this.#byUri(members, kind) : this.#byName(members, kind);
  }

  /** The server's label in URIs and task ids. */
  label(server: string): string {
    let label = this.#labels.get(server);
    if (label === undefined) {
      label = uriLabel(server);
      this.#labels.set(server, label);
    }
    return label;
  }

  exposeUri(member: ViewMember, uri: string): string {
    return member.builtin ? uri : exposeUri(this.label(member.name), uri);
  }

  #byUri(members: readonly ViewMember[], kind: CatalogKind): Named[] {
    return members.flatMap((member) =>
      member.catalog(kind).entries.map((entry) => ({ member, entry, exposed: this.exposeUri(member, entry.key) })),
    );
  }

  #byName(members: readonly ViewMember[], kind: CatalogKind): Named[] {
    const owners = new Map<string, ViewMember>();
    const late: Named[] = [];
    const named = new Map<ViewMember, Named[]>();
    const claim = (each: Named): void => {
      if (owners.has(each.exposed)) late.push(each);
      else owners.set(each.exposed, each.member);
    };
    const ofAgents: Named[] = [];
    for (const member of inOrderOfClaim(members)) {
      const mine = listedEntries(member, kind).map((entry) => ({
        member,
        entry,
        exposed: this.#firstChoice(member, entry),
      }));
      named.set(member, mine);
      for (const each of mine) {
        // A tool that stands for an agent takes no name from a server's own tool.
        if (each.entry.agent) ofAgents.push(each);
        else claim(each);
      }
    }
    for (const each of ofAgents) claim(each);
    // After all others, so that no longer name takes another entry's first choice.
    for (const each of late) this.#rename(each, owners, kind);
    return members.flatMap((member) => named.get(member) ?? []);
  }

  #firstChoice({ name, config, builtin }: ViewMember, entry: Entry): string {
    if (builtin) return entry.key;
    let wanted = this.#names.get(entry);
    if (wanted === undefined) {
      wanted = exposedName(config.namespace, name, entry.key);
      this.#names.set(entry, wanted);
    }
    return wanted;
  }

  #rename(named: Named, owners: Map<string, ViewMember>, kind: CatalogKind): void {
    const { member, entry, exposed: wanted } = named;
    const owner = owners.get(wanted);
    for (const candidate of nameCandidates(member.config.namespace, member.name, entry.key)) {
      named.exposed = candidate;
      if (!owners.has(candidate)) break;
    }
    owners.set(named.exposed, member);
    this.#report({ kind, name: wanted, owner: owner?.name, server: member.name, exposed: named.exposed });
  }

  #report(fields: {
    kind: CatalogKind;
    name: string;
    owner: string | undefined;
    server: string;
    exposed: string;
  }): void {
    const key = JSON.stringify(fields);
    if (this.#reported.has(key) || this.#reported.size >= MAX_REPORTED) return;
    this.#reported.add(key);
    this.#log.warn(
      fields,
      'Two servers offer the same name under one prefix or none; the later one has a longer name.',
    );
  }
}

function inOrderOfClaim(members: readonly ViewMember[]): ViewMember[] {
  const rank = ({ builtin, config }: ViewMember): number => (builtin ? 0 : config.namespace === false ? 2 : 1);
  return members.toSorted((a, b) => rank(a) - rank(b));
}
