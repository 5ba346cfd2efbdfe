/**
 * Normalises host names for the network guard. A host that is neither an IP address nor a plain DNS name is refused, so that no
 * resolver can read it differently.
 * @module
 */
import { isIP } from 'node:net';

/**
 * Names that lead to a cloud's metadata service. Most resolve to link-local addresses, which are refused anyway; the
 * names are refused as well because a resolver under someone else's control can answer with a relay's address.
 */
const METADATA_NAMES: readonly string[] = [
  'metadata.google.internal',
  'metadata.goog',
  'metadata.azure.internal',
  'metadata.ec2.internal',
  'instance-data.ec2.internal',
  'metadata.packet.net',
  'metadata.platformequinix.com',
  'metadata.tencentyun.com',
];

/** Letters, digits, hyphens; underscores too, which container networks use. */
const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*$/;

/**
 * The host in its one spelling (lower case, no brackets, no trailing dot), or `undefined` when it is neither an IP
 * address nor a plain name. Takes what `URL.hostname` or a `lookup` call holds.
 */
export function plainHost(hostname: string): string | undefined {
  let host = hostname.toLowerCase();
  if (host.startsWith('[') && host.endsWith(']')) host = host.slice(1, -1);
  if (isIP(host) !== 0) return host;
  if (host.endsWith('.')) host = host.slice(0, -1);
  // A name ending in a number would be an IPv4 address to some resolvers; the URL parser has read those already.
  if (!NAME.test(host) || /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(host)) return undefined;
  return host;
}

export const isMetadataName = (host: string): boolean =>
  METADATA_NAMES.some((name) => host === name || host.endsWith(`.${name}`));

/** `localhost` and everything under it is this machine (RFC 6761 6.3). */
export const isLocalhostName = (host: string): boolean => host === 'localhost' || host.endsWith('.localhost');
