/**
 * The view at `/servers/<name>/mcp`: one server with its own names, URIs, `serverInfo` and instructions. It outlives a
 * reconnect of its server.
 * @module
 */

import { PRODUCT } from '../../core/product.ts';
import type { CatalogKind } from '../../core/upstream.ts';
import type { Era } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { listedEntries, type ViewMember } from '../members/facts.ts';
import { entryBytes } from '../names/entry-bytes.ts';
import type { Member, Route, VisibilityFilter } from '../types.ts';
import { serverCapabilities } from './capabilities.ts';
import { type Freshness, freshnessOf } from './freshness.ts';
import type { ListedRoute } from './listing.ts';
import { RestrictableView } from './restricted-view.ts';
import type { ShowsInstructions, ViewOptions } from './view.ts';

export class ServerView extends RestrictableView {
  readonly id: string;
  readonly server: string;
  readonly #source: () => ViewMember | undefined;

  /** `member`: the server of this name now, or undefined once it has been removed. */
  constructor(server: string, member: () => ViewMember | undefined, options: ViewOptions) {
    super(options);
    this.id = server;
    this.server = server;
    this.#source = member;
  }

  reaches(member: Member): boolean {
    return !member.builtin && member.name === this.server;
  }

  /** Any URI goes to the server: it may have resources that it does not list, and its own errors are the right ones. */
  findUri(uri: string, filter: VisibilityFilter): Omit<Route, 'entry'> | undefined {
    const member = this.#source();
    if (!member || !filter.reaches(member)) return undefined;
    const known = this.listedUri(uri, filter) ?? filter.knowsUri(member, uri);
    return known ? { member, exposed: uri, original: uri } : undefined;
  }

  exposeUri(_member: Member, uri: string): string {
    return uri;
  }

  resolveTask(taskId: string): { member: Member; original: string } | undefined {
    const member = this.#source();
    return member && { member, original: taskId };
  }

  exposeTask(_member: Member, taskId: string): string {
    return taskId;
  }

  members(): readonly ViewMember[] {
    const member = this.#source();
    return member ? [member] : [];
  }

  freshnessOf([member]: readonly ViewMember[], kind: CatalogKind): Freshness {
    return freshnessOf(member, kind, this.options.timing);
  }

  capabilitiesOf([member]: readonly ViewMember[], era: Era): JsonObject {
    return serverCapabilities(member?.facts, era, member?.adapter?.agents !== undefined);
  }

  instructionsOf([member]: readonly ViewMember[], shown?: ShowsInstructions): string | undefined {
    const text = member?.facts?.instructions;
    return member && text !== undefined && shown?.(member, text) === false ? undefined : text;
  }

  serverInfoOf([member]: readonly ViewMember[]): JsonObject {
    return member?.facts?.serverInfo ?? PRODUCT;
  }

  protected list(kind: CatalogKind): ListedRoute[] {
    return this.members().flatMap((member) =>
      listedEntries(member, kind).map((entry) =>
        this.route(member, entry, entry.key, entryBytes(kind, entry, entry.key)),
      ),
    );
  }
}
