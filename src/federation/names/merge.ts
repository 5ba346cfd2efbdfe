/**
 * Which server gets which exposed name in the merged view.
 *
 * Names depend on their own server only, so the order matters just where the configuration makes servers share a
 * namespace or have none: the gateway's own tools come first, then prefixed names, then bare ones, each in configuration
 * order. Whoever comes later is exposed under a longer name that nobody else has, and nothing is dropped.
 * @module
 */

import type { Log } from '../../core/log.ts';
import type { CatalogKind, Entry } from '../../core/upstream.ts';
import type { ViewMember } from '../members/facts.ts';
import { exposedName, nameCandidates } from './naming.ts';
import { exposeUri, uriLabel } from './uris.ts';

export interface Named {
  member: ViewMember;
  entry: Entry;
  exposed: string;
}

/** Collisions that are remembered, so that each is reported once. */
const MAX_REPORTED = 1_000;

export class Merge {
  readonly #log: Log;
  readonly #reported = new Set<string>();
  readonly #labels = new Map<string, string>();
  /** Hashing is the dear part of naming, and lists are merged often. */
  readonly #names = new WeakMap<Entry, string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** In list order: the members' order, then each upstream's own. */
  named(members: readonly ViewMember[], kind: CatalogKind): Named[] {
    return kind === 'resources' || kind === 'templates' ? this.#byUri(members, kind) : this.#byName(members, kind);
  }

  /** A server's part in its URIs. */
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
    for (const member of inOrderOfClaim(members)) {
      const mine = member
        .catalog(kind)
        .entries.map((entry) => ({ member, entry, exposed: this.#wanted(member, entry) }));
      named.set(member, mine);
      for (const each of mine) {
        if (owners.has(each.exposed)) late.push(each);
        else owners.set(each.exposed, member);
      }
    }
    // Only now, so that no way out takes a name that is somebody's own.
    for (const each of late) this.#makeWay(each, owners, kind);
    return members.flatMap((member) => named.get(member) ?? []);
  }

  #wanted({ name, config, builtin }: ViewMember, entry: Entry): string {
    if (builtin) return entry.key;
    let wanted = this.#names.get(entry);
    if (wanted === undefined) {
      wanted = exposedName(config.namespace, name, entry.key);
      this.#names.set(entry, wanted);
    }
    return wanted;
  }

  #makeWay(named: Named, owners: Map<string, ViewMember>, kind: CatalogKind): void {
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
