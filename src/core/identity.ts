/**
 * Who a request is from: the identity, and the contract of what finds it out.
 *
 * The principal answers "whose is it?": sessions, streams, tasks, suspended calls and approvals belong to a principal.
 * The grant answers "what may it do?": policy looks up its documents by the grant. Several principals may hold one grant.
 * @module
 */
import type { JsonObject } from '../wire/jsonrpc.ts';

/** Never changed once it is made. One object may be given for many requests. */
export interface Identity {
  /**
   * The name of a person or program, unique among all identities of the gateway: `local` for the local user, the
   * grant's name for holders of its keys, and for an authenticator of one's own whatever tells its users apart (issuer
   * and subject of a token). Not empty, and without line breaks. It stands in logs, the audit and approvals.
   */
  readonly principal: string;
  /** The grant whose documents bind the caller. Undefined: only the documents of the gateway and its servers do. */
  readonly grant: string | undefined;
  /** What the credential states about the caller, such as the claims of a token. Never a credential itself. */
  readonly claims: Readonly<JsonObject>;
}

/** The head of an HTTP request, as far as authentication may look at it. `http.IncomingMessage` is one. */
export interface AuthRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Finds out who sends a request. The behaviour suite is `src/auth/cases.ts`. */
export interface Authenticator {
  /**
   * The identity of the sender, at once where possible: every request asks. Throws, or rejects with, a
   * `SwitchboardError` whose message is safe for clients: `SWB_UNAUTHENTICATED` (HTTP 401) or `SWB_FORBIDDEN` (403),
   * with the `WWW-Authenticate` header in `challenge`. Anything else that is thrown is logged and becomes HTTP 500.
   */
  authenticate(request: AuthRequest): Identity | Promise<Identity>;
  /**
   * Whether an identity that was accepted before still would be. When it is false, the gateway ends what the identity
   * has open: calls, sessions, streams. Asked after a reload of the configuration and every few seconds.
   */
  isValid(identity: Identity): boolean;
  /** A request without credentials is accepted, from anybody who can reach the endpoint. Default: false. */
  readonly open?: boolean;
  /**
   * False: all requests are the same user's, who may hold all sessions and streams there are. Default: true, and one
   * principal holds at most half.
   */
  readonly severalPrincipals?: boolean;
  /** Another number whenever credentials may have lost their validity: requests under way are then checked again. */
  readonly version?: number;
}

/** The principal of callers who hold no grant: the local user. No grant can have this name. */
export const LOCAL_PRINCIPAL = 'local';

const NO_CLAIMS: Readonly<JsonObject> = Object.freeze({});

/** Clients on stdio, the command line, and HTTP clients of a gateway that asks for no key. */
export const LOCAL_IDENTITY: Identity = Object.freeze({
  principal: LOCAL_PRINCIPAL,
  grant: undefined,
  claims: NO_CLAIMS,
});

/** The identity of those who hold a key of this grant. */
export const grantIdentity = (grant: string): Identity => Object.freeze({ principal: grant, grant, claims: NO_CLAIMS });

/** The identity behind a principal of the gateway's own: the local user, or a grant. */
export const identityOf = (principal: string): Identity =>
  principal === LOCAL_PRINCIPAL ? LOCAL_IDENTITY : grantIdentity(principal);

/** Throws a `TypeError` for a principal that is no name: keys are made of it, with line breaks between their parts. */
export function requirePrincipal({ principal }: Identity): void {
  if (principal === '' || principal.includes('\n'))
    throw new TypeError('The principal of an identity must be a name without line breaks.');
}

/** Whether both are the same principal under the same grant; claims may differ. */
export const isSameIdentity = (a: Identity, b: Identity): boolean =>
  a === b || (a.principal === b.principal && a.grant === b.grant);
