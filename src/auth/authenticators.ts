/**
 * The authenticators the gateway brings: for its endpoint (keys of grants, the gateway's token, the local user) and for
 * its administration (the admin token).
 * @module
 */
import {
  type Authenticator,
  type AuthRequest,
  grantIdentity,
  type Identity,
  LOCAL_IDENTITY,
} from '../core/identity.ts';
import { bearerToken, presentedKey, REALM, tokenCheck, unauthenticated } from './bearer.ts';

/** The keys of grants, as they are configured now: `GrantKeys` is one. */
export interface Keys {
  /** No request is accepted without a credential. */
  readonly required: boolean;
  /** Another number after each change. */
  readonly version: number;
  /**
   * The name of the grant a key belongs to; undefined when it opens nothing, which takes the same time for every key.
   * `connection`: the one it came over.
   */
  verify(presented: string, connection?: object): string | undefined;
  /** The grant of this name is there and has not expired. */
  isValid(grant: string): boolean;
}

/** Keys of grants begin so. */
const KEY = /^swb_/;

/**
 * `token` is the local user's, a grant's key is the grant's. Where neither is configured every request is the local
 * user's, except one with a key that opens nothing: a revoked key must not get further than a wrong one. `keyHeaders`: where
 * tokens and keys are read besides `Authorization`, for clients that cannot send it; names in lower case. `localKey`: of commands
 * of the same machine, which read it in the state folder; it is the local user's too, for as long as the gateway runs.
 * `asksForTokens`: access tokens are accepted beside all this, so that a request without a credential is refused.
 */
export function gatewayAuthenticator(
  token: string | undefined,
  keys?: Keys,
  keyHeaders: readonly string[] = [],
  localKey?: string,
  asksForTokens = false,
): Authenticator {
  const places = ['Authorization: Bearer <token>', ...keyHeaders.map((name) => `${name}: <token>`)];
  const wanted = `This gateway asks for a token: send ${places.map((place) => `'${place}'`).join(' or ')}.`;
  const isToken = token === undefined ? undefined : tokenCheck(token);
  // Not the identity of callers in this process, which need no credential: this one ends where a key is asked for.
  const localUser: Identity = Object.freeze({ ...LOCAL_IDENTITY });
  const isLocalKey = localKey === undefined ? undefined : tokenCheck(localKey);
  const commandUser: Identity = Object.freeze({ ...LOCAL_IDENTITY });
  const holders = new Map<string, Identity>();
  function holderOf(grant: string): Identity {
    const known = holders.get(grant);
    if (known) return known;
    const holder = grantIdentity(grant);
    holders.set(grant, holder);
    return holder;
  }
  const isOpen = (): boolean => isToken === undefined && keys?.required !== true && !asksForTokens;
  return {
    authenticate(request) {
      const presented = presentedKey(request, keyHeaders);
      if (presented === undefined) {
        if (isOpen()) return localUser;
        throw unauthenticated(wanted, { realm: REALM });
      }
      const grant = keys?.verify(presented, request.socket);
      if (grant !== undefined) return holderOf(grant);
      if (isLocalKey?.(presented)) return commandUser;
      if (isToken?.(presented)) return localUser;
      if (isOpen() && !KEY.test(presented)) return localUser;
      // A wrong secret, an unknown key and an expired grant get one message: which of them it is stays unknown.
      throw unauthenticated('The token is not valid.', { realm: REALM, error: 'invalid_token' });
    },
    isValid: (identity) => {
      const { grant } = identity;
      if (grant !== undefined) return keys?.isValid(grant) === true;
      return identity === commandUser || isToken !== undefined || isOpen();
    },
    get open() {
      return isOpen();
    },
    get severalPrincipals() {
      return keys?.required === true;
    },
    get version() {
      return keys?.version ?? 0;
    },
  };
}

/** Another realm than the endpoint's: clients must not offer their keys here, nor be asked for the admin token there. */
const ADMIN_REALM = 'agent-switchboard administration';

/** Accepts the admin token and nothing else: keys and tokens of clients open nothing here. Throws `SWB_UNAUTHENTICATED`. */
export function requireAdminToken(request: AuthRequest, isToken: (presented: string) => boolean): void {
  const presented = bearerToken(request);
  if (presented !== undefined && isToken(presented)) return;
  throw unauthenticated(
    presented === undefined
      ? "The administration API asks for the admin token: send 'Authorization: Bearer <token>'."
      : 'This is not the admin token. Keys and tokens of clients are not accepted here.',
    { realm: ADMIN_REALM },
  );
}
