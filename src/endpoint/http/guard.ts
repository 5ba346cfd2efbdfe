/**
 * Who may talk to the endpoint at all, decided from the head of a request before its body is read: Host (DNS
 * rebinding), Origin (web pages), bearer token. Source: 2025-11-25 and 2026-07-28 transports, "Security".
 * @module
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { GatewayConfig } from '../../config/types.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { LOCAL } from '../caller.ts';
import type { Grants } from './context.ts';

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]|::1|\[?::ffff:127(?:\.\d{1,3}){3}\]?)$/;

/** Names and addresses that mean this machine only. Lower case; IPv6 with or without brackets. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/** The host part of a Host header, lower case, without port and without the root dot; undefined when it is none. */
function hostName(header: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[^:\s/@[\]]+)(?::\d{1,5})?$/.exec(header.toLowerCase());
  return match?.[1]?.replace(/\.$/, '');
}

/**
 * Refuses requests whose Host header names something else than this gateway: a page whose name was rebound to our
 * address sends its own name. An address cannot be rebound, so the one the connection arrived at is accepted.
 */
export function createHostCheck(
  config: GatewayConfig,
): (host: string | undefined, arrivedAt: () => string | undefined) => void {
  const bound = config.host.toLowerCase();
  const allowed = new Set(config.allowedHosts.map((name) => name.toLowerCase()));
  /** Clients send the same header with every request. */
  let lastAccepted: string | undefined;

  return (host, arrivedAt) => {
    if (host !== undefined && host === lastAccepted) return;
    const name = host === undefined ? undefined : hostName(host);
    if (host !== undefined && name !== undefined) {
      const bare = name.replace(/^\[|\]$/g, '');
      if (isLoopback(name) || bare === bound || allowed.has(name) || allowed.has(host.toLowerCase())) {
        lastAccepted = host;
        return;
      }
      if (bare === arrivedAt()?.replace(/^::ffff:/, '')) return;
    }
    throw new SwitchboardError(
      'SWB_HOST_REFUSED',
      "This Host header is not accepted. Use the gateway's own address, or add the name to gateway.allowedHosts.",
    );
  };
}

/** The origin to answer with CORS headers, or undefined when no page asks. Throws for pages that may not ask. */
export function checkOrigin(origin: string | undefined, config: GatewayConfig): string | undefined {
  if (origin === undefined) return undefined;
  if (
    isLoopbackOrigin(origin) ||
    config.allowedOrigins.some((allowed) => allowed.toLowerCase() === origin.toLowerCase())
  ) {
    return origin;
  }
  throw new SwitchboardError(
    'SWB_ORIGIN_REFUSED',
    'Requests from this web origin are not accepted. To allow it, add it to gateway.allowedOrigins.',
  );
}

function isLoopbackOrigin(origin: string): boolean {
  const match = /^https?:\/\/(\[[0-9a-f:.]+\]|[^:/\s@]+)(?::\d{1,5})?$/.exec(origin.toLowerCase());
  return match?.[1] !== undefined && isLoopback(match[1]);
}

/** Whether a request shows who it is from. */
export interface Authenticator {
  /** The principal. Throws `SWB_UNAUTHENTICATED`. */
  principalOf(authorization: string | undefined): string;
  /** Whether a principal that was let in would still be. */
  admits(principal: string): boolean;
  /** Another number once who is let in may have changed. */
  readonly version: number;
}

const CHALLENGE = 'Bearer realm="agent-switchboard"';
const INVALID_TOKEN = 'invalid_token';

/** Keys of grants begin so. */
const KEY = /^swb_/;

/**
 * `token` is the local user's, a grant's key is the grant's. Where neither is configured everybody who can reach the
 * endpoint is the local user, unless they present a key: whose key was revoked must not get further without it.
 */
export function createAuthenticator(token: string | undefined, grants?: Grants): Authenticator {
  const expected = token === undefined ? undefined : sha256(token);
  const open = (): boolean => expected === undefined && grants?.required !== true;
  return {
    principalOf(authorization) {
      const presented = authorization && /^bearer +(\S+) *$/i.exec(authorization)?.[1];
      if (!presented) {
        if (open()) return LOCAL;
        throw new SwitchboardError(
          'SWB_UNAUTHENTICATED',
          "This gateway asks for a token: send 'Authorization: Bearer <token>'.",
        );
      }
      const grant = grants?.verify(presented);
      if (grant !== undefined) return grant;
      // Hashes have one length, so the comparison takes the same time whatever was presented.
      if (expected && timingSafeEqual(sha256(presented), expected)) return LOCAL;
      if (open() && !KEY.test(presented)) return LOCAL;
      // Of a wrong secret, an unknown key and an expired grant, which one it is is not told.
      throw new SwitchboardError('SWB_UNAUTHENTICATED', 'The token is not valid.', { data: { error: INVALID_TOKEN } });
    },
    admits: (principal) =>
      principal === LOCAL ? expected !== undefined || open() : grants?.isValid(principal) === true,
    get version() {
      return grants?.version ?? 0;
    },
  };
}

/** What `WWW-Authenticate` says: an error only where a token was presented (RFC 6750, section 3.1). */
export function challengeOf(error: SwitchboardError): string {
  return error.data.error === INVALID_TOKEN ? `${CHALLENGE}, error="${INVALID_TOKEN}"` : CHALLENGE;
}

const sha256 = (text: string): Buffer => hash('sha256', text, 'buffer');

/** Throws `SWB_CONFIG` when the endpoint would be open to the network without anybody having said so. */
export function refuseUnsafeBind(config: GatewayConfig, grants?: Pick<Grants, 'required'>): void {
  if (isLoopback(config.host.toLowerCase()) || config.token !== undefined || grants?.required) return;
  if (config.allowUnauthenticated) return;
  throw new SwitchboardError(
    'SWB_CONFIG',
    `gateway.host is '${config.host}', which other machines can reach, and no token is set, nor any grant. Set ` +
      "gateway.token, give out keys ('switchboard grants add'), bind to 127.0.0.1, or set gateway.allowUnauthenticated " +
      '(--allow-unauthenticated) if anybody on that network may use every server behind it.',
  );
}
