/**
 * The policy of a configuration as logs may show it.
 * @module
 */
import { REDACTED } from '../../config/redact.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { PolicyConfig, PolicyDocument } from './types.ts';

/** Names, modes and numbers of rules; neither keys nor options of hooks. */
export function describePolicy(policy: PolicyConfig): JsonObject {
  const { gateway, defaultPolicy, servers, grants, keysRequired, hooks, audit, lock, validateArguments, adminToken } =
    policy;
  return {
    gateway: gateway && describeDocument(gateway),
    defaultPolicy: describeDocument(defaultPolicy),
    servers: Object.fromEntries([...servers].map(([name, document]) => [name, describeDocument(document)])),
    grants: grants.map(({ keys, policy: own, ...rest }) => ({
      ...rest,
      keys: keys.length,
      policy: own && describeDocument(own),
    })),
    keysRequired,
    hooks: hooks.map(({ options, ...rest }) => ({ ...rest, options: Object.keys(options) })),
    audit,
    lock,
    validateArguments: {
      default: validateArguments.default,
      servers: Object.fromEntries(validateArguments.servers),
    },
    adminToken: adminToken === undefined ? undefined : REDACTED,
  };
}

function describeDocument({ mode, default: otherwise, hide, allTools, sections }: PolicyDocument): JsonObject {
  const rules = Object.entries(sections).flatMap(([section, { size }]) => (size === 0 ? [] : [[section, size]]));
  return { mode, default: otherwise, hide: hide.length, allTools: allTools.length, ...Object.fromEntries(rules) };
}
