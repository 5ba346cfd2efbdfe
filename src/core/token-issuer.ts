/**
 * An authorization server whose access tokens the gateway accepts, as it is configured.
 * @module
 */

/** Signatures whose key can be published. With a shared secret, every server that checks tokens could make them. */
export const TOKEN_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** A claim of a token, globs of its values, and the grant that they give; `local`: none. */
export interface GrantRule {
  claim: string;
  values: readonly string[];
  grant: string;
}

/** An authorization server, and what its access tokens mean here. */
export interface IssuerConfig {
  /** As its metadata and its tokens spell it. */
  issuer: string;
  /** Audiences accepted besides the address of the endpoint. */
  audience: readonly string[];
  /** Undefined: what its metadata names. */
  jwksUri?: string | undefined;
  /** The issuer is asked about each token. Undefined: tokens are JWTs. */
  introspection?: { endpoint?: string | undefined; clientId: string; clientSecret: string } | undefined;
  algorithms: readonly string[];
  /** The first rule that fits says which grant a token has. `local`: none, as for the local user. */
  grants: readonly GrantRule[];
  /** Of tokens that no rule fits. Undefined: they are refused. */
  grant?: string | undefined;
  /** Every request needs them. */
  requiredScopes: readonly string[];
  /** What each scope allows. Undefined: nothing depends on scopes. */
  scopes?: Readonly<Record<string, ScopeConfig>> | undefined;
  /** Its assertions (ID-JAG) are redeemed at the bridge. Default: they are not. */
  idJag?: boolean | undefined;
  quirks?: 'entra' | 'auth0' | 'okta' | 'keycloak' | undefined;
}

/** Globs of namespaced names. An entry is allowed by the list of its section, on one of the servers. */
export interface ScopeConfig {
  servers?: readonly string[] | undefined;
  tools?: readonly string[] | undefined;
  prompts?: readonly string[] | undefined;
  resources?: readonly string[] | undefined;
  agents?: readonly string[] | undefined;
  /** Narrower scopes that this one includes. */
  implies: readonly string[];
}
