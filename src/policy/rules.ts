/**
 * Finds the documents that bind a caller. A new configuration makes new rules; counters, approvals and sessions go on.
 *
 * | caller | documents, all of them evaluated, deny wins |
 * |---|---|
 * | local user | the server's own, the gateway's |
 * | grant | the server's own, the gateway's, the grant's or else `defaultPolicy` |
 *
 * A server's document speaks of the server's own names, the gateway's of namespaced ones, and a grant's of both: a published
 * document, which has a server's own names, can be pasted for one.
 * @module
 */
import { globMatcher, isGlob } from '../core/globs.ts';
import { sha256 } from '../core/hash.ts';
import { type CompiledDocument, compileDocument, noPolicy } from './engine/compile.ts';
import type { Naming } from './engine/names.ts';
import type { Plan } from './engine/plan.ts';
import { PolicySet } from './engine/policy-set.ts';
import type { GrantConfig, PolicyConfig, PolicyDocument } from './language/types.ts';
import type { Subject } from './types.ts';

/** A member of the federation. */
interface Server {
  readonly name: string;
  readonly builtin: boolean;
}

/** What binds callers of one grant, or callers without one, by server. */
interface Bound {
  documents: readonly CompiledDocument[];
  /** Undefined: every server. */
  admits: ((server: string) => boolean) | undefined;
  sets: Map<string, PolicySet>;
}

/** Servers come and go at run time. */
const MAX_SETS = 1_000;

export class Rules {
  /** Changes with the rules: approvals are bound to it. */
  readonly version: string;
  readonly #config: PolicyConfig;
  readonly #builtins: ReadonlySet<string>;
  readonly #gateway: readonly CompiledDocument[];
  readonly #servers: ReadonlyMap<string, CompiledDocument>;
  readonly #withoutGrant: Bound;
  readonly #grants = new Map<string, Bound>();

  /** `builtins`: names of the gateway's builtin tools. */
  constructor(config: PolicyConfig, builtins: ReadonlySet<string>) {
    this.#config = config;
    this.#builtins = builtins;
    this.version = versionOf(config);
    this.#gateway = config.gateway ? [compileDocument(config.gateway, 'namespaced')] : [];
    this.#servers = new Map(
      [...config.servers].map(([name, document]) => [name, compileDocument(document, 'original')]),
    );
    this.#withoutGrant = { documents: this.#gateway, admits: undefined, sets: new Map() };
    for (const grant of config.grants) this.#grants.set(grant.name, this.#grantBound(grant));
  }

  /** Whether any document can forbid anything to callers of this grant; undefined: to callers without one. */
  binds(grant: string | undefined): boolean {
    return grant !== undefined || this.#gateway.length > 0 || this.#servers.size > 0;
  }

  /** Whether a server has a document of its own. */
  governs(server: string): boolean {
    return this.#servers.has(server);
  }

  #boundOf(grant: string | undefined): Bound | undefined {
    return grant === undefined ? this.#withoutGrant : this.#grants.get(grant);
  }

  /** Whether callers of this grant may know of a server at all. */
  admitsServer(grant: string | undefined, { name, builtin }: Server): boolean {
    const bound = this.#boundOf(grant);
    if (!bound) return false;
    return builtin || bound.admits === undefined || bound.admits(name);
  }

  /** Whether a name of this server without a rule is allowed. */
  allowsByDefault(grant: string | undefined, { name }: Server): boolean {
    return this.#setOf(grant, name).allowsByDefault;
  }

  /** Whether a document may hide a resource of this server from callers of this grant. */
  hidesUris(grant: string | undefined, server: string): boolean {
    return this.#setOf(grant, server).hidesUris;
  }

  planFor(grant: string | undefined, subject: Subject): Plan {
    return this.#setOf(grant, subject.server).planFor(subject);
  }

  #setOf(grant: string | undefined, server: string): PolicySet {
    const bound = this.#boundOf(grant);
    // Callers of a grant that was removed may do nothing.
    if (!bound) return NOTHING_ALLOWED;
    let set = bound.sets.get(server);
    if (!set) {
      const own = this.#servers.get(server);
      set = new PolicySet(own ? [own, ...bound.documents] : bound.documents);
      if (bound.sets.size >= MAX_SETS) bound.sets.clear();
      bound.sets.set(server, set);
    }
    return set;
  }

  #grantBound({ name, servers, policy }: GrantConfig): Bound {
    const matchers = servers?.map((glob) => globMatcher(glob)) ?? [];
    const own = policy ? compileDocument(policy, namingOf(servers, this.#builtins)) : this.#defaultFor(name);
    return {
      documents: own ? [...this.#gateway, own] : this.#gateway,
      admits: servers && ((server) => matchers.some((matches) => matches(server) === true)),
      sets: new Map(),
    };
  }

  /**
   * With a default of `deny` alone the denial says that this grant has no policy; with one of `allow` alone there is no
   * document, so that nothing governs its calls.
   */
  #defaultFor(grant: string): CompiledDocument | undefined {
    const { defaultPolicy } = this.#config;
    if (!isBare(defaultPolicy)) return compileDocument(defaultPolicy, 'namespaced');
    return defaultPolicy.default === 'deny' ? noPolicy(`grant:${grant}`) : undefined;
  }
}

/** How the document of a grant of these servers means its names. */
export function namingOf(servers: readonly string[] | undefined, builtins: ReadonlySet<string>): Naming {
  const [only, ...others] = servers ?? [];
  return only !== undefined && others.length === 0 && !isGlob(only) ? 'both' : { reserved: builtins };
}

const NOTHING_ALLOWED = new PolicySet([noPolicy('none')]);

const isBare = ({ mode, hide, allTools, sections }: PolicyDocument): boolean =>
  mode === 'enforce' &&
  hide.length === 0 &&
  allTools.length === 0 &&
  Object.values(sections).every((rules) => rules.size === 0);

function versionOf({ gateway, defaultPolicy, servers, grants, hooks }: PolicyConfig): string {
  const rules = { gateway, defaultPolicy, servers, grants: grants.map(({ keys: _, ...grant }) => grant), hooks };
  const text = JSON.stringify(rules, (_key, value) => (value instanceof Map ? [...value] : value));
  return sha256(text).slice(0, 22);
}
