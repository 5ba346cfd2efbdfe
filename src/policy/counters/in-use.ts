/**
 * Every limit of a configuration with the counters that calls may have used of it, for people who look.
 *
 * Counters are found by whose they are: grants, callers without one, servers. Counters of sessions have owners that come and go
 * and are not listed.
 * @module
 */
import type { Identity } from '../../core/identity.ts';
import type { CounterReading } from '../../state/state.ts';
import { compileLimits } from '../engine/limits.ts';
import { pointerTo } from '../language/pointers.ts';
import {
  type Limit,
  type LimitScope,
  POLICY_SECTIONS,
  type PolicyConfig,
  type PolicyDocument,
} from '../language/types.ts';
import type { LimitUse } from '../types.ts';

export interface LimitOwners {
  /** Names of servers. */
  readonly servers: readonly string[];
  /** Principals of callers without a grant, `local` among them. */
  readonly principals: readonly string[];
}

export interface CountInUse {
  /** The grant, principal or server it belongs to; undefined: everybody's. */
  readonly owner: string | undefined;
  readonly used: number;
  /** Milliseconds since the epoch: when nothing of it counts any more. */
  readonly endsAt: number;
}

export interface LimitInUse {
  /** The document. */
  readonly policy: string;
  readonly mode: PolicyDocument['mode'];
  /** JSON pointers of the rules that count here. */
  readonly rules: readonly string[];
  readonly counter: string;
  readonly scope: LimitScope;
  /** `minute`, `30 seconds`. */
  readonly window: string;
  readonly sliding: boolean;
  readonly max: number;
  /** Those that something is counted in, the fullest first. */
  readonly counts: readonly CountInUse[];
}

/** Counters that are looked at, and read at once: a reading compares its uses with one another. */
const MAX_READ = 2_000;
const READ_AT_ONCE = 100;
const MAX_RULES = 20;

interface Declared {
  limit: Omit<LimitInUse, 'counts'> & { rules: string[] };
  uses: { owner: string | undefined; use: LimitUse }[];
}

/** `read` is {@link Counters.read}. `isWhole` is false where there are more counters than are read. */
export async function limitsInUse(
  config: PolicyConfig,
  owners: LimitOwners,
  read: (uses: readonly LimitUse[]) => CounterReading<LimitUse> | Promise<CounterReading<LimitUse>>,
): Promise<{ limits: LimitInUse[]; isWhole: boolean }> {
  const declared = [...documentsOf(config, owners)].flatMap((bound) => [...declaredIn(bound)]);
  const all = declared.flatMap(({ uses }) => uses);
  const looked = all.slice(0, MAX_READ);
  const found = new Map<LimitUse, CounterReading<LimitUse>['counts'][number]>();
  for (let at = 0; at < looked.length; at += READ_AT_ONCE) {
    const { counts } = await read(looked.slice(at, at + READ_AT_ONCE).map(({ use }) => use));
    for (const count of counts) found.set(count.use, count);
  }
  const limits = declared.map(({ limit, uses }) => ({
    ...limit,
    counts: uses
      .flatMap(({ owner, use }): CountInUse[] => {
        const { used = 0, endsAt } = found.get(use) ?? {};
        return used > 0 && endsAt !== undefined ? [{ owner, used, endsAt }] : [];
      })
      .sort((a, b) => b.used - a.used),
  }));
  return { limits, isWhole: looked.length === all.length };
}

interface Bound {
  document: PolicyDocument;
  /** Whose calls it judges: grants, and principals without one. */
  callers: readonly string[];
  servers: readonly string[];
}

function* documentsOf({ gateway, defaultPolicy, servers, grants }: PolicyConfig, owners: LimitOwners): Iterable<Bound> {
  const names = grants.map(({ name }) => name);
  const everybody = [...new Set([...owners.principals, ...names])];
  if (gateway) yield { document: gateway, callers: everybody, servers: owners.servers };
  for (const [name, document] of servers) yield { document, callers: everybody, servers: [name] };
  const without = grants.flatMap(({ name, policy }) => (policy ? [] : [name]));
  if (without.length > 0) yield { document: defaultPolicy, callers: without, servers: owners.servers };
  for (const { name, policy } of grants) {
    if (policy) yield { document: policy, callers: [name], servers: owners.servers };
  }
}

/** Rules that share a counter of one size are one limit. */
function declaredIn({ document, callers, servers }: Bound): Iterable<Declared> {
  const { id, mode } = document;
  const found = new Map<string, Declared>();
  for (const [pointer, limits] of limitLists(document)) {
    for (const { rule, limit, use } of compileLimits(limits, id, pointer)) {
      const { counter, scope, windowMs, windowName, sliding, max } = limit;
      const key = JSON.stringify([counter, scope, windowMs, sliding, max]);
      const known = found.get(key);
      if (known) {
        if (known.limit.rules.length < MAX_RULES) known.limit.rules.push(rule);
        continue;
      }
      const uses = ownersOf(scope, callers, servers).map((owner) => ({
        owner,
        use: use(0, { identity: identityOf(owner), key: '' }, scope === 'server' ? (owner ?? '') : ''),
      }));
      const shown = { policy: id, mode, rules: [rule], counter, scope, window: windowName, sliding, max };
      found.set(key, { limit: shown, uses });
    }
  }
  return found.values();
}

function* limitLists({ allTools, sections }: PolicyDocument): Iterable<[pointer: string, readonly Limit[]]> {
  if (allTools.length > 0) yield [pointerTo('all_tools', 'limits'), allTools];
  for (const section of POLICY_SECTIONS) {
    for (const [name, { limits }] of sections[section]) yield [`${pointerTo(section, name)}/limits`, limits];
  }
}

function ownersOf(
  scope: LimitScope,
  callers: readonly string[],
  servers: readonly string[],
): readonly (string | undefined)[] {
  if (scope === 'grant') return callers;
  if (scope === 'server') return servers;
  return scope === 'global' ? [undefined] : [];
}

/** Counters of grants are named by the grant, and without one by the principal: by one text in either case. */
const identityOf = (owner = ''): Identity => ({ principal: owner, grant: undefined, claims: {} });
