/**
 * Classifies IP addresses for the network guard: public, private, loopback or forbidden. Ranges are those
 * of the IANA special-purpose registries (RFC 6890 and its updates) and the metadata services of the clouds.
 *
 * IPv6 is classified by what is allowed: outside 2000::/3 only what is named here is anything but forbidden. An IPv6 form
 * that carries an IPv4 address is never better than that address.
 * @module
 */
import { BlockList, isIP } from 'node:net';
import { bytesOfIPv6, carriedIPv4 } from './ipv6.ts';

/**
 * `public`: anywhere on the internet. `private` and `loopback`: only where the operator said so. `forbidden`: never,
 * whatever the configuration says (link-local, metadata, multicast, unspecified, reserved, documentation, …).
 */
export type Zone = 'public' | 'private' | 'loopback' | 'forbidden';

const FORBIDDEN_V4 = [
  '0.0.0.0/8', // "this network"; Linux takes it for loopback
  '169.254.0.0/16', // link-local, and most clouds' metadata
  '192.0.0.0/24', // IETF protocol assignments, and Oracle's metadata (192.0.0.192)
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relay anycast, withdrawn
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
  '100.100.100.200/32', // Alibaba's metadata, inside the shared range
  '168.63.129.16/32', // Azure's host service, a public address that only means something inside a virtual machine
];
const LOOPBACK_V4 = ['127.0.0.0/8'];
const PRIVATE_V4 = ['10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16'];

const FORBIDDEN_V6 = [
  'fd00:ec2::/32', // AWS: metadata, pod identity, time
  'fd20:ce::254/128', // Google's metadata
  'fd00:42::42/128', // Scaleway's metadata
  '2001::/23', // IETF protocol assignments (Teredo, benchmarks, ORCHID)
  '2001:db8::/32', // documentation
  '3fff::/20', // documentation
];
const LOOPBACK_V6 = ['::1/128'];
const PRIVATE_V6 = ['fc00::/7'];
const GLOBAL_V6 = ['2000::/3'];

function ranges(family: 'ipv4' | 'ipv6', cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', prefix] = cidr.split('/');
    list.addSubnet(network, Number(prefix), family);
  }
  return list;
}

const V4 = {
  forbidden: ranges('ipv4', FORBIDDEN_V4),
  loopback: ranges('ipv4', LOOPBACK_V4),
  private: ranges('ipv4', PRIVATE_V4),
};
const V6 = {
  forbidden: ranges('ipv6', FORBIDDEN_V6),
  loopback: ranges('ipv6', LOOPBACK_V6),
  private: ranges('ipv6', PRIVATE_V6),
  global: ranges('ipv6', GLOBAL_V6),
};

/** Anything that is not an IP address, or is one with a zone index, is `forbidden`. */
export function zoneOf(address: string): Zone {
  switch (isIP(address)) {
    case 4:
      return zoneOfIPv4(address);
    case 6:
      return address.includes('%') ? 'forbidden' : zoneOfIPv6(address);
    default:
      return 'forbidden';
  }
}

function zoneOfIPv4(address: string): Zone {
  if (V4.forbidden.check(address)) return 'forbidden';
  if (V4.loopback.check(address)) return 'loopback';
  return V4.private.check(address) ? 'private' : 'public';
}

function zoneOfIPv6(address: string): Zone {
  if (V6.loopback.check(address, 'ipv6')) return 'loopback';
  const carried = carriedIPv4(bytesOfIPv6(address));
  if (!carried) return plainZoneOfIPv6(address);
  const own = carried.translated ? 'public' : plainZoneOfIPv6(address);
  return carried.addresses.map(zoneOfIPv4).reduce(worse, own);
}

function plainZoneOfIPv6(address: string): Zone {
  if (V6.forbidden.check(address, 'ipv6')) return 'forbidden';
  if (V6.private.check(address, 'ipv6')) return 'private';
  return V6.global.check(address, 'ipv6') ? 'public' : 'forbidden';
}

const SEVERITY: Readonly<Record<Zone, number>> = { public: 0, private: 1, loopback: 2, forbidden: 3 };

const worse = (a: Zone, b: Zone): Zone => (SEVERITY[a] >= SEVERITY[b] ? a : b);
