/**
 * `GET /admin/api/access`: who sees what: each server's tools as the local user and each grant see them.
 * `GET /admin/api/limits`: every limit with what is counted of it. `GET /admin/api/about`: where clients connect.
 * @module
 */
import { LOCAL_IDENTITY, LOCAL_PRINCIPAL } from '../../core/identity.ts';
import { PRODUCT } from '../../core/product.ts';
import type { CountInUse, LimitInUse } from '../../policy/counters/in-use.ts';
import { identityOf } from './calls.ts';
import type { AdminRoute, AdminSources } from './route.ts';
import type { PageSources } from './sources.ts';

/** Columns of the matrix. */
const MAX_GRANTS = 50;
const MAX_LIMITS = 200;
/** Of one limit. */
const MAX_COUNTS = 50;

export function accessRoutes({ connections }: AdminSources, pages: PageSources): AdminRoute[] {
  return [
    { method: 'GET', path: '/admin/api/access', handle: () => ({ json: access(pages) }) },
    { method: 'GET', path: '/admin/api/limits', handle: async () => ({ json: await limits(pages) }) },
    { method: 'GET', path: '/admin/api/about', handle: () => ({ json: about(pages, connections) }) },
  ];
}

export interface AccessJson {
  /** The local user has no name. */
  principals: { name: string | null; expires: string | null }[];
  moreGrants: number;
  rows: { server: string; tools: number; seen: number[] }[];
}

function access({ federation, gate, policy }: PageSources): AccessJson {
  const grants = policy.grants.slice(0, MAX_GRANTS);
  const principals = [
    { name: null, expires: null },
    ...grants.map(({ name, expiresAt }) => ({
      name,
      expires: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
    })),
  ];
  const counts = principals.map(({ name }) => {
    const seen = new Map<string, number>();
    for (const { member } of gate.viewFor(identityOf(name ?? undefined), federation.all).routes('tools')) {
      seen.set(member.name, (seen.get(member.name) ?? 0) + 1);
    }
    return seen;
  });
  const all = new Map<string, number>();
  for (const { member } of federation.all.routes('tools')) all.set(member.name, (all.get(member.name) ?? 0) + 1);
  const rows = federation.members().map(({ name }) => ({
    server: name,
    tools: all.get(name) ?? 0,
    seen: counts.map((seen) => seen.get(name) ?? 0),
  }));
  return { principals, moreGrants: policy.grants.length - grants.length, rows };
}

export interface LimitJson extends Omit<LimitInUse, 'counts'> {
  /** The fullest first. Null stands for everybody. */
  counts: { owner: string | null; used: number; resets: string }[];
  moreCounts: number;
}

export interface LimitsJson {
  /** Those that something is counted of come first. */
  limits: LimitJson[];
  total: number;
  /** False: there are more counters than are looked at. */
  isWhole: boolean;
}

async function limits({ federation, policy, calls }: PageSources): Promise<LimitsJson> {
  const withoutGrant = calls.list().flatMap(({ principal, grant }) => (grant === undefined ? [principal] : []));
  const found = await policy.limitsInUse({
    servers: federation.members().map(({ name }) => name),
    principals: [...new Set([LOCAL_PRINCIPAL, ...withoutGrant])],
  });
  const fullness = ({ counts: [first], max }: LimitInUse): number => (first ? first.used / Math.max(max, 1) : -1);
  const sorted = found.limits.sort((a, b) => fullness(b) - fullness(a));
  return {
    limits: sorted.slice(0, MAX_LIMITS).map(({ counts, ...limit }) => ({
      ...limit,
      counts: counts.slice(0, MAX_COUNTS).map(countJson),
      moreCounts: Math.max(0, counts.length - MAX_COUNTS),
    })),
    total: sorted.length,
    isWhole: found.isWhole,
  };
}

const countJson = ({ owner, used, endsAt }: CountInUse): LimitJson['counts'][number] => ({
  owner: owner ?? null,
  used,
  resets: new Date(endsAt).toISOString(),
});

export interface AboutJson {
  version: string;
  servers: string[];
  grants: string[];
  /** Whether clients need a key or a token. */
  needsKey: boolean;
  /** Whether clients can log in (OAuth) in place of sending a key. */
  clientsLogIn: boolean;
  /** Servers that people log in to; null where there are no logins. */
  logins: string[] | null;
}

function about(
  { federation, policy, needsKey, clientsLogIn }: PageSources,
  connections: AdminSources['connections'],
): AboutJson {
  const servers = federation.members().flatMap(({ name, builtin }) => (builtin ? [] : [name]));
  return {
    version: PRODUCT.version,
    servers,
    grants: policy.grants.slice(0, MAX_GRANTS).map(({ name }) => name),
    needsKey: needsKey(),
    clientsLogIn,
    logins: connections
      ? servers.filter((name) => connections.logins.loginPrincipal(LOCAL_IDENTITY, name) !== undefined)
      : null,
  };
}
