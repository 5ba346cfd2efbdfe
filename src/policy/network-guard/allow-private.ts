/**
 * Matches hosts against `gateway.connect.allowPrivate`: those that may be connected to although they are private or loopback.
 * @module
 */
import { isIPv6 } from 'node:net';
import { isLocalhostName, plainHost } from './hosts.ts';

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
