/**
 * What clients may say about themselves, whichever way they come: in a registration, in a metadata document, in the configuration.
 * @module
 */
import { errors } from 'oidc-provider';

/** Metadata as a client sends it: members of any type. */
export type ClientMetadata = Record<string, unknown>;

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Schemes that run or read something in the browser instead of starting an app (RFC 8252, 7.1 has a dot or a name of its own). */
const NO_APP =
  /^(?:javascript|vbscript|data|blob|file|about|filesystem|view-source|ws|wss|ftp|mailto|tel|intent|chrome|edge):$/;

const MAX_REDIRECTS = 20;

/** Nothing here depends on them, and a wrong value would refuse the client. */
const IGNORED = [
  'contacts',
  'default_acr_values',
  'default_max_age',
  'initiate_login_uri',
  'require_auth_time',
  'response_modes',
  'scope',
  'sector_identifier_uri',
  'subject_type',
] as const;

/**
 * Brings the metadata of a client that is not preregistered into the form that is accepted, in place. Members that ask for less or for
 * something else are changed as RFC 7591 allows; redirect URIs that could lead to another program are refused. Throws what
 * becomes `invalid_redirect_uri` or `invalid_client_metadata`.
 */
export function normaliseMetadata(metadata: ClientMetadata, { assertions }: { assertions: boolean }): void {
  for (const name of IGNORED) delete metadata[name];
  const { client_name: name, redirect_uris: uris, token_endpoint_auth_method: method } = metadata;
  if (name !== undefined && (typeof name !== 'string' || name.length > 200)) {
    throw new errors.InvalidClientMetadata('client_name must be a text of at most 200 characters');
  }
  checkRedirects(uris);
  // Custom schemes, web addresses and loopback stand together in one registration, as those of Cursor do; loopback ports are free.
  metadata.application_type = 'native';
  metadata.response_types = ['code'];
  metadata.id_token_signed_response_alg = 'ES256';
  // An assertion stands for a person: only a client that proves who it is may redeem one.
  const redeems = assertions && method === 'private_key_jwt';
  metadata.grant_types = ['authorization_code', 'refresh_token', ...(redeems ? [JWT_BEARER] : [])];
}

function checkRedirects(uris: unknown): asserts uris is string[] {
  if (!Array.isArray(uris) || uris.length === 0 || uris.length > MAX_REDIRECTS) {
    throw new errors.InvalidClientMetadata(`redirect_uris must hold 1 to ${MAX_REDIRECTS} URIs`);
  }
  for (const uri of uris) {
    const fault = redirectFault(uri);
    // The provider's error is invalid_redirect_uri where the description begins so.
    if (fault !== undefined) throw new errors.InvalidClientMetadata(`redirect_uris ${fault}`);
  }
}

/** What is wrong with a redirect URI, as the end of a sentence. */
export function redirectFault(uri: unknown): string | undefined {
  const url = typeof uri === 'string' && uri.length <= 2_048 ? URL.parse(uri) : null;
  if (!url) return 'must be absolute URIs of at most 2048 characters';
  if (String(uri).includes('#')) return 'must not contain fragments';
  if (url.username !== '' || url.password !== '') return 'must not contain credentials';
  if (url.protocol === 'https:') return undefined;
  if (url.protocol === 'http:') {
    return LOOPBACK.has(url.hostname) ? undefined : 'with http must lead to loopback; use https';
  }
  return NO_APP.test(url.protocol) ? `must not use the scheme ${url.protocol}` : undefined;
}

/** The host of a redirect URI as people are shown it, and what a Content Security Policy calls it. */
export function redirectTarget(uri: string): { kind: 'app' | 'loopback' | 'web'; name: string; source: string } {
  const url = new URL(uri);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return { kind: 'app', name: `${url.protocol}//`, source: url.protocol };
  }
  const kind = LOOPBACK.has(url.hostname) ? 'loopback' : 'web';
  // A policy knows no addresses of IPv6.
  return { kind, name: url.host, source: url.hostname.startsWith('[') ? url.protocol : url.origin };
}
