/**
 * The view at `/mcp`: the entries of all servers under prefixed names.
 * @module
 */

import { PRODUCT } from '../../core/product.ts';
import type { CatalogKind } from '../../core/upstream.ts';
import type { Era } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { ViewMember } from '../members/facts.ts';
import { EntryBytes } from '../names/entry-bytes.ts';
import { Merge } from '../names/merge.ts';
import { OriginalUris } from '../names/original-uris.ts';
import { exposeTask, splitTask, splitUri } from '../names/uris.ts';
import type { Member, Route, VisibilityFilter } from '../types.ts';
import { mergedCapabilities } from './capabilities.ts';
import { type Freshness, mergedFreshness } from './freshness.ts';
import { mergedInstructions } from './instructions.ts';
import type { ListedRoute } from './listing.ts';
import { RestrictableView } from './restricted-view.ts';
import type { ShowsInstructions, ViewOptions } from './view.ts';

interface UriIndex {
  originals: OriginalUris;
  /** Servers by their label in URIs. */
  byLabel: ReadonlyMap<string, ViewMember>;
  byLowerLabel: ReadonlyMap<string, readonly ViewMember[]>;
}

const isLower = (text: string): boolean => text === text.toLowerCase();

export class MergedView extends RestrictableView {
  readonly id = 'all';
  readonly server = undefined;
  readonly #source: () => readonly ViewMember[];
  readonly #merge: Merge;
  readonly #bytes = new EntryBytes();
  #uris: UriIndex | undefined;

  /** `members`: those in the federation now, in list order. */
  constructor(members: () => readonly ViewMember[], options: ViewOptions) {
    super(options);
    this.#source = members;
    this.#merge = new Merge(options.log);
  }

  override invalidate(kinds?: readonly CatalogKind[]): void {
    if (!kinds || kinds.includes('resources') || kinds.includes('templates')) this.#uris = undefined;
    super.invalidate(kinds);
  }

  reaches(_member: Member): boolean {
    return true;
  }

  /**
   * A URI that begins with a server's label leads to that server, listed or not: results hold links to resources that no
   * list has. Labels come before original URIs, so that no server can claim another one's.
   */
  findUri(uri: string, filter: VisibilityFilter): Omit<Route, 'entry'> | undefined {
    const split = splitUri(uri);
    const labelled = split && this.#labelled(split.label, filter);
    if (split && labelled) {
      const { original } = split;
      // Not by `uri`: the client may have written the label in lower case.
      const known = this.listedUri(this.exposeUri(labelled, original), filter);
      return (known ?? filter.knowsUri(labelled, original)) ? { member: labelled, exposed: uri, original } : undefined;
    }
    const owner = this.#uriIndex().originals.owner(
      uri,
      (kind, member, entry) =>
        filter.reaches(member) &&
        filter.knows(kind, member, entry, this.exposeUri(member, entry.key)) &&
        (kind === 'resources' || filter.knowsUri(member, uri)),
    );
    return owner && { member: owner, exposed: uri, original: uri };
  }

  exposeUri(member: Member, uri: string): string {
    return this.#merge.exposeUri(member as ViewMember, uri);
  }

  /** By the exact label alone: only the gateway makes these ids. */
  resolveTask(taskId: string): { member: Member; original: string } | undefined {
    const split = splitTask(taskId);
    const member = split && this.#uriIndex().byLabel.get(split.label);
    if (!split || !member) return undefined;
    return { member, original: split.original };
  }

  exposeTask(member: Member, taskId: string): string {
    return member.builtin ? taskId : exposeTask(this.#merge.label(member.name), taskId);
  }

  members(): readonly ViewMember[] {
    return this.#source();
  }

  freshnessOf(members: readonly ViewMember[], kind: CatalogKind): Freshness {
    return mergedFreshness(members, kind, this.options.timing);
  }

  capabilitiesOf(members: readonly ViewMember[], era: Era): JsonObject {
    return mergedCapabilities(members, era);
  }

  instructionsOf(members: readonly ViewMember[], shown?: ShowsInstructions): string {
    return mergedInstructions(members, shown);
  }

  serverInfoOf(): JsonObject {
    return PRODUCT;
  }

  protected list(kind: CatalogKind): ListedRoute[] {
    return this.#merge.named(this.members(), kind).map(({ member, entry, exposed }) =>
      this.route(
        member,
        entry,
        exposed,
        this.#bytes.get(kind, entry, exposed, (uri) => this.exposeUri(member, uri)),
      ),
    );
  }

  /** The server of a label. A server that the filter does not reach does not shadow another. */
  #labelled(label: string, filter: VisibilityFilter): ViewMember | undefined {
    const { byLabel, byLowerLabel } = this.#uriIndex();
    const exact = byLabel.get(label);
    if (exact && filter.reaches(exact)) return exact;
    // Clients that parse URIs write schemes in lower case (RFC 3986, 3.1).
    return byLowerLabel.get(label.toLowerCase())?.find((member) => filter.reaches(member));
  }

  #uriIndex(): UriIndex {
    if (!this.#uris) {
      const members = this.members();
      const servers = members.filter((member) => !member.builtin);
      const label = (member: ViewMember): string => this.#merge.label(member.name);
      // Exact spellings come before the lower-case forms of others.
      const lowerFirst = servers.toSorted((a, b) => Number(isLower(label(b))) - Number(isLower(label(a))));
      this.#uris = {
        originals: new OriginalUris(members),
        byLabel: new Map(servers.map((member) => [label(member), member])),
        byLowerLabel: Map.groupBy(lowerFirst, (member) => label(member).toLowerCase()),
      };
    }
    return this.#uris;
  }
}
