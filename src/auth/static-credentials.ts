/**
 * What is configured for a server: headers for everybody's requests to it, and at its broker the login of the principal,
 * of the grant, or of the gateway.
 * @module
 */
import { type CredentialServer, type Credentials, GATEWAY_IDENTITY } from '../core/credentials.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Identity } from '../core/identity.ts';

export const staticCredentials: Credentials = {
  headersFor: (_identity, { headers }) => headers,
  loginFor: (identity, server) => configuredLogin(identity, server),
};

function configuredLogin(identity: Identity, { name, broker }: CredentialServer) {
  const { logins } = broker ?? {};
  if (!logins || identity === GATEWAY_IDENTITY) return undefined;
  const { principals, grants, required } = logins;
  const { principal, grant } = identity;
  if (Object.hasOwn(principals, principal)) return principals[principal];
  if (grant !== undefined && Object.hasOwn(grants, grant)) return grants[grant];
  if (!required) return undefined;
  throw new SwitchboardError(
    'SWB_UPSTREAM_AUTH',
    `unauthorized: There is no login at the broker of server '${name}' for this caller. The operator can add one under credentials.`,
    { data: { server: name, reason: 'unauthorized' } },
  );
}
