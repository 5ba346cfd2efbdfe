/**
 * What a server says with 401 or 403: `WWW-Authenticate` (RFC 9110, 6750, 9728, 9449). The text is the server's, so it is read
 * up to a bound and only what has the form of a scope or an address is taken.
 * @module
 */

export interface Challenge {
  /** A `Bearer` or `DPoP` challenge is there. */
  readonly asksForToken: boolean;
  readonly dpop: boolean;
  readonly error: string | undefined;
  readonly scopes: readonly string[];
  /** Absolute, or undefined. */
  readonly resourceMetadata: string | undefined;
  /** RFC 9470: how the person has to have logged in, and how long ago at most. */
  readonly acrValues: string | undefined;
  readonly maxAge: string | undefined;
}

const MAX_LENGTH = 8_192;
const MAX_SCOPES = 64;
/** RFC 6749, appendix A.4. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;

export function readChallenge(header: string | undefined): Challenge {
  const text = (header ?? '').slice(0, MAX_LENGTH);
  const schemes = new Set(
    [...text.matchAll(/(?:^|,)\s*(bearer|dpop)(?=\s|,|$)/gi)].map(([, name = '']) => name.toLowerCase()),
  );
  const metadata = parameter(text, 'resource_metadata');
  const url = metadata === undefined ? null : URL.parse(metadata);
  return {
    asksForToken: schemes.size > 0,
    dpop: schemes.has('dpop'),
    error: parameter(text, 'error'),
    scopes: scopesIn(parameter(text, 'scope')),
    acrValues: scopesIn(parameter(text, 'acr_values')).join(' ') || undefined,
    maxAge: /^\d{1,9}$/.exec(parameter(text, 'max_age') ?? '')?.[0],
    resourceMetadata: url && /^https?:$/.test(url.protocol) ? url.href : undefined,
  };
}

export const scopesIn = (text: string | undefined): string[] =>
  [...new Set((text ?? '').split(/\s+/).filter((scope) => SCOPE.test(scope)))].slice(0, MAX_SCOPES);

/** The first parameter of this name, quoted or a token. */
function parameter(text: string, name: string): string | undefined {
  const [, quoted, token] =
    new RegExp(String.raw`(?:^|[\s,])${name}\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))`, 'i').exec(text) ?? [];
  return quoted === undefined ? token : quoted.replaceAll(/\\(.)/g, '$1');
}
