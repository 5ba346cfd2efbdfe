/**
 * Reads IPv6 addresses as bytes, and the IPv4 addresses some of them carry: `::ffff:169.254.169.254` is 169.254.169.254, and
 * a guard that checks only the IPv6 form would admit it.
 * @module
 */

/** The 16 bytes of an address that `net.isIPv6` accepts and that has no zone index. */
export function bytesOfIPv6(address: string): Uint8Array {
  // The URL parser is the one canonical speller: eight groups in lower-case hex, the longest run of zeros as `::`.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array<number>(8 - before.length - after.length).fill(0);
  const bytes = new Uint8Array(16);
  for (const [i, group] of [...before, ...zeros, ...after].entries()) {
    bytes[i * 2] = group >> 8;
    bytes[i * 2 + 1] = group & 0xff;
  }
  return bytes;
}

const groups = (text: string): number[] =>
  text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));

export interface Carried {
  addresses: string[];
  /**
   * The IPv4 address is where the packets go, so it alone decides (mapped, translated, 6to4). Otherwise the form only
   * contains it, and the IPv6 address must pass as well.
   */
  translated: boolean;
}

/** The IPv4 addresses inside, or `undefined` when the form carries none. */
export function carriedIPv4(bytes: Uint8Array): Carried | undefined {
  const group = (i: number): number => ((bytes[i * 2] as number) << 8) | (bytes[i * 2 + 1] as number);
  const zeros = (from: number, to: number): boolean => bytes.subarray(from, to).every((byte) => byte === 0);
  const last = (): string => ipv4(bytes, 12);

  // ::ffff:a.b.c.d, IPv4-mapped (RFC 4291 2.5.5.2), and ::ffff:0:a.b.c.d, IPv4-translated (RFC 2765 2.1)
  if (zeros(0, 10) && group(5) === 0xffff) return { addresses: [last()], translated: true };
  if (zeros(0, 8) && group(4) === 0xffff && group(5) === 0) return { addresses: [last()], translated: true };
  // 64:ff9b::a.b.c.d, NAT64 (RFC 6052 2.1). Local prefixes under 64:ff9b:1::/48 are outside 2000::/3 and so forbidden.
  if (group(0) === 0x64 && group(1) === 0xff9b && zeros(4, 12)) return { addresses: [last()], translated: true };
  // 2002:aabb:ccdd::/48, 6to4 (RFC 3056)
  if (group(0) === 0x2002) return { addresses: [ipv4(bytes, 2)], translated: true };
  // 2001::/32, Teredo (RFC 4380 4): the server, and the client with every bit turned over
  if (group(0) === 0x2001 && group(1) === 0) {
    const client = bytes.slice(12).map((byte) => byte ^ 0xff);
    return { addresses: [ipv4(bytes, 4), ipv4(client, 0)], translated: false };
  }
  // ::a.b.c.d, IPv4-compatible (RFC 4291 2.5.5.1, withdrawn)
  if (zeros(0, 12)) return { addresses: [last()], translated: false };
  // …:0:5efe:a.b.c.d and …:200:5efe:a.b.c.d, ISATAP (RFC 5214 6.1), under any prefix
  if (group(5) === 0x5efe && (group(4) & 0xfdff) === 0) return { addresses: [last()], translated: false };
  return undefined;
}

const ipv4 = (bytes: Uint8Array, at: number): string => bytes.subarray(at, at + 4).join('.');
