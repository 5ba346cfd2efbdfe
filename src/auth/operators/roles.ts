/**
 * What the claims of a person's ID token make of them here: an administrator, a viewer, or neither.
 *
 * Invariant: what is not certain is denied. A claim that is missing, is no text and no list of texts, or is spelled differently
 * fits no rule.
 * @module
 */
import { oneLine } from '../../core/visible.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { claimAt } from '../tokens/claims.ts';

export interface RoleRules {
  readonly admins: readonly RoleRule[];
  readonly viewers: readonly RoleRule[];
}

export interface RoleRule {
  readonly claim: string;
  readonly values: readonly string[];
}

/** More than any provider puts into a token. */
const MAX_VALUES = 1_000;
const MAX_NAME = 100;

/** Undefined: nothing is open to them. */
export function roleOf(claims: JsonObject, { admins, viewers }: RoleRules): 'admin' | 'viewer' | undefined {
  if (admins.some((rule) => fits(rule, claims))) return 'admin';
  return viewers.some((rule) => fits(rule, claims)) ? 'viewer' : undefined;
}

function fits({ claim, values }: RoleRule, claims: JsonObject): boolean {
  // Providers let people claim an address that is another person's until it is verified (OpenID Connect Core, 5.1 and 5.7).
  if (claim === 'email' && claims.email_verified !== true) return false;
  const found = claimAt(claims, claim);
  const given = Array.isArray(found) ? found.slice(0, MAX_VALUES) : [found];
  return given.some((value) => typeof value === 'string' && values.includes(value));
}

/** Claims that rules speak of and that the token does not have: what the operator of the provider has to add. */
export function missingClaims(claims: JsonObject, { admins, viewers }: RoleRules): string[] {
  const names = new Set([...admins, ...viewers].map(({ claim }) => claim));
  return [...names].filter((name) => claimAt(claims, name) === undefined);
}

/** What people call this person: on one line, and short. The subject is what tells them apart. */
export function nameOf(claims: JsonObject): string {
  for (const claim of ['preferred_username', 'email', 'name', 'sub']) {
    if (claim === 'email' && claims.email_verified !== true) continue;
    const name = oneLine(claims[claim]);
    if (name !== '') return [...name].slice(0, MAX_NAME).join('');
  }
  return 'a person without a name';
}
