/**
 * Access tokens of the bridge, verified in this process: signature, type, issuer and times, and that the login behind them was not
 * revoked.
 * @module
 */
import { importJWK, type JWTPayload, jwtVerify } from 'jose';
import { type Identity, LOCAL_PRINCIPAL } from '../../core/identity.ts';
import { isOf } from '../tokens/claims.ts';
import type { ScopeTable } from '../tokens/scopes.ts';
import type { AcceptedToken, TokenSource } from '../tokens/source.ts';
import { TokenRefused } from '../tokens/token-refused.ts';
import type { Bridge } from './bridge.ts';
import type { Person } from './options.ts';
import { PERSON_CLAIM } from './provider.ts';

/** How soon a revoked login ends in every replica. */
const CHECK_MS = 15_000;

/** `scopes`: what those of its tokens allow. */
export function bridgeSource(bridge: Bridge, scopes: ScopeTable): TokenSource {
  const key = importJWK(bridge.publicKey, 'ES256');
  const owned = [bridge.issuer, ...bridge.loginIssuers];

  async function claimsOf(token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, await key, {
        typ: 'at+jwt',
        issuer: bridge.issuer,
        algorithms: ['ES256'],
        requiredClaims: ['aud', 'exp', 'sub', 'client_id', PERSON_CLAIM],
      });
      return payload;
    } catch (error) {
      throw new TokenRefused((error as Error).message);
    }
  }

  return {
    issuer: bridge.issuer,
    takesOpaque: false,
    owns: (principal) => owned.some((issuer) => isOf(issuer, principal)),
    async verify(token): Promise<AcceptedToken> {
      const payload = await claimsOf(token);
      const { login, ...person } = payload[PERSON_CLAIM] as Person & { login?: string };
      if (login !== undefined && (await bridge.isRevoked(login))) throw new TokenRefused('its login was revoked');
      const held = scopes.expand(String(payload.scope ?? '').split(' '));
      const expiresAt = (payload.exp as number) * 1_000;
      return {
        identity: identityOf(person, payload, scopes.limitsOf(held)),
        audience: [payload.aud as string],
        missing: scopes.lacks(held),
        expiresAt,
        checkAt: login === undefined ? expiresAt : Math.min(expiresAt, Date.now() + CHECK_MS),
      };
    },
  };
}

function identityOf(
  { principal, grant }: Person,
  { iss, sub, client_id, scope }: JWTPayload,
  scopes: Identity['scopes'],
): Identity {
  return Object.freeze({
    principal,
    grant: grant === LOCAL_PRINCIPAL ? undefined : grant,
    claims: Object.freeze({ iss, sub, client_id, ...(scope === undefined ? {} : { scope }) }) as Identity['claims'],
    ...(scopes ? { scopes } : {}),
  });
}
