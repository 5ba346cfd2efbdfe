/**
 * Logging in to servers: what the vault of tokens offers to what sends people to log in: calls, pages, commands.
 *
 * How a login goes: a request to a server fails with `SWB_LOGIN_NEEDED` ({@link LoginNeeded} is its data). The connect page or
 * a command makes sure that the person at the browser is the principal of that request, calls {@link Logins.begin}, and sends
 * the browser to `authorizationUrl`. The authorization server sends it back to `redirectUri` with parameters, which {@link Logins.finish}
 * takes. From then on requests of that principal carry the token; the request that failed did not run and can be sent again.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';

/** Where, below the gateway's own address, authorization servers send browsers back to. */
export const CALLBACK_PATH = '/connect/callback';

/** Where, below an https `gateway.publicUrl`, the gateway's client id metadata document is. */
export const CLIENT_METADATA_PATH = '/.well-known/switchboard-client.json';

/**
 * Why a person has to log in: `login`, there is no login yet; `step-up`, the server asks for scopes that the token lacks;
 * `expired`, the token is not valid any more and cannot be refreshed.
 */
export type LoginReason = 'login' | 'step-up' | 'expired';

/**
 * The data of an error `SWB_LOGIN_NEEDED`, besides `code`. Credentials reject with it from `headersFor`, and for a refusal
 * from the next `headersFor` after `retry`. The request it belongs to did not run.
 */
export interface LoginNeeded {
  readonly server: string;
  readonly reason: LoginReason;
  /** What the login has to ask for, at least: for a step-up the union of what there is and what the server asks for. */
  readonly scopes: readonly string[];
}

export interface LoginRequest {
  /** Where the authorization server sends the browser back to; the same for all servers, so that it can be registered. */
  readonly redirectUri: string;
  /** Asked for in addition to what the server has last asked for. */
  readonly scopes?: readonly string[];
}

export interface BegunLogin {
  /** https, or http on loopback. Holds no secret: state, PKCE challenge, client id, scopes and resource. */
  readonly authorizationUrl: string;
  /** 256 random bits, base64url. Names the login in the callback; used once, for ten minutes. */
  readonly state: string;
}

/** The query of the callback, decoded: `code`, `state`, `iss`, or `error` and `error_description`. */
export type CallbackParams = Readonly<Record<string, string | undefined>> | URLSearchParams;

/** Who logged in to what. */
export interface FinishedLogin {
  readonly principal: string;
  readonly server: string;
}

/** One token in the vault, as people see it. */
export interface Connection {
  readonly principal: string;
  readonly server: string;
  readonly issuer: string;
  /** The identifier of the server at the issuer (RFC 8707). */
  readonly resource: string;
  readonly scopes: readonly string[];
  /** `expired`: it cannot be refreshed without the person. */
  readonly state: 'connected' | 'expired';
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** When the access token expires; undefined where the issuer did not say. */
  readonly expiresAt: number | undefined;
  /** Whether it is renewed without the person. */
  readonly renewable: boolean;
}

export interface Logins {
  /**
   * Starts a login of this identity. Finds and registers with the authorization server where that has not happened yet.
   * Rejects with `SWB_UNKNOWN_SERVER`; with `SWB_NOT_SUPPORTED` for a server without logins; with `SWB_LOGIN_FAILED`
   * when the authorization server cannot be found, reached or used; with `SWB_BUSY` when too many logins wait.
   * A server with one login for all (`per: "gateway"`) is logged in to as the gateway, whatever the identity: who may do
   * that is for the caller of this method to check ({@link loginPrincipal}).
   */
  begin(identity: Identity, server: string, request: LoginRequest): Promise<BegunLogin>;
  /** Rejects as {@link begin} would because of the server or its authorization server. Keeps and registers nothing. */
  check(identity: Identity, server: string): Promise<void>;
  /**
   * Ends a login with what the browser brought back, and stores the token. Rejects with `SWB_LOGIN_FAILED`: the state is not
   * known, was used or is older than ten minutes; `iss` is another issuer's; the person or the authorization server refused.
   */
  finish(state: string, params: CallbackParams): Promise<FinishedLogin>;
  /** Whose login `state` is, without ending it; undefined where it is not known. For pages that check who opens them. */
  pending(state: string): Promise<FinishedLogin | undefined>;
  /** Whose token a request of this identity carries: its own principal, `(gateway)`, or undefined where the server has no logins. */
  loginPrincipal(identity: Identity, server: string): string | undefined;
  /** What an identity lacks for this server, as the server last said; undefined when nothing is known to be missing. */
  needed(identity: Identity, server: string): Promise<LoginNeeded | undefined>;
  /** The connections of one principal, or all of them, by server and principal. */
  status(principal?: string): Promise<Connection[]>;
  /** Forgets the token of a principal for a server, and revokes it at the issuer where that can be done. True if there was one. */
  revoke(principal: string, server: string): Promise<boolean>;
  /** Calls the listener for each login that ended well, in any replica. Returns a function that ends it. */
  onFinished(listener: (finished: FinishedLogin) => void): () => void;
}

/** The error of a request that a person has to log in for. */
export function loginNeeded({ server, reason, scopes }: LoginNeeded, cause?: unknown): SwitchboardError {
  return new SwitchboardError('SWB_LOGIN_NEEDED', `${WORDS[reason](server)} Log in, then send the request again.`, {
    data: { server, reason, scopes: [...scopes] },
    cause,
  });
}

const WORDS: Readonly<Record<LoginReason, (server: string) => string>> = {
  login: (server) => `Server '${server}' has to know who you are.`,
  'step-up': (server) => `Server '${server}' asks for more rights than your login has.`,
  expired: (server) => `Your login to server '${server}' has expired.`,
};

/** The data of an error `SWB_LOGIN_NEEDED`; undefined for any other. */
export function loginNeededOf(error: unknown): LoginNeeded | undefined {
  if (!(error instanceof SwitchboardError) || error.code !== 'SWB_LOGIN_NEEDED') return undefined;
  return error.data as unknown as LoginNeeded;
}
