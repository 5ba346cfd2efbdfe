/**
 * The token a caller sent to the gateway, for providers of credentials that exchange it for one of a server's. It is never
 * passed on to a server, and it is beside the identity and not in it: identities are logged, stored and compared.
 * @module
 */
import type { Identity } from './identity.ts';

export interface SubjectToken {
  readonly token: string;
  /** A token type of RFC 8693, 3: `urn:ietf:params:oauth:token-type:access_token`, `…:id_token`, `…:jwt`. */
  readonly type: string;
}

const TOKENS = new WeakMap<Identity, SubjectToken>();

/** Called by an authenticator for the identity it made of a token. The same identity object may be given for many requests. */
export function noteSubjectToken(identity: Identity, token: SubjectToken): void {
  TOKENS.set(identity, token);
}

export const subjectTokenOf = (identity: Identity): SubjectToken | undefined => TOKENS.get(identity);
