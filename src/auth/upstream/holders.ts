/**
 * Whose token a request to a server carries.
 * @module
 */
import { type CredentialServer, GATEWAY_IDENTITY } from '../../core/credentials.ts';
import { sha256 } from '../../core/hash.ts';
import type { Identity } from '../../core/identity.ts';
import { type SubjectToken, subjectTokenOf } from '../../core/subject-tokens.ts';
import { EXCHANGE_TYPES } from './machine-flows.ts';

export const GATEWAY = GATEWAY_IDENTITY.principal;

/** The principal whose login it is. */
export const principalFor = (identity: Identity, { auth }: CredentialServer): string =>
  auth?.per === 'gateway' ? GATEWAY : identity.principal;

/** What has a token of its own: a principal, and of those whose tokens are exchanged each of the tokens they come with. */
export function holderFor(identity: Identity, server: CredentialServer): string {
  const principal = principalFor(identity, server);
  if (principal === GATEWAY || !EXCHANGE_TYPES.has(server.auth?.type ?? 'headers')) return principal;
  const subject = subjectTokenOf(identity);
  return subject ? `${principal}\n${fingerprintOf(subject)}` : principal;
}

const FINGERPRINTS = new WeakMap<SubjectToken, string>();

function fingerprintOf(subject: SubjectToken): string {
  let fingerprint = FINGERPRINTS.get(subject);
  if (fingerprint === undefined) {
    fingerprint = sha256(subject.token);
    FINGERPRINTS.set(subject, fingerprint);
  }
  return fingerprint;
}
