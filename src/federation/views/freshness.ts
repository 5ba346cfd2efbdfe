/**
 * `ttlMs` and `cacheScope` of lists: what upstreams state, merged so that no client caches a list longer, or shares it
 * with more callers, than every server in it allows.
 * @module
 */
import type { CatalogKind } from '../../core/upstream.ts';
import { CAPABILITY } from '../members/catalogs.ts';
import type { ViewMember } from '../members/facts.ts';
import type { Timing } from '../members/timing.ts';

/** How long, and by whom, a modern client may cache a list (2026-07-28 server/utilities/caching). */
export interface Freshness {
  ttlMs: number;
  cacheScope: 'public' | 'private';
}

/**
 * Of one server's list: the values it states, or cautious defaults (legacy servers state none). A list that is not known yet
 * is not fresh at all.
 */
export function freshnessOf(member: ViewMember | undefined, kind: CatalogKind, timing: Timing): Freshness {
  const { ttlMs, cacheScope } = member?.catalog(kind) ?? {};
  if (member?.settling) return { ttlMs: 0, cacheScope: cacheScope ?? 'private' };
  return { ttlMs: whole(ttlMs ?? timing.listTtlMs), cacheScope: cacheScope ?? 'private' };
}

/**
 * The shortest ttl of all servers that have the list, and private if any is. While a server is away the ttl is short,
 * because the list changes when it is connected again; while one is connecting for the first time the list is not fresh at all.
 */
export function mergedFreshness(members: readonly ViewMember[], kind: CatalogKind, timing: Timing): Freshness {
  const servers = members.filter((member) => !member.builtin);
  const someAway = servers.some((member) => !member.upstream && member.state !== 'stopped');
  const stated = servers.filter((member) => offers(member, kind)).map((member) => freshnessOf(member, kind, timing));
  const ttls = stated.length > 0 ? stated.map(({ ttlMs }) => ttlMs) : [timing.listTtlMs];
  if (someAway) ttls.push(timing.awayTtlMs);
  if (servers.some((member) => member.settling)) ttls.push(0);
  return {
    ttlMs: Math.min(...ttls),
    cacheScope: stated.length > 0 && stated.every(({ cacheScope }) => cacheScope === 'public') ? 'public' : 'private',
  };
}

const offers = (member: ViewMember, kind: CatalogKind): boolean =>
  member.facts?.capabilities[CAPABILITY[kind]] !== undefined || member.catalog(kind).entries.length > 0;

/** An upstream may state any number; clients get an integer that is not negative. */
const whole = (ms: number): number => (ms > 0 && Number.isFinite(ms) ? Math.floor(ms) : 0);
