/**
 * Decides where connections requested at run time may go. Without it `connectServer` would let any caller of a tool make the
 * gateway fetch from the operator's network or from a cloud's metadata service (SSRF).
 *
 * Invariants: an address is checked before every connection, all addresses of a name or none; a socket connects only to a
 * checked address, because `lookup` answers from the check and not from DNS again (rebinding); a name that cannot be resolved
 * or read is refused.
 * @module
 */

import { lookup as dnsLookup } from 'node:dns/promises';
import { isIP, isIPv6, type LookupFunction } from 'node:net';
import type { NetworkGuard } from '../../core/adapter.ts';
import { within } from '../../core/deadline.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { zoneOf } from './addresses.ts';
import { type AllowPrivate, allowPrivate, isLocalhostName, isMetadataName, plainHost } from './hosts.ts';

export interface ResolvedAddress {
  address: string;
  family: number;
}

/** All addresses of a host name. */
export type Resolve = (host: string) => Promise<readonly ResolvedAddress[]>;

export interface NetworkGuardOptions {
  /** Hosts or `host:port` that may be connected to although private or loopback; `*` for all of those. */
  allowPrivate: readonly string[];
  /** The system's resolver when left out. */
  resolve?: Resolve;
  /** Longest wait for a name, in milliseconds; later is a refusal. */
  resolveTimeoutMs?: number;
}

/** Names whose addresses are pinned: the server's own, and those it redirects to. */
const MAX_PINNED = 16;

const systemResolve: Resolve = (host) => dnsLookup(host, { all: true, order: 'verbatim' });

type Refusal = 'scheme' | 'credentials' | 'host' | 'unresolved' | 'private' | 'forbidden';

const SENTENCES: Readonly<Record<Refusal, string>> = {
  scheme: 'Only http and https URLs can be connected to.',
  credentials: 'The URL holds a user name or password, which is not accepted. Headers can carry credentials instead.',
  host: "The URL's host is neither a plain host name nor an IP address.",
  unresolved: "The URL's host name does not resolve to an address.",
  private:
    'The URL leads to a private or loopback address. Those are connected to only when the operator lists the host in gateway.connect.allowPrivate.',
  forbidden:
    'The URL leads to an address that is never connected to (link-local, cloud metadata, multicast, unspecified or reserved).',
};

const refusal = (why: Refusal, cause?: unknown): SwitchboardError =>
  new SwitchboardError('SWB_URL_REFUSED', SENTENCES[why], { data: { reason: why }, cause });

/** A guard for one connection; it remembers what it has checked, so each connection gets its own. */
export function createNetworkGuard(options: NetworkGuardOptions): NetworkGuard {
  return new PinningGuard(
    allowPrivate(options.allowPrivate),
    options.resolve ?? systemResolve,
    options.resolveTimeoutMs ?? 5_000,
  );
}

class PinningGuard implements NetworkGuard {
  readonly #allowed: AllowPrivate;
  readonly #resolve: Resolve;
  readonly #resolveTimeoutMs: number;
  readonly #pinned = new Map<string, readonly ResolvedAddress[]>();

  constructor(allowed: AllowPrivate, resolve: Resolve, resolveTimeoutMs: number) {
    this.#allowed = allowed;
    this.#resolve = resolve;
    this.#resolveTimeoutMs = resolveTimeoutMs;
  }

  async check(url: URL): Promise<void> {
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refusal('scheme');
    if (url.username !== '' || url.password !== '') throw refusal('credentials');
    await this.#admit(url.hostname, url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port));
  }

  /** Node does not call this for a host that is an IP address: only {@link check} sees those. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.#addressesOf(hostname).then(
      (addresses) => {
        const family = familyOf(options.family);
        const fitting = family === 0 ? addresses : addresses.filter((entry) => entry.family === family);
        const [first] = fitting;
        if (!first) callback(refusal('unresolved'), '', 0);
        else if (options.all) callback(null, [...fitting]);
        else callback(null, first.address, first.family);
      },
      (error: Error) => callback(error, '', 0),
    );
  };

  async #addressesOf(hostname: string): Promise<readonly ResolvedAddress[]> {
    const host = plainHost(hostname);
    const pinned = host === undefined ? undefined : this.#pinned.get(host);
    return pinned ?? this.#admit(hostname, undefined);
  }

  /** Resolves, checks every address and pins them. */
  async #admit(hostname: string, port: number | undefined): Promise<readonly ResolvedAddress[]> {
    const host = plainHost(hostname);
    if (host === undefined) throw refusal('host');
    if (isMetadataName(host)) throw refusal('forbidden');
    const mayBePrivate = this.#allowed(host, port);
    // Independent of the resolver's answer.
    if (isLocalhostName(host) && !mayBePrivate) throw refusal('private');
    const addresses = isIP(host) === 0 ? await this.#resolveName(host) : [{ address: host, family: isIP(host) }];
    // After a refusal no older addresses may stay, which a socket could still use.
    this.#pinned.delete(host);
    const zones = addresses.map((entry) => zoneOf(entry.address));
    if (zones.includes('forbidden')) throw refusal('forbidden');
    if (!mayBePrivate && zones.some((zone) => zone !== 'public')) throw refusal('private');
    this.#pin(host, addresses);
    return addresses;
  }

  async #resolveName(host: string): Promise<readonly ResolvedAddress[]> {
    try {
      const answers = await within(this.#resolve(host), this.#resolveTimeoutMs, () => {
        throw new Error('The resolver did not answer in time.');
      });
      if (answers.length === 0) throw refusal('unresolved');
      return answers.map(({ address }) => ({ address, family: isIPv6(address) ? 6 : 4 }));
    } catch (error) {
      throw error instanceof SwitchboardError ? error : refusal('unresolved', error);
    }
  }

  #pin(host: string, addresses: readonly ResolvedAddress[]): void {
    this.#pinned.set(host, addresses);
    if (this.#pinned.size <= MAX_PINNED) return;
    const [oldest] = this.#pinned.keys();
    if (oldest !== undefined) this.#pinned.delete(oldest);
  }
}

function familyOf(family: number | string | undefined): 0 | 4 | 6 {
  if (family === 4 || family === 'IPv4') return 4;
  return family === 6 || family === 'IPv6' ? 6 : 0;
}
