/**
 * Accepts access tokens beside the keys of grants and the gateway's token.
 *
 * A token is verified once, which takes a promise, and found by its hash afterwards, which takes none. What differs from one
 * request to the next is judged each time: whether it has expired, whether it was issued for the address it is sent to, whether
 * its grant is still there. A refused client learns that its token is not valid, and nothing else; the log says why.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import { type Authenticator, type AuthRequest, type Identity, LOCAL_PRINCIPAL } from '../../core/identity.ts';
import { noteSubjectToken } from '../../core/subject-tokens.ts';
import type { Keys } from '../authenticators.ts';
import { bearerToken, REALM, unauthenticated } from '../bearer.ts';
import { insufficientScope } from './insufficient-scope.ts';
import { issuerNamedIn } from './jwt-text.ts';
import type { AcceptedToken, TokenSource } from './source.ts';
import { TokenRefused } from './token-refused.ts';

export interface TokenOptions {
  sources: readonly TokenSource[];
  /** The address of the protected resource a request is for, in canonical form; and that of the whole gateway. */
  addressOf(request: AuthRequest): { resource: string; gateway: string };
  /** Says which grants there are. */
  keys?: Pick<Keys, 'isValid'> | undefined;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** Tokens and holders that are remembered, and tokens that are verified at one time. */
const MAX_KNOWN = 10_000;
const MAX_PENDING = 256;

const KEY = /^swb_/;

/** RFC 8693, section 3. */
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** `keys`: who accepts every other credential, and refuses requests without any. */
export function besideKeys(keys: Authenticator, options: TokenOptions): Authenticator {
  const tokens = new Tokens(options);
  return {
    authenticate(request) {
      refuseTokenInUrl(request.url);
      const presented = bearerToken(request);
      if (presented === undefined || KEY.test(presented)) return keys.authenticate(request);
      const id = sha256(presented);
      const known = tokens.find(id);
      if (known) return tokens.admit(known, request);
      const named = issuerNamedIn(presented);
      const sources = named === undefined ? tokens.opaque : tokens.ofIssuer(named);
      if (sources.length === 0) return keys.authenticate(request);
      if (named !== undefined) return tokens.authenticate(id, presented, sources, request);
      try {
        return keys.authenticate(request);
      } catch (error) {
        if (!(error instanceof SwitchboardError) || error.code !== 'SWB_UNAUTHENTICATED') throw error;
        return tokens.authenticate(id, presented, sources, request);
      }
    },
    isValid: (identity) =>
      tokens.owns(identity)
        ? tokens.isValid(identity) || (hasKeys(identity) && keys.isValid(identity))
        : keys.isValid(identity),
    mayReturn: (identity) =>
      tokens.owns(identity) ? tokens.hasGrant(identity) : (keys.mayReturn?.(identity) ?? false),
    open: false,
    severalPrincipals: true,
    get version() {
      return keys.version ?? 0;
    },
  };
}

/** Whether keys may belong to the same identity. */
const hasKeys = ({ principal, grant }: Identity): boolean => principal === (grant ?? LOCAL_PRINCIPAL);

class Tokens {
  /** Asked about tokens that do not say whose they are. */
  readonly opaque: readonly TokenSource[];
  readonly #sources: ReadonlyMap<string, readonly TokenSource[]>;
  readonly #options: TokenOptions;
  readonly #now: () => number;
  readonly #known = new Map<string, AcceptedToken>();
  readonly #pending = new Map<string, Promise<AcceptedToken>>();
  /** Until when the newest token of a holder is valid. */
  readonly #validUntil = new Map<string, number>();

  constructor(options: TokenOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#sources = new Map(options.sources.map((source) => [source.issuer, [source]]));
    this.opaque = options.sources.filter(({ takesOpaque }) => takesOpaque);
  }

  ofIssuer(issuer: string): readonly TokenSource[] {
    return this.#sources.get(issuer) ?? NONE;
  }

  owns(identity: Identity): boolean {
    const { principal } = identity;
    return this.#validUntil.has(holderOf(identity)) || this.#options.sources.some((source) => source.owns(principal));
  }

  isValid(identity: Identity): boolean {
    return this.hasGrant(identity) && this.#now() < (this.#validUntil.get(holderOf(identity)) ?? 0);
  }

  hasGrant({ grant }: Identity): boolean {
    return grant === undefined || this.#options.keys?.isValid(grant) === true;
  }

  /** `id` is the hash of the token. */
  async authenticate(
    id: string,
    token: string,
    sources: readonly TokenSource[],
    request: AuthRequest,
  ): Promise<Identity> {
    return this.admit(await this.#verify(id, token, sources), request);
  }

  find(id: string): AcceptedToken | undefined {
    const known = this.#known.get(id);
    if (!known || this.#now() < known.checkAt) return known;
    this.#known.delete(id);
    return undefined;
  }

  /** Clients send several requests at once with a new token: it is verified once. */
  #verify(id: string, token: string, sources: readonly TokenSource[]): Promise<AcceptedToken> {
    const pending = this.#pending.get(id);
    if (pending) return pending;
    if (this.#pending.size >= MAX_PENDING) {
      const busy = 'Too many access tokens are being checked. Try again later.';
      return Promise.reject(new SwitchboardError('SWB_BUSY', busy, { retryAfterMs: 1_000 }));
    }
    const verifying = verifiedBy(sources, token)
      .then((accepted) => {
        this.#remember(id, accepted);
        noteSubjectToken(accepted.identity, { token, type: ACCESS_TOKEN });
        return accepted;
      })
      .finally(() => this.#pending.delete(id));
    this.#pending.set(id, verifying);
    return verifying;
  }

  #remember(id: string, accepted: AcceptedToken): void {
    this.#known.set(id, accepted);
    if (this.#known.size > MAX_KNOWN) this.#known.delete(firstOf(this.#known));
    const holder = holderOf(accepted.identity);
    const until = Math.max(accepted.expiresAt, this.#validUntil.get(holder) ?? 0);
    // The holder who came last is forgotten last.
    this.#validUntil.delete(holder);
    this.#validUntil.set(holder, until);
    if (this.#validUntil.size > MAX_KNOWN) this.#validUntil.delete(firstOf(this.#validUntil));
  }

  admit({ identity, audience, missing }: AcceptedToken, request: AuthRequest): Identity {
    if (audience) {
      const { resource, gateway } = this.#options.addressOf(request);
      if (!audience.includes(resource) && !audience.includes(gateway)) {
        const found = audience.map((each) => JSON.stringify(each)).join(', ');
        throw invalidToken(
          new TokenRefused(`its audience is ${found}, and it was sent to ${JSON.stringify(resource)}`),
        );
      }
    }
    if (!this.hasGrant(identity)) {
      throw invalidToken(new TokenRefused(`its grant "${identity.grant}" is not there, or has expired`));
    }
    if (missing.length > 0) throw insufficientScope(missing);
    return identity;
  }
}

async function verifiedBy(sources: readonly TokenSource[], token: string): Promise<AcceptedToken> {
  let refused: unknown;
  for (const source of sources) {
    try {
      return await source.verify(token);
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      refused = error;
    }
  }
  throw invalidToken(refused);
}

const NONE: readonly TokenSource[] = [];

const firstOf = (map: ReadonlyMap<string, unknown>): string => map.keys().next().value as string;

const holderOf = ({ principal, grant }: Identity): string => `${grant ?? ''}\n${principal}`;

/** A URL ends up in logs, histories and `Referer` headers (RFC 6750, section 5.3; 2026-07-28 authorization, "Token Handling"). */
function refuseTokenInUrl(url = ''): void {
  if (!url.includes('?') || !/[?&]access_token=/i.test(url)) return;
  throw new SwitchboardError(
    'SWB_INVALID_REQUEST',
    "Access tokens are not accepted in the URL, where logs would keep them. Send 'Authorization: Bearer <token>', and have this token revoked.",
    { challenge: `Bearer realm="${REALM}", error="invalid_request"` },
  );
}

const invalidToken = (cause: unknown): SwitchboardError =>
  unauthenticated('The token is not valid.', { realm: REALM, error: 'invalid_token', cause });
