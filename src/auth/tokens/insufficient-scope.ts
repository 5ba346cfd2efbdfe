/**
 * The refusal that has a client ask its authorization server for more (RFC 6750, section 3.1; 2026-07-28 authorization,
 * "Scope Challenge Handling").
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import { REALM } from '../bearer.ts';

/** `scopes`: all that the request needs. Those the token has already need not be among them: clients ask for the union. */
export function insufficientScope(scopes: readonly string[]): SwitchboardError {
  const scope = scopes.join(' ');
  return new SwitchboardError(
    'SWB_INSUFFICIENT_SCOPE',
    `The access token lacks a scope for this: ask the authorization server for ${scope}.`,
    {
      data: { error: 'insufficient_scope', scope },
      challenge: `Bearer realm="${REALM}", error="insufficient_scope", scope="${scope}", error_description="This needs ${scope}"`,
    },
  );
}
