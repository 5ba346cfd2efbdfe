/**
 * Checks a call's arguments against every schema they must satisfy, the tool's own first and then those of rules, and makes
 * the denial of arguments that do not fit.
 * @module
 */
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { ArgumentCheck, Denial, SchemaOverlay, Subject } from '../types.ts';
import type { ArgumentChecks } from './argument-checks.ts';
import { MAX_PROBLEMS } from './problems.ts';

/** `rule` of denials by a tool's own schema. */
export const OWN_SCHEMA = '(input schema)';

interface ValidationError {
  /** As the caller knows the tool. */
  name: string;
  problems: readonly string[];
  /** Id of the document whose rule it was, and its pointer; for a tool's own schema `gateway` and {@link OWN_SCHEMA}. */
  policy: string;
  rule: string;
}

export function argumentsDenial({ name, problems, policy, rule }: ValidationError): Denial {
  const shown = problems.slice(0, MAX_PROBLEMS);
  return {
    code: 'SWB_ARGUMENTS_INVALID',
    policy,
    rule,
    reason: `Arguments of ${name} do not fit its schema: ${shown.join('; ')}`,
    hidden: false,
    data: { problems: shown },
  };
}

/** The denial with the name by which the caller called the tool; it is made with the one that documents use. */
export function calledAs(denial: Denial, namespaced: string, name: string): Denial {
  const start = `Arguments of ${namespaced} do not fit`;
  if (denial.code !== 'SWB_ARGUMENTS_INVALID' || name === namespaced || !denial.reason.startsWith(start)) return denial;
  return { ...denial, reason: `Arguments of ${name} do not fit${denial.reason.slice(start.length)}` };
}

export interface Given {
  subject: Subject;
  args: JsonObject;
  /** Whether the tool's own schema is checked at all. */
  ownSchema: boolean;
  schemas: readonly SchemaOverlay[];
}

/** Denials of documents in shadow mode are added to `shadow`, every schema that was checked to `checked`. */
export function deniedArguments(
  checks: ArgumentChecks,
  { subject, args, ownSchema, schemas }: Given,
  shadow: Denial[],
  checked: ArgumentCheck[] | undefined,
): Denial | undefined {
  const { server, name, namespaced, entry, builtin } = subject;
  // Builtin tools check their own, with better messages.
  if (entry && !builtin && ownSchema) {
    const problems = checks.ofTool(entry, args, server);
    checked?.push({ policy: 'gateway', mode: 'enforce', rule: OWN_SCHEMA, problems: problems ?? [] });
    if (problems) return argumentsDenial({ name: namespaced, problems, policy: 'gateway', rule: OWN_SCHEMA });
  }
  if (schemas.length === 0) return undefined;
  for (const { policy, mode, rule, schema } of schemas) {
    const problems = checks.ofRule(schema, args, { server, tool: name });
    checked?.push({ policy, mode, rule, problems: problems ?? [] });
    if (!problems) continue;
    const denial = argumentsDenial({ name: namespaced, problems, policy, rule });
    if (mode === 'enforce') return denial;
    shadow.push(denial);
  }
  return undefined;
}
