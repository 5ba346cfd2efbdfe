/**
 * Normalises host names for the network guard, and matches them against `gateway.connect.allowPrivate`. A host that is neither an
 * IP address nor a plain DNS name is refused, so that no resolver can read it differently.
 * @module
 */
import { isIP, isIPv6 } from 'node:net';
import { normalHost } from '../language/hosts.ts';

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
 * The host in its normal form (`language/hosts.ts`), without brackets, or `undefined` when it is neither an IP
 * address nor a plain name. Takes what `URL.hostname` or a `lookup` call holds.
 */
export function plainHost(hostname: string): string | undefined {
  const plain = hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  // As it is, also where it is an IPv6 address that carries an IPv4 one: the guard judges both (`addresses.ts`).
  if (isIP(plain) !== 0) return plain;
  const host = normalHost(plain);
  if (host === undefined) return undefined;
  // A name ending in a number would be an IPv4 address to some resolvers; the URL parser has read those already.
  if (!NAME.test(host) || /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(host)) return undefined;
  return host;
}

export const isMetadataName = (host: string): boolean =>
  METADATA_NAMES.some((name) => host === name || host.endsWith(`.${name}`));

/** `localhost` and everything under it is this machine (RFC 6761 6.3). */
export const isLocalhostName = (host: string): boolean => host === 'localhost' || host.endsWith('.localhost');

/** Whether the operator named this host (as {@link plainHost} spells it). Without a port, only entries without one. */
export type AllowPrivate = (host: string, port: number | undefined) => boolean;

interface Entry {
  host: string;
  /** Undefined: any port. */
  port: number | undefined;
}

/** The usual names of this machine: an entry for one of them allows all of them. */
const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1']);

/**
 * Entries are `host`, `host:port`, or `*` for every host; IPv6 addresses stand in brackets where a port follows. An
 * entry is compared with the host of the URL, not with what it resolves to. An entry that cannot be read allows nothing.
 */
export function allowPrivate(entries: readonly string[]): AllowPrivate {
  const read = entries.map((entry) => readEntry(entry.trim())).filter((entry) => entry !== undefined);
  return (host, port) =>
    read.some((entry) => (entry.port === undefined || entry.port === port) && sameHost(entry.host, host));
}

function readEntry(entry: string): Entry | undefined {
  if (entry === '*') return { host: '*', port: undefined };
  const text = isIPv6(entry) ? `[${entry}]` : entry;
  if (!/^[^\s/@?#\\]+$/.test(text) || !URL.canParse(`http://${text}`)) return undefined;
  const host = plainHost(new URL(`http://${text}`).hostname);
  if (host === undefined) return undefined;
  const port = /(?:^|\]|[^:\]]):(\d+)$/.exec(text)?.[1];
  return { host, port: port === undefined ? undefined : Number(port) };
}

function sameHost(entry: string, host: string): boolean {
  if (entry === '*' || entry === host) return true;
  return LOOPBACK.has(entry) && (LOOPBACK.has(host) || isLocalhostName(host));
}
