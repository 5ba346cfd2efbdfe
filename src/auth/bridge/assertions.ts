/**
 * Enterprise-managed authorization: an identity provider's ID-JAG (`oauth-id-jag+jwt`) is redeemed for an access token, without a
 * page and without a refresh token. Verified are signature, issuer, audience, the client it was made for, its endpoint and its
 * times; each is redeemed once among all replicas.
 * @module
 */
import { createRemoteJWKSet, customFetch, decodeJwt, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type Provider from 'oidc-provider';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { sha256 } from '../../core/hash.ts';
import { JWT_BEARER } from './client-metadata.ts';
import { boundedFetch } from './fetch.ts';
import type { AssertionIssuer, BridgeOptions } from './options.ts';
import { resourceServer, setPerson } from './provider.ts';

const TYPE = 'oauth-id-jag+jwt';
/** Longer ones would have to be remembered for longer. */
const MAX_LIFE_SECONDS = 3_600;
const MAX_CHARS = 16 * 1024;

export function acceptAssertions(provider: Provider, options: BridgeOptions): void {
  const keys = new Map<string, Promise<JWTVerifyGetKey>>();

  async function keysOf(from: AssertionIssuer): Promise<JWTVerifyGetKey> {
    const known = keys.get(from.issuer);
    if (known) return known;
    const found = findKeys(from, options.guard);
    keys.set(from.issuer, found);
    found.catch(() => keys.delete(from.issuer));
    return found;
  }

  async function verify(assertion: string, clientId: string): Promise<{ from: AssertionIssuer; payload: JWTPayload }> {
    if (assertion.length > MAX_CHARS) throw refused('it is too long');
    const from = options.assertions.find(({ issuer }) => issuer === issuerOf(assertion));
    if (!from) throw refused('its issuer is not accepted here');
    let payload: JWTPayload;
    try {
      const verified = await jwtVerify(assertion, await keysOf(from), {
        typ: TYPE,
        issuer: from.issuer,
        audience: options.issuer,
        algorithms: [...from.algorithms],
        requiredClaims: ['jti', 'sub', 'exp', 'iat', 'client_id'],
        maxTokenAge: MAX_LIFE_SECONDS,
        clockTolerance: 30,
      });
      payload = verified.payload;
    } catch (cause) {
      options.log.debug({ err: cause }, 'An assertion was refused.');
      throw refused('it is not valid: signature, type, audience or times');
    }
    if (Array.isArray(payload.aud) && payload.aud.length > 1) throw refused('it is for several audiences');
    if (payload.client_id !== clientId) throw refused('it was made for another client');
    return { from, payload };
  }

  async function redeem(ctx: KoaContextWithOIDC): Promise<void> {
    const { client, params } = ctx.oidc;
    const { assertion } = (params ?? {}) as { assertion?: unknown };
    if (!client || typeof assertion !== 'string')
      throw new errors.InvalidRequest('missing required parameter assertion');
    const { from, payload } = await verify(assertion, client.clientId);
    const resource = resourceOf(payload, params?.resource);
    const server = resourceServer(options, resource);
    const person = from.personOf(payload);
    if (!person) throw refused('nothing here is open to its subject');
    const leftMs = Math.max(1, (payload.exp as number) * 1_000 - Date.now()) + 60_000;
    const id = sha256(JSON.stringify([from.issuer, payload.jti]));
    if (!(await options.store.setIfAbsent('oauth-assertions', id, true, leftMs))) throw refused('it was used already');
    setPerson(ctx, person);
    const token = new provider.AccessToken({ accountId: person.principal, client, gty: JWT_BEARER } as never);
    token.resourceServer = new provider.ResourceServer(resource, server);
    const scope = grantedScope(options.scopes, payload.scope, params?.scope);
    if (scope === '') throw new errors.InvalidScope('none of the scopes is granted', String(params?.scope ?? ''));
    token.scope = scope;
    ctx.oidc.entity('AccessToken', token);
    const value = await token.save();
    ctx.body = { access_token: value, expires_in: token.expiration, token_type: 'Bearer', scope: token.scope };
  }

  provider.registerGrantType(JWT_BEARER, async (ctx) => redeem(ctx as unknown as KoaContextWithOIDC), [
    'assertion',
    'scope',
    'resource',
  ]);
}

const refused = (why: string): Error => new errors.InvalidGrant(`the assertion was refused: ${why}`);

function issuerOf(assertion: string): string | undefined {
  try {
    return decodeJwt(assertion).iss;
  } catch {
    return undefined;
  }
}

/** The endpoint of the assertion; a request that names another one is refused. */
function resourceOf({ resource }: JWTPayload, asked: unknown): string {
  if (typeof resource !== 'string') throw refused('it names no resource, or several');
  if (asked !== undefined && asked !== resource)
    throw new errors.InvalidTarget('the assertion is for another resource');
  return resource;
}

/** Requested ∩ granted ∩ what there is. An assertion without scopes grants the first one, as a login does. */
function grantedScope(known: readonly string[], granted: unknown, requested: unknown): string {
  const names = (scope: unknown): string[] => (typeof scope === 'string' ? scope.split(' ') : []);
  const given = granted === undefined ? known.slice(0, 1) : names(granted);
  const asked = requested === undefined ? given : names(requested);
  return known.filter((name) => given.includes(name) && asked.includes(name)).join(' ');
}

async function findKeys({ issuer, jwksUri }: AssertionIssuer, guard: BridgeOptions['guard']): Promise<JWTVerifyGetKey> {
  const fetchFn = jwksUri === undefined ? boundedFetch({ guard, configured: issuer }) : boundedFetch();
  return createRemoteJWKSet(new URL(jwksUri ?? (await jwksUriOf(issuer, fetchFn))), { [customFetch]: fetchFn });
}

async function jwksUriOf(issuer: string, fetchFn: ReturnType<typeof boundedFetch>): Promise<string> {
  const { discoverAuthorizationServerMetadata } = await import('@modelcontextprotocol/client');
  const uri = (await discoverAuthorizationServerMetadata(issuer, { fetchFn }))?.jwks_uri;
  if (typeof uri !== 'string') throw new Error('The issuer has no metadata, or none with keys.');
  return uri;
}
