/**
 * What the claims of an access token mean here: whose it is, which grant it has, which scopes.
 * @module
 */

import { globMatcher } from '../../core/globs.ts';
import { LOCAL_PRINCIPAL } from '../../core/identity.ts';
import type { IssuerConfig } from '../../core/token-issuer.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

/** Visible characters, without what separates the parts of a principal. */
const PLAIN = /^[A-Za-z0-9._@:|~+=/-]{1,256}$/;

/** Longest subject that is accepted. OpenID Connect Core, section 2: 255 characters. */
const MAX_SUBJECT = 512;

/**
 * Issuer and subject, unique among all principals: a grant's name has no `/`, and an issuer neither `#` nor `?`. A machine whose
 * tokens have no subject is known by its client id. Undefined: the token names no subject.
 */
export function principalOf(issuer: string, claims: JsonObject): string | undefined {
  const { sub } = claims;
  if (typeof sub === 'string' && sub !== '' && sub.length <= MAX_SUBJECT) return `${issuer}#${spelled(sub)}`;
  const client = clientOf(claims);
  return sub === undefined && client !== undefined && client.length <= MAX_SUBJECT
    ? `${issuer}?client=${spelled(client)}`
    : undefined;
}

/** Whether a principal is one of this issuer. */
export const isOf = (issuer: string, principal: string): boolean =>
  principal.startsWith(issuer) && /^(?:#|\?client=)/.test(principal.slice(issuer.length));

const spelled = (name: string): string => (PLAIN.test(name) ? name : encodeURIComponent(name.toWellFormed()));

/** The client the token was issued to: of RFC 9068, OpenID Connect, Entra's first version, Okta. */
export function clientOf({ client_id, azp, appid, cid }: JsonObject): string | undefined {
  return [client_id, azp, appid, cid].find((name): name is string => typeof name === 'string' && name !== '');
}

/** `{ grant: undefined }`: no grant binds it. `refused`: it has none and its holder may do nothing; why, for the log. */
export type GivenGrant = { grant: string | undefined } | { refused: string };

/** Which grant a token has. */
export function grantRules({
  grants,
  grant: usual,
}: Pick<IssuerConfig, 'grants' | 'grant'>): (claims: JsonObject) => GivenGrant {
  const given = (name: string) => ({ grant: name === LOCAL_PRINCIPAL ? undefined : name });
  const rules = grants.map(({ claim, values, grant }) => ({ claim, matchers: values.map(globMatcher), grant }));
  return (claims) => {
    let isUnverified = false;
    for (const { claim, matchers, grant } of rules) {
      if (!textsOf(claimAt(claims, claim)).some((text) => matchers.some((matches) => matches(text) === true))) continue;
      // Providers let people claim an address that is another person's until it is verified (OpenID Connect Core, 5.1 and 5.7).
      if (claim !== 'email' || claims.email_verified === true) return given(grant);
      isUnverified = true;
    }
    // The grant for all others may be wider than the one that the rule holds this address to.
    if (isUnverified) return { refused: 'a rule about its email fits, and email_verified is not true' };
    if (usual !== undefined) return given(usual);
    return { refused: 'no rule of its issuer gives it a grant, and there is none for all others' };
  };
}

/** A claim by its name, or by a path: names of claims may hold dots themselves. */
export function claimAt(claims: JsonObject, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const part of path.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, part)) return undefined;
    value = value[part];
  }
  return value;
}

/** More than any issuer puts into a token that fits a header. */
const MAX_VALUES = 1_000;

function textsOf(value: unknown): string[] {
  const values = Array.isArray(value) ? value.slice(0, MAX_VALUES) : [value];
  return values.flatMap((each) =>
    typeof each === 'string' || typeof each === 'boolean' || typeof each === 'number' ? [String(each)] : [],
  );
}

/**
 * The scopes of a token. `scope` is a text of RFC 9068, `scp` Entra's text and Okta's list. Entra has the permissions of
 * machines as `roles`, Auth0 those of people as `permissions`.
 */
export function scopesOf(claims: JsonObject, quirks: IssuerConfig['quirks']): string[] {
  const found = [...wordsOf(claims.scope), ...wordsOf(claims.scp)];
  if (quirks === 'entra') found.push(...wordsOf(claims.roles));
  if (quirks === 'auth0') found.push(...wordsOf(claims.permissions));
  return found;
}

const wordsOf = (value: unknown): string[] =>
  typeof value === 'string' ? value.split(' ').filter((word) => word !== '') : textsOf(value);

/**
 * Why these claims are no access token's, though the issuer signed them; undefined where they may be one's. `isCertain`: the
 * issuer has said that they are.
 */
export function kindProblem(
  claims: JsonObject,
  quirks: IssuerConfig['quirks'],
  isCertain: boolean,
): string | undefined {
  // A token that is bound to a key or certificate needs a proof that Bearer does not carry (RFC 9449, 7.2; RFC 8705, 3).
  if (claims.cnf !== undefined) return 'it is bound to a key of its client (cnf) and was sent as a Bearer token';
  if (isCertain) return undefined;
  switch (quirks) {
    case 'keycloak':
      // The header of all of Keycloak's tokens says JWT.
      return claims.typ === undefined || claims.typ === 'Bearer'
        ? undefined
        : `its typ is ${JSON.stringify(claims.typ)}`;
    case 'entra':
      // An ID token of the same application has the same audience, and no client it was issued to.
      return clientOf(claims) === undefined ? 'it names no client (azp or appid), so it is an ID token' : undefined;
    default:
      return claims.nonce !== undefined || claims.at_hash !== undefined || claims.events !== undefined
        ? 'it is an ID token or another token of OpenID Connect'
        : undefined;
  }
}
