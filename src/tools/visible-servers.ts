/**
 * The federation as the caller of a builtin tool may know it. A server outside it looks like one that does not exist: in
 * lists, by name, in hints and in counts.
 * @module
 */
import { CATALOG_KINDS, type CatalogKind } from '../core/upstream.ts';
import type { Federation, Member, Patience, Route, ServerStatus, View, Waiter } from '../federation/types.ts';

export class VisibleServers {
  readonly #federation: Federation;
  readonly #view: View;
  readonly #caller: Waiter;

  /** `view`: everything, as the caller may know it. */
  constructor(federation: Federation, view: View, caller: Waiter) {
    this.#federation = federation;
    this.#view = view;
    this.#caller = caller;
  }

  /**
   * Resolves when the servers that count have connected or failed for the first time, or when the time of `patience` is over.
   * Undefined: there is nothing to wait for.
   */
  whenSettled(patience: Patience, counts: (member: Member) => boolean = () => true): Promise<void> | undefined {
    if (!this.#federation.settling) return undefined;
    const isAwaited = (member: Member): boolean => this.mayReach(member) && counts(member);
    return this.#federation.whenSettled(isAwaited, patience, this.#caller);
  }

  /** Whether the caller may turn out to see something of a server that has listed nothing yet. */
  mayReach(member: Member): boolean {
    return this.#view.mayReach?.(member) ?? this.#view.reaches(member);
  }

  /** Servers that are connecting for the first time, as far as the caller may see them once they have. */
  settling(): readonly Member[] {
    return this.#federation.members().filter((member) => !member.builtin && member.settling && this.mayReach(member));
  }

  /** Whether the caller may know everything. */
  get isWhole(): boolean {
    return this.#view === this.#federation.all;
  }

  reaches(member: Member): boolean {
    return this.#view.reaches(member);
  }

  /** The servers, in list order, without the gateway itself. */
  servers(): readonly Member[] {
    return this.#federation.members().filter((member) => !member.builtin && this.reaches(member));
  }

  server(name: string): Member | undefined {
    const member = this.#federation.member(name);
    return member && !member.builtin && this.reaches(member) ? member : undefined;
  }

  /** What lists show. A promise only where policy has to look at something first. */
  routes(kind: CatalogKind): readonly Route[] | Promise<readonly Route[]> {
    const preparing = this.#view.prepare?.(kind);
    return preparing ? preparing.then(() => this.#view.routes(kind)) : this.#view.routes(kind);
  }

  /** Agents that the caller may know, but that no list shows. */
  async unlistedAgents(): Promise<Route[]> {
    if (this.isWhole) return [];
    const listed = new Set((await this.routes('agents')).map(({ exposed }) => exposed));
    return this.#federation.all
      .routes('agents')
      .filter(({ exposed }) => !listed.has(exposed) && this.#view.resolve('agents', exposed) !== undefined);
  }

  /** The status of each server, with counts of what the caller sees of it. */
  async statuses(servers: readonly Member[]): Promise<ServerStatus[]> {
    const counts = await Promise.all(CATALOG_KINDS.map(async (kind) => [kind, await this.#counts(kind)] as const));
    return servers.map((server) => {
      const { skipped, ...status } = server.status();
      const seen = counts.map(([kind, byServer]) => [kind, byServer.get(server) ?? 0] as const);
      return {
        ...status,
        counts: Object.fromEntries(seen) as ServerStatus['counts'],
        // No policy can be asked about an entry that is in no list.
        ...(skipped && this.isWhole ? { skipped } : {}),
        stale: status.stale && seen.some(([, count]) => count > 0),
      };
    });
  }

  async #counts(kind: CatalogKind): Promise<Map<Member, number>> {
    const counts = new Map<Member, number>();
    for (const { member, entry } of await this.routes(kind)) {
      // The tool of an agent is counted as the agent.
      if (!entry.agent) counts.set(member, (counts.get(member) ?? 0) + 1);
    }
    return counts;
  }
}
