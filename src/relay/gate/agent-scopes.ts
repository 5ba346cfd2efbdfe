/**
 * Scopes of an access token for an agent, asked by endpoints of other protocols before they begin a reply. The gate decides
 * about the call itself.
 * @module
 */
import { insufficientScope } from '../../auth/tokens/insufficient-scope.ts';
import type { Identity } from '../../core/identity.ts';
import type { Route } from '../../federation/types.ts';
import { subjectOf } from './subjects.ts';

/** Throws `SWB_INSUFFICIENT_SCOPE` with the challenge that names what to ask for. */
export function requireAgentScopes({ scopes }: Identity, route: Route): void {
  const missing = scopes?.missing(subjectOf('agents', route));
  if (missing !== undefined && missing.length > 0) throw insufficientScope(missing);
}
