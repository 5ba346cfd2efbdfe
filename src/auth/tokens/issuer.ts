/**
 * One issuer whose access tokens are accepted: verifies a token by the issuer's keys, or asks the issuer about it.
 * @module
 */
import { errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyResult, jwtVerify } from 'jose';
import type { NetworkGuard } from '../../core/adapter.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { IssuerConfig } from '../../core/token-issuer.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { kindProblem } from './claims.ts';
import { fetchJson, UnexpectedStatus } from './fetch-json.ts';
import { issuerKeys } from './issuer-keys.ts';
import { KEPT_TIMES, Kept } from './kept.ts';
import { endpointIn, fetchMetadata } from './metadata.ts';
import { TokenRefused } from './token-refused.ts';

export interface IssuerOptions {
  /** Of addresses that are not configured. */
  guard?: NetworkGuard | undefined;
  /** Milliseconds since the epoch. */
  now?: () => number;
  times?: Partial<IssuerTimes>;
}

export interface IssuerTimes {
  cooldownMs: number;
  retryMs: number;
  /** How long an answer about a token holds: it may be revoked at any time. */
  introspectionMs: number;
}

/** A token of the issuer, verified but for its audience. */
export interface VerifiedToken {
  claims: JsonObject;
  audience: readonly string[];
  /** Milliseconds since the epoch. */
  expiresAt: number;
  /** When it has to be verified again. */
  checkAt: number;
}

/** Clocks differ by a little. */
const CLOCK_TOLERANCE_S = 10;

const TIMES: IssuerTimes = { cooldownMs: 30_000, retryMs: KEPT_TIMES.retryMs, introspectionMs: 60_000 };

/** JWTs that are access tokens, or do not say what they are (RFC 9068, section 2.1). */
const ACCESS_TOKEN_TYPE = /^(?:application\/)?at\+jwt$/i;
const ANY_TYPE = /^(?:application\/)?jwt$/i;

export class Issuer {
  readonly config: IssuerConfig;
  readonly #guard: NetworkGuard | undefined;
  readonly #now: () => number;
  readonly #times: IssuerTimes;
  readonly #metadata: Kept<JsonObject>;
  readonly #keys: JWTVerifyGetKey;

  constructor(config: IssuerConfig, { guard, now = Date.now, times = {} }: IssuerOptions = {}) {
    this.config = config;
    this.#guard = guard;
    this.#now = now;
    this.#times = { ...TIMES, ...times };
    const kept = { ...KEPT_TIMES, retryMs: this.#times.retryMs };
    this.#metadata = new Kept(() => fetchMetadata(config.issuer), kept, now);
    this.#keys = issuerKeys(() => this.#fetchKeys(), { ...kept, cooldownMs: this.#times.cooldownMs }, now);
  }

  /** Rejects with {@link TokenRefused}, or with `SWB_ISSUER_UNAVAILABLE` where the issuer cannot be reached. */
  async verify(token: string): Promise<VerifiedToken> {
    try {
      return this.config.introspection ? await this.#introspect(token) : await this.#verifyJwt(token);
    } catch (error) {
      if (error instanceof TokenRefused) throw error;
      if (error instanceof errors.JOSEError) throw new TokenRefused(reasonOf(error), { cause: error });
      throw unavailable(error, this.#times.retryMs);
    }
  }

  async #verifyJwt(token: string): Promise<VerifiedToken> {
    const { payload, protectedHeader } = await this.#verified(token);
    const { typ } = protectedHeader;
    const isAccessToken = typ !== undefined && ACCESS_TOKEN_TYPE.test(typ);
    if (typ !== undefined && !isAccessToken && !ANY_TYPE.test(typ)) {
      throw new TokenRefused(
        `its header says that it is something else than an access token (typ ${JSON.stringify(typ)})`,
      );
    }
    const claims = payload as JsonObject;
    const problem = kindProblem(claims, this.config.quirks, isAccessToken);
    if (problem !== undefined) throw new TokenRefused(problem);
    const expiresAt = expiryOf(payload);
    return { claims, audience: audienceOf(claims), expiresAt, checkAt: expiresAt };
  }

  async #verified(token: string): Promise<JWTVerifyResult> {
    const options = {
      issuer: this.config.issuer,
      algorithms: [...this.config.algorithms],
      clockTolerance: CLOCK_TOLERANCE_S,
      requiredClaims: ['exp'],
      currentDate: new Date(this.#now()),
    };
    try {
      return await jwtVerify(token, this.#keys, options);
    } catch (error) {
      // The token names no key and several may be meant.
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      for await (const key of error) {
        const found = await jwtVerify(token, key, options).catch((failure: unknown) => {
          if (failure instanceof errors.JWSSignatureVerificationFailed) return undefined;
          throw failure;
        });
        if (found) return found;
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  }

  async #fetchKeys(): Promise<unknown> {
    const { jwksUri, issuer } = this.config;
    if (jwksUri !== undefined) return fetchJson(new URL(jwksUri));
    const { url, guard } = await endpointIn(await this.#metadata.get(), 'jwks_uri', issuer, this.#guard);
    return fetchJson(url, { guard });
  }

  /** RFC 7662. The issuer answers for signature and time; what the answer says is checked all the same. */
  async #introspect(token: string): Promise<VerifiedToken> {
    const { issuer, quirks } = this.config;
    const { endpoint, clientId, clientSecret } = this.config.introspection as NonNullable<
      IssuerConfig['introspection']
    >;
    const { url, guard } =
      endpoint === undefined
        ? await endpointIn(await this.#metadata.get(), 'introspection_endpoint', issuer, this.#guard)
        : { url: new URL(endpoint), guard: undefined };
    // RFC 6749, section 2.3.1.
    const credentials = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`;
    const claims = await fetchJson(url, {
      method: 'POST',
      guard,
      headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
      body: new URLSearchParams({ token, token_type_hint: 'access_token' }),
    }).catch((error: unknown) => {
      // What some issuers say of a token that they do not know by its form.
      if (error instanceof UnexpectedStatus && error.status === 400)
        throw new TokenRefused('its issuer could not read it', { cause: error });
      throw error;
    });
    const now = this.#now();
    if (claims.active !== true) throw new TokenRefused('its issuer says that it is not active');
    if (claims.iss !== undefined && claims.iss !== issuer) throw new TokenRefused('it is of another issuer');
    const { token_type: type } = claims;
    if (typeof type === 'string' && type.toLowerCase() !== 'bearer' && type.toLowerCase() !== 'access_token')
      throw new TokenRefused(`its issuer says that it is no Bearer token (${JSON.stringify(type)})`);
    const problem = kindProblem(claims, quirks, true);
    if (problem !== undefined) throw new TokenRefused(problem);
    const checkAt = now + this.#times.introspectionMs;
    const expiresAt = typeof claims.exp === 'number' ? expiryOf(claims) : checkAt;
    if (expiresAt <= now) throw new TokenRefused('it has expired');
    if (typeof claims.nbf === 'number' && (claims.nbf - CLOCK_TOLERANCE_S) * 1000 > now)
      throw new TokenRefused('it is not valid yet');
    return { claims, audience: audienceOf(claims), expiresAt, checkAt: Math.min(checkAt, expiresAt) };
  }
}

const expiryOf = ({ exp }: JWTPayload | JsonObject): number => (Number(exp) + CLOCK_TOLERANCE_S) * 1000;

const audienceOf = ({ aud }: JsonObject): string[] =>
  (Array.isArray(aud) ? aud : [aud]).filter((each): each is string => typeof each === 'string');

/** In words of ours: those of the library may quote the token. */
function reasonOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return `its claim ${error.claim} does not fit (${error.reason})`;
  if (error instanceof errors.JOSEAlgNotAllowed) return 'it is signed with an algorithm that is not accepted';
  if (error instanceof errors.JWKSNoMatchingKey) return 'its issuer has no such key';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is not valid';
  return `it is malformed (${error.code})`;
}

const unavailable = (cause: unknown, retryAfterMs: number): SwitchboardError =>
  new SwitchboardError(
    'SWB_ISSUER_UNAVAILABLE',
    'The access token cannot be checked now, because its issuer cannot be reached. Try again later.',
    { retryAfterMs, cause },
  );
