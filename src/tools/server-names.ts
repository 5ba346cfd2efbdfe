/**
 * Names and URLs of servers connected at run time: the same rules as in the configuration, so that an entry can be moved
 * there unchanged. And which servers share a host and port.
 * @module
 */
import { networkInterfaces } from 'node:os';
import { z } from 'zod';
import { canShareNames, nameProblem } from '../config/names.ts';
import { parseServerUrl } from '../config/urls.ts';
import type { NetworkGuard } from '../core/adapter.ts';
import { portOf } from '../core/broker.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Member } from '../federation/types.ts';
import { normalHost } from '../policy/language/hosts.ts';

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
function hrefOf({ config: { target } }: Member): string | undefined {
  if (target.transport === 'stdio') return undefined;
  const url = parseServerUrl(target.url);
  return typeof url === 'string' ? undefined : url.href;
}

/** The server whose names this prefix can make too. */
export const ownerOfPrefix = (members: readonly Member[], prefix: string): Member | undefined =>
  members.find(
    ({ builtin, config }) => !builtin && config.namespace !== false && canShareNames(config.namespace, prefix),
  );

/** Servers at the same host and port, whatever the rest of the address and however the host is spelled. */
export function serversNear(members: readonly Member[], url: URL): Member[] {
  const place = placeOf(url);
  return members.filter(({ builtin, config: { target } }) => {
    const own = builtin || !('url' in target) ? null : URL.parse(target.url);
    return own !== null && placeOf(own) === place;
  });
}

export const isSameHostAndPort = (one: URL, other: URL): boolean => placeOf(one) === placeOf(other);

/**
 * The guard for connections to `home` that also refuses the host and port of every other server. Without it a redirect
 * could be a second way to a server, past its policy.
 */
export const refusingOtherServers = (
  guard: NetworkGuard,
  home: URL,
  members: () => readonly Member[],
): NetworkGuard => ({
  lookup: guard.lookup,
  async check(url) {
    if (!isSameHostAndPort(url, home) && serversNear(members(), url).length > 0) {
      throw new SwitchboardError(
        'SWB_URL_REFUSED',
        'The URL of the server is not accepted: it leads somewhere the operator does not allow it to.',
      );
    }
    await guard.check(url);
  },
});

const LOOPBACK = /^(?:localhost|.*\.localhost|127(?:\.\d{1,3}){3}|\[::1\]|0\.0\.0\.0|\[::\])$/;
/** The place that a URL leads to: all addresses of this machine are one. */
function placeOf(url: URL): string {
  const host = normalHost(url.hostname) ?? url.hostname;
  const place = LOOPBACK.test(host) || isOwnAddress(host) ? 'this machine' : host;
  return `${place}:${portOf(url)}`;
}

/** A server that listens on every address of this machine is reached under each of them. */
function isOwnAddress(host: string): boolean {
  if (!/^[\d[]/.test(host)) return false;
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return all.some(({ family, address }) => (family === 'IPv6' ? `[${address}]` : address) === host);
}
