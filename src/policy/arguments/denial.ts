/**
 * What a caller is told whose arguments do not fit.
 * @module
 */
import type { Denial } from '../types.ts';
import { MAX_PROBLEMS } from './problems.ts';

/** `rule` of denials that come of a tool's own schema, which no document asked for. */
export const OWN_SCHEMA = '(input schema)';

export interface ValidationError {
  /** As the caller knows the tool. */
  name: string;
  problems: readonly string[];
  /** Id of the document whose rule it was, and its pointer; for a tool's own schema `gateway` and {@link OWN_SCHEMA}. */
  policy: string;
  rule: string;
}

export function argumentsDenial({ name, problems, policy, rule }: ValidationError): Denial {
  const told = problems.slice(0, MAX_PROBLEMS);
  return {
    code: 'SWB_ARGUMENTS_INVALID',
    policy,
    rule,
    reason: `Arguments of ${name} do not fit its schema: ${told.join('; ')}`,
    hidden: false,
    data: { problems: told },
  };
}
