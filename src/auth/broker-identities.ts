/**
 * Identities of clients on a broker beside those of an authenticator. The broker has let these clients in, so there is no
 * credential the authenticator could judge: they are valid for as long as their grant is.
 * @module
 */
import { type Authenticator, type Identity, LOCAL_IDENTITY } from '../core/identity.ts';
import type { Keys } from './authenticators.ts';

/** Whether a client on the broker may still call as this identity. */
export const brokerValidity =
  (keys: Pick<Keys, 'isValid'> | undefined) =>
  (identity: Identity): boolean =>
    identity === LOCAL_IDENTITY || (identity.grant !== undefined && keys?.isValid(identity.grant) === true);

/** The authenticator, which is not asked about the identities that `isOfBroker` knows. */
export function besideBroker(
  auth: Authenticator,
  isOfBroker: (identity: Identity) => boolean,
  isValid: (identity: Identity) => boolean,
): Authenticator {
  // Its own members stay its own: some are computed, and some may be absent.
  return Object.create(auth, {
    authenticate: { value: (request: Parameters<Authenticator['authenticate']>[0]) => auth.authenticate(request) },
    isValid: {
      value: (identity: Identity) => (isOfBroker(identity) ? isValid(identity) : auth.isValid(identity)),
    },
    mayReturn: {
      value: (identity: Identity) => !isOfBroker(identity) && auth.mayReturn?.(identity) === true,
    },
    open: { get: () => auth.open },
    severalPrincipals: { get: () => auth.severalPrincipals },
    version: { get: () => auth.version },
  });
}
