/**
 * What can be read of a token before its signature is verified, and how addresses are compared.
 * @module
 */
import { isObject } from '../../wire/jsonrpc.ts';

/** Longer ones do not fit into a header either. */
const MAX_LENGTH = 16 * 1024;
const JWT = /^[\w-]+\.([\w-]+)\.[\w-]*$/;

/** The issuer that a JWT claims; undefined for what is no JWT. It says where to look for keys, and nothing more. */
export function issuerNamedIn(token: string): string | undefined {
  if (token.length > MAX_LENGTH) return undefined;
  const payload = JWT.exec(token)?.[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    return isObject(claims) && typeof claims.iss === 'string' ? claims.iss : undefined;
  } catch {
    return undefined;
  }
}

/** An audience that is a URL in canonical form: scheme and host in lower case, no slash at the end. Others as they are. */
export function canonicalAudience(audience: string): string {
  const url = URL.parse(audience);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.hash !== '') return audience;
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}${url.search}`;
}
