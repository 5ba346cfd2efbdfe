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
  /** The credential is a key that this principal lent to an agent: it opens less than the principal's own. */
  readonly lent?: Lent;
  /** What the scopes of its access token allow. Undefined: nothing depends on scopes. */
  readonly scopes?: TokenScopes | undefined;
}

/** What a lent key is for. */
export interface Lent {
  /** Names the key in the audit. It is no secret. */
  readonly id: string;
  /** Whom it was lent to: `server/agent`. */
  readonly to: string;
  /**
   * Names and globs of tools of the merged view. An agent may lend on what it was lent: there is a list for each time, and a tool
   * must be in all of them.
   */
  readonly tools: readonly (readonly string[])[];
}

/** An entry, as far as scopes depend on it: a subject of policy is one. */
export interface ScopedEntry {
  readonly server: string;
  readonly section: string;
  readonly namespaced: string;
  /** The URI template that a URI expands, the tool that stands for an agent, and a URI in its normal form. */
  readonly template?: { readonly namespaced: string } | undefined;
  readonly tool?: { readonly namespaced: string } | undefined;
  readonly usual?: ScopedEntry | undefined;
}

/** What the scopes of one access token allow, beside policy. */
export interface TokenScopes {
  /**
   * The scopes to ask the authorization server for, so that this entry may be used; empty: the token has them. Undefined: no
   * scope allows the entry.
   */
  missing(entry: ScopedEntry): readonly string[] | undefined;
  /** Whether any scope allows the entry, of this token or of another one. */
  canReach(entry: ScopedEntry): boolean;
}

/** The head of an HTTP request, as far as authentication may look at it. `http.IncomingMessage` is one. */
export interface AuthRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The connection, the same object for each of its requests. */
  readonly socket?: object | undefined;
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
  /**
   * Whether what the identity has begun may go on though {@link isValid} is false: its credential has expired, as access tokens
   * do, and its client will come with the next one. Then only streams end that would tell it news. Default: false.
   */
  mayReturn?(identity: Identity): boolean;
  /** A request without credentials is accepted, from any client that can reach the endpoint. Default: false. */
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

/** Whether both are the same principal under the same grant, by itself or with the same lent key; claims may differ. */
export const isSameIdentity = (a: Identity, b: Identity): boolean =>
  a === b || (a.principal === b.principal && a.grant === b.grant && a.lent?.id === b.lent?.id);
