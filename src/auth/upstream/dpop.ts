/**
 * Keys that tokens are bound to (RFC 9449). The key of a login is kept with it, in the vault; proofs are made by the SDK.
 * @module
 */
import type { DpopSession } from '@modelcontextprotocol/client';
import type { ServerAuth } from '../../core/server-auth.ts';
import type { Authority } from './authority.ts';
import { loginFailed } from './failures.ts';
import { sdk } from './sdk.ts';
import type { TokenBinding } from './tokens.ts';

export interface DpopKey {
  readonly session: DpopSession;
  /** To be kept, as a private JWK. */
  readonly jwk: Record<string, unknown>;
}

const ALGORITHM = 'ES256';

/** A new key for a login that needs one. `challenged`: the server's challenge was for DPoP. */
export async function dpopKeyFor(
  server: string,
  { metadata, wantsDpop }: Authority,
  dpop: ServerAuth['dpop'],
  challenged: boolean,
): Promise<DpopKey | undefined> {
  const algorithms = (metadata as { dpop_signing_alg_values_supported?: unknown } | undefined)
    ?.dpop_signing_alg_values_supported;
  const isOffered = Array.isArray(algorithms) && algorithms.includes(ALGORITHM);
  const isWanted = dpop === 'required' || (dpop !== 'off' && (wantsDpop || challenged));
  if (!isWanted) return undefined;
  if (!isOffered && dpop === 'required') {
    throw loginFailed(server, 'its authorization server does not bind tokens to keys (DPoP, ES256)', 'dpop');
  }
  if (!isOffered) return undefined;
  const { DpopSession, generateDpopKeyPair } = await sdk();
  const { exportJWK } = await import('jose');
  const keyPair = await generateDpopKeyPair({ alg: ALGORITHM, extractable: true });
  return { session: await DpopSession.create({ keyPair }), jwk: { ...(await exportJWK(keyPair.privateKey)) } };
}

export const bindingOf = (auth: ServerAuth | undefined, key: object | undefined): TokenBinding => ({
  hasKey: key !== undefined,
  isRequired: auth?.dpop === 'required',
});

export async function dpopSessionOf(jwk: Readonly<Record<string, unknown>>): Promise<DpopSession> {
  const { DpopSession } = await sdk();
  const { calculateJwkThumbprint, importJWK } = await import('jose');
  const { d: _private, ...publicJwk } = jwk;
  const [privateKey, publicKey, thumbprint] = await Promise.all([
    importJWK(jwk, ALGORITHM),
    importJWK(publicJwk, ALGORITHM),
    calculateJwkThumbprint(publicJwk, 'sha256'),
  ]);
  if (privateKey instanceof Uint8Array || publicKey instanceof Uint8Array) throw new TypeError('not an EC key');
  return DpopSession.create({ keyPair: { privateKey, publicKey, publicJwk, thumbprint, alg: ALGORITHM } });
}
