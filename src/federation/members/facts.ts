/**
 * What a server declared when it was last connected, kept while it is away; and members as views need them.
 * @module
 */
import type { Adapter } from '../../core/adapter.ts';
import { CATALOG_KINDS, type CatalogKind, type Entry, type Upstream } from '../../core/upstream.ts';
import type { Implementation } from '../../wire/envelope.ts';
import type { Era } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { Member } from '../types.ts';

export interface Facts {
  readonly kind: string;
  readonly transport: string;
  readonly era: Era;
  readonly protocolVersion: string;
  readonly capabilities: JsonObject;
  readonly serverInfo: Implementation | undefined;
  readonly instructions: string | undefined;
}

export function factsOf(upstream: Upstream): Facts {
  const { kind, transport, era, protocolVersion, capabilities, serverInfo, instructions } = upstream;
  return { kind, transport, era, protocolVersion, capabilities, serverInfo, instructions };
}

/** A member as views need it. */
export interface ViewMember extends Member {
  /** Undefined until the server has been connected once. */
  readonly facts: Facts | undefined;
  /** Undefined for the builtin member, and until the kind of the server is known. */
  readonly adapter: Adapter | undefined;
  /** See `Catalogs.touch`. */
  touch(kind: CatalogKind, now: number): number;
}

/** What lists of a view show of a member: the server's own entries, and with its tools those that stand for its agents. */
export function listedEntries(member: ViewMember, kind: CatalogKind): readonly Entry[] {
  const { entries } = member.catalog(kind);
  const shown = kind === 'tools' ? member.agentTools?.().shown : undefined;
  return shown && shown.length > 0 ? [...entries, ...shown] : entries;
}

export function countsOf(member: Pick<Member, 'catalog'>): Record<CatalogKind, number> {
  const counts = {} as Record<CatalogKind, number>;
  for (const kind of CATALOG_KINDS) counts[kind] = member.catalog(kind).entries.length;
  return counts;
}
