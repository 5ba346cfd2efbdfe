/**
 * An authenticator that also knows the keys which callers lend to agents. What is spelled like such a key is shown to
 * nothing else, so that one that has ended opens no more than a wrong one.
 * @module
 */
import type { Authenticator, AuthRequest, Identity } from '../core/identity.ts';
import { presentedKey, unauthenticated } from './bearer.ts';
import { isLentKey, LENT_PREFIX, type LentKeys } from './lent-keys.ts';

/** `keyHeaders`: where keys are read besides `Authorization`; names in lower case. */
export function withLentKeys(auth: Authenticator, keys: LentKeys, keyHeaders: readonly string[] = []): Authenticator {
  return {
    authenticate(request) {
      if (!mayShowLentKey(request, keyHeaders)) return auth.authenticate(request);
      const presented = presentedKey(request, keyHeaders);
      if (presented === undefined || !isLentKey(presented)) return auth.authenticate(request);
      const found = keys.verify(presented);
      return found instanceof Promise ? found.then(requireFound) : requireFound(found);
    },
    isValid: (identity) => (identity.lent ? keys.isLive(identity) : auth.isValid(identity)),
    mayReturn: (identity) => !identity.lent && auth.mayReturn?.(identity) === true,
    get open() {
      return auth.open === true;
    },
    get severalPrincipals() {
      return auth.severalPrincipals !== false;
    },
    get version() {
      return (auth.version ?? 0) + keys.version;
    },
  };
}

/** Almost no request does: the key of any other is read once, by the authenticator behind this one. */
function mayShowLentKey({ headers }: AuthRequest, keyHeaders: readonly string[]): boolean {
  const holds = (value: unknown): boolean => typeof value === 'string' && value.includes(LENT_PREFIX);
  return holds(headers.authorization) || keyHeaders.some((name) => holds(headers[name]));
}

function requireFound(identity: Identity | undefined): Identity {
  if (identity) return identity;
  throw unauthenticated('The token is not valid.', { realm: 'agent-switchboard', error: 'invalid_token' });
}
