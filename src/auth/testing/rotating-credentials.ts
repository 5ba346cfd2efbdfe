/**
 * Credentials as a vault of tokens would give them: each principal has its own, the first is fetched, later ones are at
 * hand, and a refused one is replaced once however many requests were refused with it.
 * @module
 */
import type { CredentialHeaders, Credentials } from '../../core/credentials.ts';

export interface RotatingCredentials extends Credentials {
  /** Which token of its series a principal has now: `<principal>-<n>`. */
  readonly issued: Map<string, number>;
  /** Every refusal that was reported, as `<principal> <status> <challenge>`. */
  readonly refusals: string[];
}

export function rotatingCredentials(): RotatingCredentials {
  const issued = new Map<string, number>();
  const refusals: string[] = [];
  const current = new Map<string, CredentialHeaders>();
  const fetching = new Map<string, Promise<CredentialHeaders>>();

  async function fetchToken(principal: string): Promise<CredentialHeaders> {
    await Promise.resolve();
    const n = (issued.get(principal) ?? 0) + 1;
    issued.set(principal, n);
    const headers = Object.freeze({ Authorization: `Bearer ${principal}-${n}` });
    current.set(principal, headers);
    fetching.delete(principal);
    return headers;
  }

  return {
    issued,
    refusals,
    headersFor({ principal }) {
      const known = current.get(principal);
      if (known) return known;
      const under = fetching.get(principal) ?? fetchToken(principal);
      fetching.set(principal, under);
      return under;
    },
    async refused({ identity: { principal }, status, challenge }) {
      refusals.push(`${principal} ${status} ${challenge}`);
      if (status === 403) return 'give-up';
      current.delete(principal);
      return 'retry';
    },
  };
}
