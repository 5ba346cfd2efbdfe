/**
 * The public keys of an issuer. They are kept; a key that is not among them makes them be fetched again, no more often than
 * once in a while, whatever tokens are presented.
 * @module
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { Kept, type KeptTimes } from './kept.ts';

type KeySet = ReturnType<typeof createLocalJWKSet>;

export interface KeyTimes extends KeptTimes {
  /** An unknown key makes no fetch sooner than this after the last one. */
  cooldownMs: number;
}

/** Rejects with what `load` did, or with an error of jose where no key fits. */
export function issuerKeys(
  load: () => Promise<unknown>,
  { cooldownMs, ...times }: KeyTimes,
  now: () => number,
): JWTVerifyGetKey {
  // `createLocalJWKSet` refuses what is no set of keys, so that one is never kept.
  const kept = new Kept<KeySet>(async () => createLocalJWKSet((await load()) as JSONWebKeySet), times, now);
  let lastUnknown = Number.NEGATIVE_INFINITY;
  return async (header, token) => {
    const keys = await kept.get();
    try {
      return await keys(header, token);
    } catch (error) {
      const since = Math.max(lastUnknown, kept.fetchedAt ?? 0);
      if (!(error instanceof errors.JWKSNoMatchingKey) || now() - since < cooldownMs) throw error;
      lastUnknown = now();
      return (await kept.refresh())(header, token);
    }
  };
}
