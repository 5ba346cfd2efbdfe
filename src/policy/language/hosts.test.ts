import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalHost } from './hosts.ts';

const octet = fc.integer({ min: 0, max: 255 });
const octets = fc.tuple(octet, octet, octet, octet);
const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z]$/).filter((text) => !text.startsWith('xn--'));
const hostName = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));

const number = (value: number, base: number): string =>
  base === 16 ? `0x${value.toString(16)}` : base === 8 ? `0${value.toString(8)}` : String(value);
const whole = (parts: readonly number[]): number => parts.reduce((sum, byte) => sum * 256 + byte, 0);
const hex = (parts: readonly number[]): string =>
  `${whole(parts.slice(0, 2)).toString(16)}:${whole(parts.slice(2)).toString(16)}`;

describe('the normal form of hosts', () => {
  it('is one for every spelling of an IPv4 address', () => {
    const base = fc.constantFrom(8, 10, 16);
    fc.assert(
      fc.property(
        octets,
        fc.integer({ min: 1, max: 4 }),
        fc.tuple(base, base, base, base),
        fc.boolean(),
        (ip, n, bases, dot) => {
          const parts = [...ip.slice(0, n - 1), whole(ip.slice(n - 1))];
          const spelled = parts.map((value, at) => number(value, bases[at] ?? 10)).join('.');
          expect(normalHost(dot ? `${spelled}.` : spelled)).toBe(ip.join('.'));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('is one for an IPv4 address and the IPv6 one that carries it', () => {
    fc.assert(
      fc.property(octets, (ip) => {
        for (const spelled of [`::ffff:${ip.join('.')}`, `[::FFFF:${hex(ip)}]`, `0:0:0:0:0:ffff:${hex(ip)}`]) {
          expect(normalHost(spelled), spelled).toBe(ip.join('.'));
        }
      }),
    );
  });

  it('is one for every spelling of an IPv6 address', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const full = groups.map((each) => each.toString(16).padStart(4, '0')).join(':');
        const short = groups.map((each) => each.toString(16)).join(':');
        const normal = normalHost(`[${full}]`);
        expect(normal).toBeDefined();
        for (const spelled of [full, short, full.toUpperCase(), `[${short}]`, normal as string]) {
          expect(normalHost(spelled)).toBe(normal);
        }
      }),
    );
  });

  it('is one for every spelling of a name', () => {
    fc.assert(
      fc.property(hostName, fc.nat(), (name, mask) => {
        const mixed = [...name].map((sign, at) => ((mask >> (at % 30)) & 1 ? sign.toUpperCase() : sign)).join('');
        const wide = name.replace(/[a-z]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) + 0xfee0));
        for (const spelled of [mixed, `${mixed}.`, wide, name.replaceAll('.', '\u3002')]) {
          expect(normalHost(spelled), spelled).toBe(name);
        }
      }),
    );
    for (const spelled of [
      'bücher.example',
      'BÜCHER.example.',
      'bu\u0308cher.example',
      'xn--bcher-kva.example',
      'b%C3%BCcher.example',
    ]) {
      expect(normalHost(spelled), spelled).toBe('xn--bcher-kva.example');
    }
  });

  it.each([
    '',
    ' ',
    'a b',
    'a/b',
    'a\\b',
    'a?b',
    'a#b',
    'u@a',
    'a:80',
    '[::1]:80',
    '[::1',
    '::1]',
    'a%2Fb',
    '1.2.3.256',
    '0x1.2.3.4.5',
    'xn--\u00fc',
    'fe80::1%25eth0',
  ])('is none for %j', (text) => expect(normalHost(text)).toBeUndefined());

  it('is its own normal form, whatever the text', () => {
    const part = fc.constantFrom(
      'a',
      'A',
      '.',
      '。',
      '1',
      '0x',
      '7f',
      ':',
      '::',
      '[',
      ']',
      '%41',
      'ü',
      'xn--',
      '-',
      'ß',
      '\u200d',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(part).map((parts) => parts.join('')),
          fc.string(),
        ),
        (text) => {
          const normal = normalHost(text);
          if (normal !== undefined) expect(normalHost(normal)).toBe(normal);
        },
      ),
      { numRuns: 3_000 },
    );
  });
});
