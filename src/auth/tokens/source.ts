/**
 * What every kind of access token is: something that a source says of whose it is, for which addresses and until when.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import type { IssuerConfig } from '../../core/token-issuer.ts';
import { grantRules, isOf, principalOf, scopesOf } from './claims.ts';
import { Issuer, type IssuerOptions } from './issuer.ts';
import { canonicalAudience } from './jwt-text.ts';
import { scopeTable } from './scopes.ts';
import { TokenRefused } from './token-refused.ts';

/** An access token that was verified. */
export interface AcceptedToken {
  readonly identity: Identity;
  /** Addresses it was issued for, in canonical form; undefined: every address of the gateway. */
  readonly audience: readonly string[] | undefined;
  /** Scopes to ask for, where it lacks one that every request needs. */
  readonly missing: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** When it has to be verified again; {@link expiresAt} where its source cannot revoke it. */
  readonly checkAt: number;
}

/** An authorization server, as far as tokens of it are to be verified. */
export interface TokenSource {
  /** What its JWTs have as `iss`. */
  readonly issuer: string;
  /** It also answers about tokens that are no JWT. */
  readonly takesOpaque: boolean;
  /** Whether this principal can only be of its tokens. */
  owns(principal: string): boolean;
  /** Rejects with {@link TokenRefused}, or with a `SwitchboardError` whose message is for the client. */
  verify(token: string): Promise<AcceptedToken>;
}

/** The source of tokens of a configured issuer. */
export function issuerSource(config: IssuerConfig, options: IssuerOptions = {}): TokenSource {
  const issuer = new Issuer(config, options);
  const grantOf = grantRules(config);
  const scopes = scopeTable(config);
  return {
    issuer: config.issuer,
    takesOpaque: config.introspection !== undefined,
    owns: (principal) => isOf(config.issuer, principal),
    async verify(token) {
      const { claims, audience, expiresAt, checkAt } = await issuer.verify(token);
      const principal = principalOf(config.issuer, claims);
      if (principal === undefined) throw new TokenRefused('it names neither a subject nor a client');
      if (audience.length === 0) throw new TokenRefused('it names no audience');
      const given = grantOf(claims);
      if ('refused' in given) throw noGrant(given.refused);
      const held = scopes.expand(scopesOf(claims, config.quirks));
      const identity: Identity = Object.freeze({
        principal,
        grant: given.grant,
        claims: Object.freeze(claims),
        scopes: scopes.limitsOf(held),
      });
      const isForAll = audience.some((each) => config.audience.includes(each));
      return {
        identity,
        audience: isForAll ? undefined : audience.map(canonicalAudience),
        missing: scopes.lacks(held),
        expiresAt,
        checkAt,
      };
    },
  };
}

const noGrant = (why: string): SwitchboardError =>
  new SwitchboardError(
    'SWB_FORBIDDEN',
    'You are logged in, and this gateway gives your account nothing. Ask its operator for a grant.',
    { cause: new TokenRefused(why) },
  );
