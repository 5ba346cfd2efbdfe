/**
 * Lists what an edit of the configuration changes in the policy.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import type { PolicyConfig } from './types.ts';

/**
 * The keys of the policy that differ: `gateway.policy`, `gateway.grants.<name>`, `servers.<name>.policy`.
 * An edit of a file that one of them names is a change of that key.
 */
export function diffPolicy(before: PolicyConfig | undefined, after: PolicyConfig | undefined): string[] {
  const old = policyParts(before);
  const now = policyParts(after);
  const keys = new Set([...old.keys(), ...now.keys()]);
  return [...keys].filter((key) => !isDeepStrictEqual(old.get(key), now.get(key)));
}

function policyParts(policy: PolicyConfig | undefined): Map<string, unknown> {
  const parts = new Map<string, unknown>();
  if (policy === undefined) return parts;
  const { gateway, servers, grants, validateArguments, ...rest } = policy;
  parts.set('gateway.policy', ordered(gateway));
  for (const [name, document] of servers) parts.set(`servers.${name}.policy`, ordered(document));
  for (const grant of grants) parts.set(`gateway.grants.${grant.name}`, ordered(grant));
  parts.set('gateway.validateArguments', validateArguments.default);
  for (const [name, value] of validateArguments.servers) parts.set(`servers.${name}.validateArguments`, value);
  for (const [key, value] of Object.entries(rest)) parts.set(`gateway.${key}`, ordered(value));
  return parts;
}

/** Of globs the first that matches decides, and maps are compared without their order: here they become lists. */
function ordered(value: unknown): unknown {
  if (value instanceof Map) return [...value].map(([key, item]) => [key, ordered(item)]);
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, ordered(item)]));
}
