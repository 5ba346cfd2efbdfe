/**
 * How long and by whom a list may be kept: what upstreams state, merged so that no client keeps a list longer, or shares
 * it with more callers, than any of the servers in it allows.
 * @module
 */
import type { CatalogKind } from '../../core/upstream.ts';
import { CAPABILITY } from '../members/catalogs.ts';
import type { ViewMember } from '../members/facts.ts';
import type { Timing } from '../members/timing.ts';

/** What a modern list says about how long and by whom it may be kept (2026-07-28 server/utilities/caching). */
export interface Freshness {
  ttlMs: number;
  cacheScope: 'public' | 'private';
}

/** One server's own list: its own values, and the cautious defaults where it states none (2025 and older cannot). */
export function freshnessOf(member: ViewMember | undefined, kind: CatalogKind, timing: Timing): Freshness {
  const { ttlMs, cacheScope } = member?.catalog(kind) ?? {};
  return { ttlMs: whole(ttlMs ?? timing.listTtlMs), cacheScope: cacheScope ?? 'private' };
}

/**
 * The shortest of all, private if any is. Servers that have no such list have no say; one that is away may come back
 * with one any moment, so the list is then kept briefly.
 */
export function mergedFreshness(members: readonly ViewMember[], kind: CatalogKind, timing: Timing): Freshness {
  const servers = members.filter((member) => !member.builtin);
  const someAway = servers.some((member) => !member.upstream && member.state !== 'stopped');
  const stated = servers.filter((member) => offers(member, kind)).map((member) => freshnessOf(member, kind, timing));
  const ttls = stated.length > 0 ? stated.map(({ ttlMs }) => ttlMs) : [timing.listTtlMs];
  if (someAway) ttls.push(timing.awayTtlMs);
  return {
    ttlMs: Math.min(...ttls),
    cacheScope: stated.length > 0 && stated.every(({ cacheScope }) => cacheScope === 'public') ? 'public' : 'private',
  };
}

const offers = (member: ViewMember, kind: CatalogKind): boolean =>
  member.facts?.capabilities[CAPABILITY[kind]] !== undefined || member.catalog(kind).entries.length > 0;

/** Upstreams are believed, but what goes out is an integer that is not negative. */
const whole = (ms: number): number => (ms > 0 && Number.isFinite(ms) ? Math.floor(ms) : 0);
