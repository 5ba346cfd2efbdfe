/**
 * How the gateway gets tokens for a server, as it is configured: the key `auth` of a server's entry, checked and completed.
 * @module
 */

/** Where a token that another program makes comes from. A file is read for each use: that program may replace it. */
export type TokenSource = { readonly value: string } | { readonly file: string };

export type ServerAuthType =
  | 'auto'
  | 'oauth'
  | 'client_credentials'
  | 'token_exchange'
  | 'xaa'
  | 'jwt_bearer'
  | 'headers';

export interface ServerAuth {
  /**
   * `auto`: as `oauth` once the server asks for a token (401 with `resource_metadata`), as `headers` before.
   * `oauth`: people log in. `client_credentials`: the gateway's own. `token_exchange` (RFC 8693) and `xaa` (ID-JAG): made of
   * the caller's token. `jwt_bearer`: made of a JWT the platform gives the gateway (RFC 7523). `headers`: only what is configured.
   */
  readonly type: ServerAuthType;
  /** Whose token requests carry: each principal its own, or all the gateway's. */
  readonly per: 'user' | 'gateway';
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  /** PEM text; the client authenticates with `private_key_jwt`. */
  readonly privateKey?: string | undefined;
  readonly algorithm?: string | undefined;
  /** Asked for in addition to what the server asks for. */
  readonly scopes?: readonly string[] | undefined;
  /** The only authorization server that is used; and the one the client id was registered with. */
  readonly issuer?: string | undefined;
  /** Sender-constrained tokens (RFC 9449): where server or issuer ask for them, always, or never. */
  readonly dpop?: 'auto' | 'required' | 'off' | undefined;
  /** An issuer whose metadata do not say that it checks PKCE is refused, unless this is `unadvertised`. */
  readonly pkce?: 'required' | 'unadvertised' | undefined;
  /** `audience` of a token exchange. Default: none, the server is named by `resource`. */
  readonly audience?: string | undefined;
  /** What is exchanged where the caller brought no token: for requests of the gateway's own, above all. */
  readonly subjectToken?: TokenSource | undefined;
  readonly subjectTokenType?: string | undefined;
  /** The assertion of `jwt_bearer`. */
  readonly assertion?: TokenSource | undefined;
  /** `xaa`: the identity provider that turns an ID token into a grant for the server's issuer. */
  readonly idp?: IdentityProvider | undefined;
}

export interface IdentityProvider {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  /** Undefined: the one in the metadata of the issuer. */
  readonly tokenEndpoint?: string | undefined;
}

/** A server whose entry says nothing. */
export const AUTO_AUTH: ServerAuth = Object.freeze({ type: 'auto', per: 'user' });
export const AUTO_GATEWAY_AUTH: ServerAuth = Object.freeze({ type: 'auto', per: 'gateway' });
export const HEADERS_AUTH: ServerAuth = Object.freeze({ type: 'headers', per: 'gateway' });
