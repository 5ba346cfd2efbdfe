/**
 * What the scopes of access tokens allow, compiled from the configuration of their issuer. An entry may be used with any
 * scope that allows it. A scope has what it implies.
 * @module
 */

import { globMatcher } from '../../core/globs.ts';
import type { ScopedEntry, TokenScopes } from '../../core/identity.ts';
import type { IssuerConfig, ScopeConfig } from '../../core/token-issuer.ts';

/** One for all tokens of an issuer. */
export interface ScopeTable {
  /** The scopes of a token, and with them those they imply. */
  expand(granted: Iterable<string>): ReadonlySet<string>;
  /** What to ask for where one is missing that every request needs. */
  lacks(held: ReadonlySet<string>): readonly string[];
  /** Undefined where nothing depends on scopes. */
  limitsOf(held: ReadonlySet<string>): TokenScopes | undefined;
}

type Matches = (entry: ScopedEntry) => boolean;

interface Rule {
  name: string;
  needed: readonly string[];
  matches: Matches;
}

const SECTIONS = ['tools', 'prompts', 'resources', 'agents'] as const;

type Section = (typeof SECTIONS)[number];

export type ScopedIssuer = Pick<IssuerConfig, 'scopes' | 'requiredScopes' | 'quirks' | 'audience'>;

export function scopeTable(config: ScopedIssuer): ScopeTable {
  const { scopes, requiredScopes } = config;
  const all = new Map(Object.entries(scopes ?? {}));
  const implied = new Map([...all.keys()].map((name) => [name, closure(name, all)]));
  // Narrow ones first: a client is asked to get no more than it needs.
  const rules: Rule[] = [...all]
    .map(([name, scope]) => ({
      name,
      // All that a request needs stands in one challenge (SEP-2350).
      needed: [...requiredScopes, name].map((each) => advertised(each, config)),
      matches: matcherOf(scope),
    }))
    .sort((a, b) => (implied.get(a.name)?.size ?? 0) - (implied.get(b.name)?.size ?? 0));
  return {
    expand(granted) {
      const held = new Set<string>();
      for (const name of granted) for (const each of implied.get(name) ?? [name]) held.add(each);
      return held;
    },
    lacks: (held) =>
      requiredScopes.every((name) => held.has(name)) ? NONE : requiredScopes.map((name) => advertised(name, config)),
    limitsOf: (held) => (scopes === undefined ? undefined : new HeldScopes(rules, held)),
  };
}

class HeldScopes implements TokenScopes {
  readonly #rules: readonly Rule[];
  readonly #held: ReadonlySet<string>;

  constructor(rules: readonly Rule[], held: ReadonlySet<string>) {
    this.#rules = rules;
    this.#held = held;
  }

  missing(entry: ScopedEntry): readonly string[] | undefined {
    let narrowest: readonly string[] | undefined;
    for (const { name, needed, matches } of this.#rules) {
      const held = this.#held.has(name);
      if ((!held && narrowest) || !matches(entry)) continue;
      if (held) return NONE;
      narrowest = needed;
    }
    return narrowest;
  }

  canReach(entry: ScopedEntry): boolean {
    return this.#rules.some(({ matches }) => matches(entry));
  }
}

const NONE: readonly string[] = [];

/** A scope and all it implies, however long the way. */
function closure(name: string, scopes: ReadonlyMap<string, ScopeConfig>, found = new Set<string>()): Set<string> {
  if (found.has(name)) return found;
  found.add(name);
  for (const next of scopes.get(name)?.implies ?? []) closure(next, scopes, found);
  return found;
}

/** A scope of servers alone allows everything of theirs; one that names nothing allows nothing but what it implies. */
function matcherOf(scope: ScopeConfig): Matches {
  const onServer = scope.servers && oneOf(scope.servers);
  const lists = new Map(
    SECTIONS.flatMap((section) => (scope[section] ? [[section, oneOf(scope[section])]] : [])) as [
      Section,
      (name: string) => boolean,
    ][],
  );
  const allowed = (section: string, name: string): boolean => lists.get(section as Section)?.(name) === true;
  const named = ({ section, namespaced, template, tool }: ScopedEntry): boolean =>
    allowed(section, namespaced) ||
    (template !== undefined && allowed(section, template.namespaced)) ||
    (tool !== undefined && allowed('tools', tool.namespaced));
  return (entry) => {
    if (onServer && !onServer(entry.server)) return false;
    if (lists.size === 0) return onServer !== undefined;
    // A server may read a URI as its normal form.
    return named(entry) && (entry.usual === undefined || named(entry.usual));
  };
}

/** A name that is too long to be tried is not allowed. */
function oneOf(globs: readonly string[]): (name: string) => boolean {
  const exact = new Set(globs);
  const matchers = globs.map(globMatcher);
  return (name) => exact.has(name) || matchers.some((matches) => matches(name) === true);
}

/** How a client asks for a scope. Entra's tokens have its short name, and its login wants it below the application's URI. */
export function advertised(scope: string, { quirks, audience }: Pick<ScopedIssuer, 'quirks' | 'audience'>): string {
  if (quirks !== 'entra' || scope.includes('/')) return scope;
  const application = audience.find((each) => each.startsWith('api://')) ?? audience[0];
  if (application === undefined) return scope;
  return /^(?:api|https?):\/\//.test(application) ? `${application}/${scope}` : `api://${application}/${scope}`;
}
