import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Zone, zoneOf } from './addresses.ts';
import { bytesOfIPv6 } from './ipv6.ts';

const EXPECTED: Readonly<Record<Zone, readonly string[]>> = {
  public: [
    '1.1.1.1',
    '8.8.8.8',
    '93.184.216.34',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2001:4860:4860::8888',
    '2a00:1450:4001:80b::200e',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '2002:808:808::1',
  ],
  private: [
    '10.0.0.0',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '100.64.0.1',
    '100.127.255.255',
    'fc00::1',
    'fd12:3456:789a::1',
    'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    '::ffff:10.0.0.1',
    '::ffff:c0a8:1',
    '64:ff9b::172.16.0.1',
    '2002:a00:1::1',
  ],
  loopback: ['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1', '::ffff:0:127.0.0.1', '64:ff9b::7f00:1'],
  forbidden: [
    '0.0.0.0',
    '0.1.2.3',
    '169.254.169.254',
    '169.254.170.2',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.7',
    '203.0.113.9',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    'fe80::1',
    'febf::1',
    'fec0::1',
    'ff02::1',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
    'fd00:42::42',
    '100::1',
    '2001:2::1',
    '2001:10::1',
    '2001:20::1',
    '2001:db8::1',
    '3fff::1',
    '5f00::1',
    '4000::1',
    '64:ff9b:1::808:808',
    '::ffff:169.254.169.254',
    '::ffff:0:169.254.169.254',
    '::169.254.169.254',
    '::8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    '2001:0:a9fe:a9fe:8000:0:f7f7:f7f7',
    '2001:0:808:808:8000:0:5601:5601',
    '2606:4700::5efe:169.254.169.254',
    '2606:4700::200:5efe:a9fe:a9fe',
    'fe80::1%eth0',
    '2606:4700::1%1',
    'example.com',
    '',
    '127.1',
    '0x7f000001',
  ],
};

describe('zoneOf', () => {
  for (const [zone, addresses] of Object.entries(EXPECTED)) {
    it.each(addresses)(`finds %s ${zone}`, (address) => {
      expect(zoneOf(address)).toBe(zone);
    });
  }

  it('classifies an ISATAP address by its prefix and by the address it carries', () => {
    expect(zoneOf('2606:4700::5efe:10.0.0.1')).toBe('private');
    expect(zoneOf('fd12::5efe:8.8.8.8')).toBe('private');
    expect(zoneOf('2606:4700::5efe:8.8.8.8')).toBe('public');
  });

  it('classifies every form that carries an IPv4 address no better than that address', () => {
    const severity: readonly Zone[] = ['public', 'private', 'loopback', 'forbidden'];
    const hex = (octets: readonly number[]): string =>
      `${(((octets[0] ?? 0) << 8) | (octets[1] ?? 0)).toString(16)}:${(((octets[2] ?? 0) << 8) | (octets[3] ?? 0)).toString(16)}`;
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(fc.tuple(octet, octet, octet, octet), (octets) => {
        const inner = severity.indexOf(zoneOf(octets.join('.')));
        const inverted = hex(octets.map((byte) => byte ^ 0xff));
        for (const form of [
          `::ffff:${hex(octets)}`,
          `::ffff:0:${hex(octets)}`,
          `64:ff9b::${hex(octets)}`,
          `2002:${hex(octets)}::1`,
          `2001:0:808:808:0:0:${inverted}`,
          `2001:0:${hex(octets)}:0:0:f7f7:f7f7`,
          `2606:4700::5efe:${hex(octets)}`,
        ]) {
          expect(severity.indexOf(zoneOf(form)), form).toBeGreaterThanOrEqual(inner);
        }
      }),
    );
  });

  it('calls nothing outside 2000::/3 public unless it carries a public IPv4 address', () => {
    const globalUnicast = new BlockList();
    globalUnicast.addSubnet('2000::', 3, 'ipv6');
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        if (zoneOf(address) !== 'public' || globalUnicast.check(address, 'ipv6')) return;
        const bytes = bytesOfIPv6(address);
        expect(zoneOf(bytes.subarray(12).join('.'))).toBe('public');
      }),
      { numRuns: 500 },
    );
  });
});

describe('bytesOfIPv6', () => {
  it('reads every spelling of an address the same', () => {
    const expected = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0, 0, 1];
    for (const spelling of [
      '2001:db8::7f00:1',
      '2001:0db8:0000:0000:0000:0000:7f00:0001',
      '2001:DB8::127.0.0.1',
      '2001:db8:0:0:0:0:127.0.0.1',
    ]) {
      expect([...bytesOfIPv6(spelling)]).toEqual(expected);
    }
    expect([...bytesOfIPv6('::')]).toEqual(Array(16).fill(0));
    expect([...bytesOfIPv6('1:2:3:4:5:6:7::')].slice(-4)).toEqual([0, 7, 0, 0]);
  });
});
