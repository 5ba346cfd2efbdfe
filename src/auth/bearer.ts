/**
 * Bearer tokens in the `Authorization` header, and the refusals that ask for one (RFC 6750).
 * @module
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { SwitchboardError } from '../core/errors.ts';
import type { AuthRequest } from '../core/identity.ts';

/** What credentials of clients are for. */
export const REALM = 'agent-switchboard';

/** The token of `Authorization: Bearer <token>`; undefined when there is none. */
export function bearerToken({ headers }: AuthRequest): string | undefined {
  const { authorization } = headers;
  if (typeof authorization !== 'string') return undefined;
  // As nearly every client writes it. Each request comes here.
  if (authorization.startsWith(USUAL)) {
    const token = authorization.slice(USUAL.length);
    if (token !== '' && !/\s/.test(token)) return token;
  }
  return /^bearer +(\S+) *$/i.exec(authorization)?.[1];
}

const USUAL = 'Bearer ';

/** The token of `Authorization`, or else the whole value of the first of these headers that is there; names in lower case. */
export function presentedKey(request: AuthRequest, keyHeaders: readonly string[]): string | undefined {
  const bearer = bearerToken(request);
  if (bearer !== undefined || keyHeaders.length === 0) return bearer;
  for (const name of keyHeaders) {
    const value = request.headers[name];
    if (typeof value === 'string' && value !== '') return value;
  }
  return undefined;
}

/** Compares presented tokens with the expected one, in the same time whatever is presented. */
export function tokenCheck(expected: string): (presented: string) => boolean {
  // Hashes have one length.
  const digest = sha256(expected);
  return (presented) => timingSafeEqual(sha256(presented), digest);
}

const sha256 = (text: string): Buffer => hash('sha256', text, 'buffer');

export interface UnauthenticatedDetails {
  /** What the credential is for: clients keep one per realm. */
  realm: string;
  /** Only where a token was presented (RFC 6750, section 3.1). */
  error?: 'invalid_token';
  /** For the log only. */
  cause?: unknown;
}

/** `SWB_UNAUTHENTICATED` with its `WWW-Authenticate` challenge. The message is for the client. */
export const unauthenticated = (message: string, { realm, error, cause }: UnauthenticatedDetails): SwitchboardError =>
  new SwitchboardError('SWB_UNAUTHENTICATED', message, {
    challenge: `Bearer realm="${realm}"${error === undefined ? '' : `, error="${error}"`}`,
    ...(error === undefined ? {} : { data: { error } }),
    cause,
  });
