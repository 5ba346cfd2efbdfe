/**
 * Everything of every server under prefixed names: what `/mcp` shows.
 * @module
 */
import type { CatalogKind } from '../../adapters/adapter.ts';
import type { Era } from '../wire/eras.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { mergedCapabilities } from './capabilities.ts';
import { EntryBytes } from './entry-bytes.ts';
import type { ViewMember } from './facts.ts';
import { mergedFreshness } from './freshness.ts';
import { mergedInstructions } from './instructions.ts';
import type { Freshness, ListedRoute } from './listing.ts';
import { Merge } from './merge.ts';
import { OriginalUris } from './original-uris.ts';
import { PRODUCT } from './product.ts';
import { exposeTask, splitTask } from './task-ids.ts';
import type { Member, Route } from './types.ts';
import { splitUri } from './uris.ts';
import { CatalogView, type ViewOptions } from './view.ts';

export class MergedView extends CatalogView {
  readonly id = 'all';
  readonly server = undefined;
  readonly #source: () => readonly ViewMember[];
  readonly #merge: Merge;
  readonly #bytes = new EntryBytes();
  #uris: { originals: OriginalUris; byLabel: ReadonlyMap<string, ViewMember> } | undefined;

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

  /**
   * A URI that begins with a server's part leads to that server, listed or not: results hold links to resources that no
   * list has. It comes before original URIs, so that no server can claim another one's.
   */
  resolveUri(uri: string): Omit<Route, 'entry'> | undefined {
    const { originals, byLabel } = this.#uriIndex();
    const split = splitUri(uri);
    // Clients that parse URIs write schemes in lower case (RFC 3986, 3.1).
    const labelled = split && (byLabel.get(split.label) ?? byLabel.get(split.label.toLowerCase()));
    if (split && labelled) return { member: labelled, exposed: uri, original: split.original };
    const owner = originals.owner(uri);
    return owner && { member: owner, exposed: uri, original: uri };
  }

  exposeUri(member: Member, uri: string): string {
    return this.#merge.exposeUri(member as ViewMember, uri);
  }

  /** By the server's part alone, spelled exactly as it was given out: nobody but the gateway makes these. */
  resolveTask(taskId: string): { member: Member; original: string } | undefined {
    const split = splitTask(taskId);
    const member = split && this.#uriIndex().byLabel.get(split.label);
    if (!split || !member || this.#merge.label(member.name) !== split.label) return undefined;
    return { member, original: split.original };
  }

  exposeTask(member: Member, taskId: string): string {
    return member.builtin ? taskId : exposeTask(this.#merge.label(member.name), taskId);
  }

  capabilities(era: Era): JsonObject {
    return mergedCapabilities(this.members(), era);
  }

  instructions(): string {
    return mergedInstructions(this.members());
  }

  serverInfo(): JsonObject {
    return PRODUCT;
  }

  protected members(): readonly ViewMember[] {
    return this.#source();
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

  protected freshness(kind: CatalogKind): Freshness {
    return mergedFreshness(this.members(), kind, this.options.timing);
  }

  #uriIndex() {
    if (!this.#uris) {
      const members = this.members();
      const byLabel = new Map<string, ViewMember>();
      const servers = members.filter((member) => !member.builtin);
      // Exact spellings last: they win over the lower-case form of another.
      for (const member of servers.toReversed()) byLabel.set(this.#merge.label(member.name).toLowerCase(), member);
      for (const member of servers) byLabel.set(this.#merge.label(member.name), member);
      this.#uris = { originals: new OriginalUris(members), byLabel };
    }
    return this.#uris;
  }
}
