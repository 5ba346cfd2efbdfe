/**
 * Credentials from the vault: each request carries the token of its principal, ends with `SWB_LOGIN_NEEDED` where there is none and the
 * server asks for one, and is sent again once with a renewed token where the server refused the old one, so that it did not run.
 *
 * Whose token: the principal's own, or the gateway's where the server has one login for all. Requests of the gateway's own
 * (lists, health) to a server where each logs in for himself carry the gateway's login where there is one, and else that of
 * a principal who is logged in: what a server lists is shown to all, what it does is done for one.
 * @module
 */
import {
  type AfterRefusal,
  AWAITS_CALLER,
  type CredentialHeaders,
  type CredentialRefusal,
  type CredentialServer,
  type Credentials,
  type CredentialUse,
  GATEWAY_IDENTITY,
} from '../../core/credentials.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import { staticCredentials } from '../static-credentials.ts';
import { hasMetadata } from './authority.ts';
import { type Challenge, readChallenge } from './challenge.ts';
import { Discoveries } from './discoveries.ts';
import { dpopSessionOf } from './dpop.ts';
import type { Fetch } from './guarded-fetch.ts';
import { type Held, HeldTokens, heldToken, nothingHeld } from './held.ts';
import { GATEWAY, holderFor, principalFor } from './holders.ts';
import { MACHINE_TYPES, machineToken } from './machine-flows.ts';
import { Needs } from './needs.ts';
import type { Renewal } from './renewal.ts';
import { type LoginReason, loginNeeded } from './types.ts';
import type { StoredLogin, Vault } from './vault.ts';

export interface UpstreamTokensOptions {
  readonly vault: Vault;
  readonly renewal: Renewal;
  fetchFor(server: CredentialServer): Fetch;
}

/** Failures, and servers that were asked for their metadata, that are remembered. */
const MAX_KEPT = 10_000;
/** How long a failure to get a token stands, so that requests do not ask an issuer again and again. */
const FAILED_MS = 2_000;
const DESCRIBED_MS = 60_000;

export class UpstreamTokens implements Credentials {
  readonly #options: UpstreamTokensOptions;
  readonly #held = new HeldTokens();
  /** Servers that are known to take tokens: others cost nothing. */
  readonly #takingTokens = new Set<string>();
  readonly #finding = new Map<string, Promise<Held>>();
  readonly #discoveries = new Discoveries();
  readonly #failed = new Map<string, { error: SwitchboardError; until: number }>();
  readonly #described = new Map<string, { url: string; is: Promise<boolean>; until: number }>();
  readonly needs = new Needs();
  /** Which of the held tokens a request with a proof carried. */
  readonly #proven = new WeakMap<CredentialHeaders, Held>();

  constructor(options: UpstreamTokensOptions) {
    this.#options = options;
  }

  readonly loginFor = staticCredentials.loginFor;

  headersFor(
    identity: Identity,
    server: CredentialServer,
    use?: CredentialUse,
  ): CredentialHeaders | Promise<CredentialHeaders> {
    const { auth, name, url, headers } = server;
    if (auth === undefined || auth.type === 'headers') return headers;
    if (auth.type === 'auto' && !this.#takingTokens.has(name)) return headers;
    const held = this.#held.get(name, holderFor(identity, server));
    if (held && held.url === url && Date.now() < held.until) return this.#shown(held, server, use);
    return this.#find(identity, server).then((found) => this.#shown(found, server, use));
  }

  async refused(refusal: CredentialRefusal): Promise<AfterRefusal> {
    const { identity, server, status, nonce, shown } = refusal;
    const challenge = readChallenge(refusal.challenge);
    if (!this.#concerns(server, challenge) && !(status === 401 && (await this.#isDescribed(server)))) return 'give-up';
    const held = this.#heldOf(identity, server, shown);
    if (nonce !== undefined && held?.dpop && challenge.error === 'use_dpop_nonce') {
      held.dpop.rememberNonce(server.url, nonce);
      return 'retry';
    }
    this.#takingTokens.add(server.name);
    const isMachine = MACHINE_TYPES.has(server.auth?.type ?? 'headers');
    if (status === 403) return this.#forbidden(identity, server, challenge, held, isMachine);
    const principal = holderFor(identity, server);
    const now = this.#held.get(server.name, principal);
    // Another request has got a new one meanwhile.
    if (now?.token && now.token.accessToken !== held?.token?.accessToken) return 'retry';
    this.needs.note(server.name, undefined, 'login', challenge);
    // Without one it was sent to learn where to get one.
    if (isMachine) {
      if (held?.token) this.#discoveries.doubt(server.name);
      return this.#again(server, principal, challenge);
    }
    if (challenge.error === 'insufficient_user_authentication') {
      throw this.#needing(identity, server, 'step-up', challenge, held?.login?.scopes);
    }
    if (!held?.token) {
      // It may have logged in since the request left.
      if (held === undefined || now === undefined) this.#held.delete(server.name, principal);
      const found = await this.#find(identity, server);
      if (!found.token) throw this.#needing(identity, server, 'login', challenge);
      // What was at hand may have been forgotten meanwhile, and be found again.
      const isSame = shown !== undefined && isSameToken(found.headers, shown);
      return isSame ? this.#renewed(identity, server, challenge, found) : 'retry';
    }
    return this.#renewed(identity, server, challenge, held);
  }

  answered(server: CredentialServer, shown: CredentialHeaders, nonce: string): void {
    this.#proven.get(shown)?.dpop?.rememberNonce(server.url, nonce);
  }

  refusedAgain({ identity, server, status, challenge: text, shown }: CredentialRefusal): SwitchboardError | undefined {
    const challenge = readChallenge(text);
    if (!this.#concerns(server, challenge) || MACHINE_TYPES.has(server.auth?.type ?? 'headers')) return undefined;
    const held = this.#heldOf(identity, server, shown);
    if (status === 401) return this.#needing(identity, server, held?.token ? 'expired' : 'login', challenge);
    const lacking = lacks(challenge, held);
    return lacking ? this.#needing(identity, server, 'step-up', challenge, held?.login?.scopes) : undefined;
  }

  /** What is known of this principal's token has changed: by a login, its end, or in another replica. */
  changed(server: string, principal: string, isLoggedIn: boolean): void {
    // A search under way may end with what was there before.
    this.#finding.delete(keyOf(server, principal));
    this.#held.delete(server, principal);
    this.#held.delete(server, GATEWAY);
    this.#failed.delete(keyOf(server, principal));
    if (!isLoggedIn) return;
    this.#takingTokens.add(server);
    this.needs.met(server, principal);
  }

  /** A server whose tokens stand in the vault. */
  takesTokens(server: string): void {
    this.#takingTokens.add(server);
  }

  /** Only what says that it wants a token is asked for logins; what is configured to have them need not say it. */
  #concerns({ auth, name }: CredentialServer, challenge: Challenge): boolean {
    if (auth === undefined || auth.type === 'headers') return false;
    if (auth.type !== 'auto' || this.#takingTokens.has(name)) return true;
    return challenge.asksForToken && challenge.resourceMetadata !== undefined;
  }

  /** Whether a server that did not say where its metadata are has some all the same. Asked once a minute at most. */
  async #isDescribed(server: CredentialServer): Promise<boolean> {
    const { auth, name } = server;
    if (auth?.type !== 'auto') return false;
    const known = this.#described.get(name);
    if (known && known.url === server.url && Date.now() < known.until) return known.is;
    const is = hasMetadata(server, this.#options.fetchFor(server));
    if (this.#described.size >= MAX_KEPT) this.#described.clear();
    this.#described.set(name, { url: server.url, is, until: Date.now() + DESCRIBED_MS });
    return is;
  }

  /** The token a refused request carried; where that is not said, the one there is. */
  #heldOf(identity: Identity, server: CredentialServer, shown: CredentialHeaders | undefined): Held | undefined {
    const atHand = this.#held.get(server.name, holderFor(identity, server));
    if (shown === undefined) return atHand;
    const proven = this.#proven.get(shown);
    if (proven) return proven;
    // The same token may have been forgotten and found again since: compared by its text.
    return atHand && (atHand.headers === shown || isSameToken(atHand.headers, shown)) ? atHand : undefined;
  }

  #shown(
    held: Held,
    server: CredentialServer,
    use: CredentialUse | undefined,
  ): CredentialHeaders | Promise<CredentialHeaders> {
    return held.dpop && held.token?.tokenType === 'DPoP' ? this.#prove(held, server, use) : held.headers;
  }

  /** The token with a proof for this one request. */
  async #prove(held: Held, server: CredentialServer, use: CredentialUse | undefined): Promise<CredentialHeaders> {
    const htu = use === undefined ? server.url : new URL(use.path, server.url).href;
    const proof = await held.dpop?.buildProof({
      ...{ htm: use?.method ?? 'POST', htu },
      accessToken: held.token?.accessToken ?? '',
    });
    const headers = Object.freeze({ ...held.headers, DPoP: proof ?? '' });
    this.#proven.set(headers, held);
    return headers;
  }

  #find(identity: Identity, server: CredentialServer): Promise<Held> {
    const principal = holderFor(identity, server);
    const key = keyOf(server.name, principal);
    const failed = this.#failed.get(key);
    if (failed && Date.now() < failed.until) return Promise.reject(failed.error);
    let finding = this.#finding.get(key);
    if (!finding) {
      finding = this.#findOnce(identity, server)
        .then(
          (held) => {
            this.#failed.delete(key);
            // The gateway itself may use it now.
            if (held.token) this.#failed.delete(keyOf(server.name, GATEWAY));
            this.#held.set(server.name, principal, held);
            return held;
          },
          (error: unknown) => {
            this.#fail(key, error);
            throw error;
          },
        )
        .finally(() => this.#finding.delete(key));
      this.#finding.set(key, finding);
    }
    return finding;
  }

  #fail(key: string, error: unknown): void {
    if (!(error instanceof SwitchboardError) || error.code === 'SWB_LOGIN_NEEDED') return;
    if (this.#failed.size >= MAX_KEPT) this.#failed.clear();
    this.#failed.set(key, { error, until: Date.now() + FAILED_MS });
  }

  async #findOnce(identity: Identity, server: CredentialServer): Promise<Held> {
    const principal = principalFor(identity, server);
    const { name, auth, url, headers } = server;
    if (MACHINE_TYPES.has(auth?.type ?? 'headers')) return this.#machine(identity, server, holderFor(identity, server));
    const login = await this.#loginOf(server, principal);
    if (login === 'over') {
      const need = this.needs.of(name, principal);
      throw this.#needing(identity, server, 'expired', undefined, need?.scopes);
    }
    if (login) return this.#heldLogin(server, login);
    if (principal === GATEWAY && auth?.per === 'user') {
      const borrowed = await this.#somebodys(server);
      if (borrowed) return borrowed;
    }
    return nothingHeld(url, headers);
  }

  async #heldLogin({ url, headers }: CredentialServer, login: StoredLogin): Promise<Held> {
    const dpop = login.dpopKey && (await dpopSessionOf(login.dpopKey));
    const held = heldToken(url, headers, login, { login, dpop });
    // It could not be renewed, and still holds: it is used, and soon tried again.
    if (held.until <= Date.now()) held.until = Math.min(login.expiresAt ?? 0, Date.now() + FAILED_MS);
    return held;
  }

  /** The login of a principal with a token that holds; `over` where it can hold no more without the person. */
  async #loginOf(server: CredentialServer, principal: string): Promise<StoredLogin | 'over' | undefined> {
    const { vault, renewal, fetchFor } = this.#options;
    const login = await vault.login(principal, server.name);
    if (!login || login.url !== server.url) return undefined;
    const { expiresAt, refreshToken } = login;
    const isOver = expiresAt !== undefined && expiresAt <= Date.now();
    if (!isOver && Date.now() < heldToken('', {}, login, { login, dpop: undefined }).until) return login;
    if (refreshToken === undefined) return isOver ? 'over' : login;
    try {
      return await renewal.renew(login, server, fetchFor(server));
    } catch (error) {
      if (isOver) throw error;
      return login;
    }
  }

  /** For requests of the gateway's own: the login of any principal, the latest first. */
  async #somebodys(server: CredentialServer): Promise<Held | undefined> {
    const logins = (await this.#options.vault.logins()).filter((login) => login.server === server.name);
    for (const { principal } of logins.sort((one, other) => other.since - one.since)) {
      if (principal === GATEWAY) continue;
      const held = this.#held.get(server.name, principal);
      if (held?.token && held.url === server.url && Date.now() < held.until) return { ...held };
      const login = await this.#loginOf(server, principal).catch(() => undefined);
      if (login === undefined || login === 'over') continue;
      const found = await this.#heldLogin(server, login);
      this.#held.set(server.name, principal, found);
      return { ...found };
    }
    return undefined;
  }

  async #machine(identity: Identity, server: CredentialServer, principal: string): Promise<Held> {
    const { vault, fetchFor } = this.#options;
    const { name, url, headers, auth } = server;
    const isBorrowing = principal === GATEWAY && auth?.per === 'user' && auth.subjectToken === undefined;
    const [borrowed] = isBorrowing ? this.#held.withToken(name).filter((held) => Date.now() < held.until) : [];
    if (borrowed) return { ...borrowed };
    const need = this.needs.of(name, principal);
    const asked = { scopes: need?.scopes ?? [], resourceMetadata: need?.resourceMetadata, dpop: need?.dpop === true };
    try {
      const request = { server, identity, ...asked, discoveries: this.#discoveries, fetch: fetchFor(server) };
      const { dpop, ...token } = await machineToken(vault, request);
      return heldToken(url, headers, token, { login: undefined, dpop });
    } catch (error) {
      // The server's own refusal may say where its metadata are; one that asks nothing of lists needs no caller's token for them.
      const isUntold = need === undefined && error instanceof SwitchboardError && isNoToken(error);
      if (!isUntold) throw error;
      return { ...nothingHeld(url, headers), until: 0 };
    }
  }

  /** A token that no person logged in for was refused, or lacks scopes: another one is got. */
  #again(server: CredentialServer, principal: string, challenge: Challenge): AfterRefusal {
    this.#held.delete(server.name, principal);
    this.needs.note(server.name, principal, 'login', challenge);
    return 'retry';
  }

  async #renewed(
    identity: Identity,
    server: CredentialServer,
    challenge: Challenge,
    held: Held,
  ): Promise<AfterRefusal> {
    const { vault, renewal, fetchFor } = this.#options;
    const login = held.login as StoredLogin;
    const now = await vault.login(login.principal, server.name);
    const renewed =
      now === undefined
        ? 'over'
        : now.accessToken === login.accessToken
          ? await renewal.renew(now, server, fetchFor(server))
          : now;
    this.#held.delete(server.name, login.principal);
    this.#held.delete(server.name, principalFor(identity, server));
    if (renewed !== 'over') return 'retry';
    // The gateway's own requests go on with another principal's, or without.
    if (identity === GATEWAY_IDENTITY && login.principal !== GATEWAY) return 'retry';
    throw this.#needing(identity, server, 'expired', challenge, login.scopes);
  }

  #forbidden(
    identity: Identity,
    server: CredentialServer,
    challenge: Challenge,
    held: Held | undefined,
    isMachine: boolean,
  ): AfterRefusal {
    if (!lacks(challenge, held)) return 'give-up';
    const holder = holderFor(identity, server);
    if (isMachine) return this.#again(server, holder, union(challenge, held?.token?.scopes));
    // A principal whose login the gateway borrows for its lists is not asked to widen it.
    if (identity === GATEWAY_IDENTITY && held?.login?.principal !== GATEWAY) return 'give-up';
    throw this.#needing(identity, server, 'step-up', challenge, held?.login?.scopes);
  }

  #needing(
    identity: Identity,
    server: CredentialServer,
    reason: LoginReason,
    challenge: Challenge | undefined,
    granted: readonly string[] = [],
  ): SwitchboardError {
    const wider = challenge && union(challenge, granted);
    const need = this.needs.note(server.name, principalFor(identity, server), reason, wider);
    const scopes = need?.scopes ?? granted;
    return loginNeeded({ server: server.name, reason, scopes });
  }
}

/** No server's name and no principal holds a line break. */
const keyOf = (server: string, principal: string): string => `${server}\n${principal}`;

const isSameToken = (one: CredentialHeaders, other: CredentialHeaders): boolean =>
  one.Authorization !== undefined && one.Authorization === other.Authorization;

const isNoToken = ({ code, data }: SwitchboardError): boolean =>
  code === 'SWB_LOGIN_FAILED' || (code === 'SWB_UPSTREAM_AUTH' && data.reason === AWAITS_CALLER);

/** Whether more scopes can help: the server names some that the token does not have. */
function lacks({ error, scopes }: Challenge, held: Held | undefined): boolean {
  if (error !== 'insufficient_scope') return false;
  const granted = new Set(held?.token?.scopes);
  return held?.token === undefined || scopes.some((scope) => !granted.has(scope));
}

const union = (challenge: Challenge, granted: readonly string[] = []): Challenge => ({
  ...challenge,
  scopes: [...new Set([...granted, ...challenge.scopes])],
});
