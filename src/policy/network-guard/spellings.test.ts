import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answers, guardFor, refusedFor, unasked } from './testing/guards.ts';

describe('spellings of addresses that are never connected to', () => {
  const octet = fc.integer({ min: 0, max: 255 });
  const refusedOctets = fc.oneof(
    fc.constant([169, 254, 169, 254]),
    fc.constant([100, 100, 100, 200]),
    fc.constant([168, 63, 129, 16]),
    fc.constant([255, 255, 255, 255]),
    fc.tuple(fc.constant(0), octet, octet, octet),
    fc.tuple(fc.constant(10), octet, octet, octet),
    fc.tuple(fc.constant(127), octet, octet, octet),
    fc.tuple(fc.constant(169), fc.constant(254), octet, octet),
    fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), octet, octet),
    fc.tuple(fc.constant(192), fc.constant(168), octet, octet),
    fc.tuple(fc.integer({ min: 224, max: 255 }), octet, octet, octet),
  );
  const number = (value: number, base: number): string =>
    base === 16 ? `0x${value.toString(16)}` : base === 8 ? `0${value.toString(8)}` : String(value);
  const fold = (octets: readonly number[]): number => octets.reduce((sum, byte) => sum * 256 + byte, 0);
  const hex = (octets: readonly number[]): string =>
    `${fold(octets.slice(0, 2)).toString(16)}:${fold(octets.slice(2)).toString(16)}`;

  /** Full-width digits, circled letters and percent signs: what a browser would still read as the same host. */
  const disguise = (text: string, how: number): string =>
    [...text]
      .map((char, i) => {
        if ((how >> (i % 8)) % 2 === 0) return char;
        if (how % 3 === 0) return `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
        if (/\d/.test(char)) return String.fromCharCode(char.charCodeAt(0) - 0x30 + 0xff10);
        return char === '.' ? '\u3002' : char.toUpperCase();
      })
      .join('');

  const ipv4Spelling = fc
    .tuple(
      refusedOctets,
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.constantFrom(8, 10, 16), { minLength: 4, maxLength: 4 }),
      fc.boolean(),
      fc.nat(255),
    )
    .map(([octets, parts, bases, dot, how]) => {
      const numbers = [...octets.slice(0, parts - 1), fold(octets.slice(parts - 1))];
      const text = numbers.map((value, i) => number(value, bases[i] ?? 10)).join('.');
      return disguise(dot ? `${text}.` : text, how);
    });

  const ipv6Spelling = fc
    .tuple(
      refusedOctets,
      fc.constantFrom('::ffff:X', '::X', '64:ff9b::X', '2002:X::', '::ffff:0:X', '2a00::5efe:X'),
      fc.boolean(),
    )
    .map(([octets, form, dotted]) => {
      const text = form.replace('X', dotted && form.endsWith('X') ? octets.join('.') : hex(octets));
      return `[${text.toUpperCase()}]`;
    });

  it('are all refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(ipv4Spelling, ipv6Spelling), fc.constantFrom('http', 'https'), async (host, scheme) => {
        expect(await refusedFor(`${scheme}://${host}:8080/mcp`, guardFor(answers('93.184.216.34')))).toBeDefined();
      }),
      { numRuns: 1_000 },
    );
  });

  it('stay refused with allowPrivate: link-local, metadata, multicast, unspecified', async () => {
    const never = fc.oneof(
      fc.tuple(fc.constant(169), fc.constant(254), octet, octet),
      fc.tuple(fc.constant(0), octet, octet, octet),
      fc.tuple(fc.integer({ min: 224, max: 255 }), octet, octet, octet),
      fc.constant([100, 100, 100, 200]),
    );
    await fc.assert(
      fc.asyncProperty(never, async (octets) => {
        const address = octets.join('.');
        expect(await refusedFor(`http://${address}/`, guardFor(unasked, ['*', address]))).toBe('forbidden');
        expect(await refusedFor('http://a.example/', guardFor(answers(address), ['*']))).toBe('forbidden');
        expect(await refusedFor(`http://[::ffff:${hex(octets)}]/`, guardFor(unasked, ['*']))).toBe('forbidden');
      }),
    );
  });
});
