/**
 * An authenticator as a program that embeds the gateway would write one: a proxy in front states user and grant in
 * headers, and the answer takes a moment, as with a token that has to be looked up.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import type { Authenticator, Identity } from '../../core/identity.ts';

export interface HeaderAuthenticator extends Authenticator {
  /** Users who are accepted no more. */
  readonly blocked: Set<string>;
}

/** `x-user` names the principal, `x-grant` the grant, `x-team` a claim. */
export function headerAuthenticator(): HeaderAuthenticator {
  const blocked = new Set<string>();
  return {
    blocked,
    async authenticate({ headers }): Promise<Identity> {
      await Promise.resolve();
      const { 'x-user': principal, 'x-grant': grant, 'x-team': team } = headers;
      if (typeof principal !== 'string') {
        throw new SwitchboardError('SWB_UNAUTHENTICATED', 'Log in at the portal.', {
          challenge: 'Bearer realm="portal", resource_metadata="https://gateway.example/.well-known/x"',
        });
      }
      if (blocked.has(principal)) throw new SwitchboardError('SWB_FORBIDDEN', 'This account is blocked.');
      return {
        principal,
        grant: typeof grant === 'string' ? grant : undefined,
        claims: typeof team === 'string' ? { team } : {},
      };
    },
    isValid: ({ principal }) => !blocked.has(principal),
  };
}
