/**
 * Whether a call's arguments fit everything they have to: the tool's own schema first, then those of rules.
 * @module
 */
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { ArgumentCheck, Denial, SchemaOverlay, Subject } from '../types.ts';
import type { ArgumentChecks } from './argument-checks.ts';
import { argumentsDenial, OWN_SCHEMA } from './denial.ts';

export interface Given {
  subject: Subject;
  args: JsonObject;
  /** Whether the tool's own schema is asked at all. */
  ownSchema: boolean;
  schemas: readonly SchemaOverlay[];
}

/** What documents in shadow mode have against them goes to `shadow`, what was looked at to `looked`. */
export function misfitOf(
  checks: ArgumentChecks,
  { subject, args, ownSchema, schemas }: Given,
  shadow: Denial[],
  looked: ArgumentCheck[] | undefined,
): Denial | undefined {
  const { server, name, namespaced, entry, builtin } = subject;
  // The gateway's own tools check theirs, with better words.
  if (entry && !builtin && ownSchema) {
    const problems = checks.ofTool(entry, args, server);
    looked?.push({ policy: 'gateway', mode: 'enforce', rule: OWN_SCHEMA, problems: problems ?? [] });
    if (problems) return argumentsDenial({ name: namespaced, problems, policy: 'gateway', rule: OWN_SCHEMA });
  }
  if (schemas.length === 0) return undefined;
  for (const { policy, mode, rule, schema } of schemas) {
    const problems = checks.ofRule(schema, args, { server, tool: name });
    looked?.push({ policy, mode, rule, problems: problems ?? [] });
    if (!problems) continue;
    const denial = argumentsDenial({ name: namespaced, problems, policy, rule });
    if (mode === 'enforce') return denial;
    shadow.push(denial);
  }
  return undefined;
}
