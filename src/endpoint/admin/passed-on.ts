/**
 * Who an operator's request is from, where another replica serves it: the one that let the operator in says so in a header. What
 * clients send under its name is never read, since replicas alone reach the listener where it is.
 * @module
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type Operator, operatorIn, TOKEN_OPERATOR } from '../../auth/operators/operator.ts';
import { SwitchboardError } from '../../core/errors.ts';

export const OPERATOR_HEADER = 'x-switchboard-operator';

export const passedOnAs = (operator: Operator): string =>
  operator === TOKEN_OPERATOR ? '' : Buffer.from(JSON.stringify(operator)).toString('base64url');

/** Throws where it says something else: a person must not become the holder of the admin token. */
export function passedOperator({ [OPERATOR_HEADER]: text }: IncomingHttpHeaders): Operator {
  if (text === undefined || text === '') return TOKEN_OPERATOR;
  const operator = operatorIn(parsed(String(text)));
  if (operator) return operator;
  throw new SwitchboardError('SWB_UNAUTHENTICATED', 'Another replica does not say who asks.');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
}
