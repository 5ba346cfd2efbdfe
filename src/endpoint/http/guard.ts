/**
 * What may reach the endpoint at all, decided from the head of a request before its body is read: Host (DNS
 * rebinding), Origin (web pages). Source: 2025-11-25 and 2026-07-28 transports, "Security".
 * @module
 */
import type { GatewayConfig } from '../../config/types.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Authenticator } from '../../core/identity.ts';

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]|::1|\[?::ffff:127(?:\.\d{1,3}){3}\]?)$/;

/** Names and addresses that mean this machine only. Lower case; IPv6 with or without brackets. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/** The host part of a Host header, lower case, without port and without the root dot; undefined when it is none. */
function hostName(header: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[^:\s/@[\]]+)(?::\d{1,5})?$/.exec(header.toLowerCase());
  return match?.[1]?.replace(/\.$/, '');
}

/**
 * Throws for a second Host header (RFC 9112, 3.2): Node keeps the first, and a proxy before it may have checked the other.
 * `rawHeaders`: names and values in turn.
 */
export function requireOneHost(rawHeaders: readonly string[]): void {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host' && ++hosts > 1) {
      throw new SwitchboardError('SWB_INVALID_REQUEST', 'A request has one Host header.');
    }
  }
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
  // Where the operator says that clients reach it is a name of the gateway's own.
  if (config.publicUrl !== undefined) allowed.add(new URL(config.publicUrl).host);
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

/** Throws `SWB_CONFIG` when the endpoint would be open to the network though no key of the configuration says so. */
export function refuseUnsafeBind(config: GatewayConfig, { open }: Pick<Authenticator, 'open'>): void {
  if (!open || isLoopback(config.host.toLowerCase()) || config.allowUnauthenticated) return;
  throw new SwitchboardError(
    'SWB_CONFIG',
    `gateway.host is '${config.host}', which other machines can reach, and no token is set, nor any grant. Set ` +
      "gateway.token, give out keys ('switchboard grants add'), bind to 127.0.0.1, or set gateway.allowUnauthenticated " +
      '(--allow-unauthenticated) if anybody on that network may use every server behind it.',
  );
}
