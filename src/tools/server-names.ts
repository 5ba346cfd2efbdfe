/**
 * Names and URLs of servers connected at run time: those the configuration would give and accept, so that a server can
 * move there as it is.
 * @module
 */
import { networkInterfaces } from 'node:os';
import { z } from 'zod';
import { nameProblem } from '../config/names.ts';
import { parseServerUrl } from '../config/urls.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Member } from '../federation/types.ts';

/** A server's name or prefix. */
export const serverName = () =>
  z
    .string()
    .min(1)
    .max(64)
    .superRefine((name, context) => {
      const problem = nameProblem(name);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    });

/** The URL, without its fragment, or `SWB_URL_REFUSED` with a sentence that quotes none of it. */
export function serverUrl(text: string): URL {
  const url = parseServerUrl(text);
  if (typeof url !== 'string') return url;
  throw new SwitchboardError('SWB_URL_REFUSED', `The URL of the server is not accepted: ${url}.`);
}

/** Those at this URL, connected or not. */
export const serversAt = (members: readonly Member[], href: string): Member[] =>
  members.filter((member) => hrefOf(member) === href);

/** The URL of a server that has one. */
export function hrefOf({ config: { target } }: Member): string | undefined {
  if (target.transport === 'stdio') return undefined;
  const url = parseServerUrl(target.url);
  return typeof url === 'string' ? undefined : url.href;
}

/** The server whose names already start with this prefix. */
export const ownerOfPrefix = (members: readonly Member[], prefix: string): Member | undefined =>
  members.find((member) => !member.builtin && member.config.namespace === prefix);

/** Servers at the same host and port, whatever the rest of the address and however the host is spelled. */
export function serversNear(members: readonly Member[], url: URL): Member[] {
  const place = placeOf(url);
  return members.filter(({ builtin, config: { target } }) => {
    const own = builtin || !('url' in target) ? null : URL.parse(target.url);
    return own !== null && placeOf(own) === place;
  });
}

export const isSamePlace = (one: URL, other: URL): boolean => placeOf(one) === placeOf(other);

const LOOPBACK = /^(?:localhost|.*\.localhost|127(?:\.\d{1,3}){3}|\[::1\]|0\.0\.0\.0|\[::\])$/;
const MAPPED = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/;

/** `URL` has written numbers and IPv6 in their usual form and host names in lower case. */
function placeOf({ hostname, port, protocol }: URL): string {
  const host = asIpv4(hostname.replace(/\.$/, ''));
  const place = LOOPBACK.test(host) || isOwnAddress(host) ? 'this machine' : host;
  return `${place}:${port || (protocol === 'https:' ? '443' : '80')}`;
}

/** An IPv4 address that is written as an IPv6 one leads to the same place. */
function asIpv4(host: string): string {
  const [, high, low] = MAPPED.exec(host) ?? [];
  if (high === undefined || low === undefined) return host;
  const bits = Number.parseInt(high, 16) * 0x10000 + Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => Math.floor(bits / 2 ** shift) % 256).join('.');
}

/** A server that listens on every address of this machine is reached under each of them. */
function isOwnAddress(host: string): boolean {
  if (!/^[\d[]/.test(host)) return false;
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return all.some(({ family, address }) => (family === 'IPv6' ? `[${address}]` : address) === host);
}
