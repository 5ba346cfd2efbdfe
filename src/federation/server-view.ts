/**
 * One server under its own names: what `/servers/<name>/mcp` shows. Names, URIs, identity and instructions are the
 * upstream's; policy and queue are the gateway's. The view outlives a restart of its server.
 * @module
 */
import type { CatalogKind } from '../../adapters/adapter.ts';
import type { Era } from '../wire/eras.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { serverCapabilities } from './capabilities.ts';
import { entryBytes } from './entry-bytes.ts';
import type { ViewMember } from './facts.ts';
import { freshnessOf } from './freshness.ts';
import type { Freshness, ListedRoute } from './listing.ts';
import { PRODUCT } from './product.ts';
import type { Member, Route } from './types.ts';
import { CatalogView, type ViewOptions } from './view.ts';

export class ServerView extends CatalogView {
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

  /** Every URI is the server's to judge: it may read what it does not list, and its own errors are the right ones. */
  resolveUri(uri: string): Omit<Route, 'entry'> | undefined {
    const member = this.#source();
    return member && { member, exposed: uri, original: uri };
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

  capabilities(era: Era): JsonObject {
    return serverCapabilities(this.#source()?.facts, era);
  }

  instructions(): string | undefined {
    return this.#source()?.facts?.instructions;
  }

  serverInfo(): JsonObject {
    return this.#source()?.facts?.serverInfo ?? PRODUCT;
  }

  protected members(): readonly ViewMember[] {
    const member = this.#source();
    return member ? [member] : [];
  }

  protected list(kind: CatalogKind): ListedRoute[] {
    return this.members().flatMap((member) =>
      member
        .catalog(kind)
        .entries.map((entry) => this.route(member, entry, entry.key, entryBytes(kind, entry, entry.key))),
    );
  }

  protected freshness(kind: CatalogKind): Freshness {
    return freshnessOf(this.#source(), kind, this.options.timing);
  }
}
