/**
 * Metadata of an authorization server (RFC 8414, OpenID Connect Discovery): found at one of the places that both
 * specifications name, and taken only where it names the very issuer it was looked up for.
 * @module
 */
import type { NetworkGuard } from '../../core/adapter.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { fetchJson } from './fetch-json.ts';

/** Where the metadata of an issuer may be (2026-07-28 authorization-server-discovery), in the order to try. */
export function metadataUrls(issuer: string): URL[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/+$/, '');
  const own = ['oauth-authorization-server', 'openid-configuration'].map(
    (name) => new URL(`${origin}/.well-known/${name}${path}`),
  );
  return path === '' ? own : [...own, new URL(`${origin}${path}/.well-known/openid-configuration`)];
}

/** Rejects with an `Error` that says what each place had. */
export async function fetchMetadata(issuer: string): Promise<JsonObject> {
  const problems: string[] = [];
  for (const url of metadataUrls(issuer)) {
    try {
      const metadata = await fetchJson(url);
      // Simple comparison of texts (RFC 8414, section 3.3): no other issuer may speak for this one.
      if (metadata.issuer === issuer) return metadata;
      problems.push(`${url.pathname} is of another issuer (${JSON.stringify(metadata.issuer)?.slice(0, 200)})`);
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  throw new Error(`there is no metadata of the issuer ${issuer}: ${problems.join('; ')}`);
}

/** An address to ask, and what its sockets are bound to. */
export interface Endpoint {
  readonly url: URL;
  readonly guard: NetworkGuard | undefined;
}

/**
 * An address that the metadata names. It was not configured, so that on another host it must be a public one: metadata that
 * an attacker has changed could make the gateway ask its own network. Rejects with an `Error`, or `SWB_URL_REFUSED`.
 */
export async function endpointIn(
  metadata: JsonObject,
  member: 'jwks_uri' | 'introspection_endpoint',
  issuer: string,
  guard: NetworkGuard | undefined,
): Promise<Endpoint> {
  const value = metadata[member];
  const url = typeof value === 'string' ? URL.parse(value) : null;
  if (url === null) throw new Error(`the metadata of ${issuer} names no ${member}`);
  const own = new URL(issuer);
  if (url.protocol !== 'https:' && url.protocol !== own.protocol) {
    throw new Error(`the metadata of ${issuer} names a ${member} over ${url.protocol}`);
  }
  if (url.hostname === own.hostname) return { url, guard: undefined };
  await guard?.check(url);
  return { url, guard };
}
