/**
 * The normal form of hosts: what leads to one machine is written in one way. Host names are in lower case and ASCII (IDNA, as
 * the URL Standard has it), without the dot of the root at their end; IPv4 addresses are four decimal numbers, in whatever
 * base and form they came, also where IPv6 carries them; IPv6 addresses are in the form of RFC 5952.
 * @module
 */
import { isIPv6 } from 'node:net';

/** Would end the host inside a URL, or be skipped in it. */
const NO_HOST = /[\s\0/?#@\\]/;
const MAPPED = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/;

/**
 * The host in its normal form, IPv6 in brackets. Undefined for what is no host of the internet: it is undecidable where it
 * leads. Takes a host without port, IPv6 with or without brackets.
 */
export function normalHost(host: string): string | undefined {
  if (host === '' || NO_HOST.test(host)) return undefined;
  const bracketed = isIPv6(host) ? `[${host}]` : host;
  if (!/^(?:\[[^\]]*\]|[^:]*)$/.test(bracketed)) return undefined;
  const hostname = URL.parse(`http://${bracketed}/`)?.hostname;
  return hostname === undefined ? undefined : asIPv4(withoutRoot(hostname));
}

/** `example.org.` is `example.org`. What has no name before its last dot, or several dots, is no host name. */
function withoutRoot(host: string): string {
  return /[^.]\.$/.test(host) ? host.slice(0, -1) : host;
}

/** An IPv4 address that is written as an IPv6 one leads to the same place. */
function asIPv4(host: string): string {
  const [, high, low] = MAPPED.exec(host) ?? [];
  if (high === undefined || low === undefined) return host;
  const bits = Number.parseInt(high, 16) * 0x10000 + Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => Math.floor(bits / 2 ** shift) % 256).join('.');
}
