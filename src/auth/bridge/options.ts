/**
 * What the bridge is made of: its configuration and the parts of the gateway it uses.
 * @module
 */
import type { NetworkGuard } from '../../core/adapter.ts';
import type { Log } from '../../core/log.ts';
import type { BridgeStore } from './store.ts';

/** What clients ask for who know of no other scope; every token has it. */
export const BASE_SCOPE = 'mcp';

/** Who logged in, or which machine asks, as access tokens name them. */
export interface Person {
  /** As in `Identity`: unique among all identities of the gateway. */
  principal: string;
  /** The grant; `local` is none. */
  grant: string;
}

/** Login at the company's OIDC provider. */
export interface OidcLogin {
  issuer: string;
  clientId: string;
  clientSecret?: string | undefined;
  scopes: readonly string[];
  /** Who the verified claims are about, whether anything is open to them or not. */
  principalOf(claims: Readonly<Record<string, unknown>>): string | undefined;
  /** The person that the verified claims of an ID token or of an assertion name; undefined where no grant rule lets them in. */
  personOf(claims: Readonly<Record<string, unknown>>): Person | undefined;
}

/** Login with the admin token, for a gateway of one person. */
export interface TokenLogin {
  /** In the same time for every text. */
  isToken(presented: string): boolean;
  person: Person;
}

export interface PreregisteredClient {
  id: string;
  name: string;
  secret?: string | undefined;
  redirectUris: readonly string[];
  /** Of a machine: it logs in as itself, and has this grant. */
  grant?: string | undefined;
}

/** An identity provider whose ID-JAG assertions are redeemed (enterprise-managed authorization). */
export interface AssertionIssuer {
  issuer: string;
  jwksUri?: string | undefined;
  algorithms: readonly string[];
  personOf: OidcLogin['personOf'];
}

/** The first of the two methods decides. */
export interface Counted {
  commit(): void;
  rollback(): void;
}

export interface BridgeOptions {
  /** Where clients reach the gateway: an absolute URL without a slash at its end. It is the issuer too. */
  issuer: string;
  login: { oidc: OidcLogin } | { token: TokenLogin };
  clients: readonly PreregisteredClient[];
  /** Clients may register themselves (RFC 7591). */
  registration: boolean;
  /** Clients may name themselves by the URL of a metadata document. */
  metadataDocuments: boolean;
  /** What clients may ask for at every endpoint; the first one where they ask for nothing. */
  scopes: readonly string[];
  accessTokenSeconds: number;
  /** From a login on; then a person logs in again. */
  loginSeconds: number;
  assertions: readonly AssertionIssuer[];
  /** Whether this URL is an endpoint of the gateway, in its canonical spelling; undefined when it is none. */
  endpointOf(resource: string): string | undefined;
  store: BridgeStore;
  /** 32 bytes that last. */
  secret: Buffer;
  /** Counts one more of this name, until it is rolled back; undefined when there were `max` within the window. */
  count(name: string, max: number, windowMs: number): Promise<Counted | undefined>;
  /** For addresses that clients name. */
  guard(): NetworkGuard;
  log: Log;
}
