import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { elements, JsonScanError, skipValue } from './scan.ts';
import { editMembers, oneLine } from './splice.ts';

const spaced = fc.tuple(fc.jsonValue(), fc.nat(3)).map(([value, indent]) => JSON.stringify(value, null, indent));
const object = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('name', 'id', '1', '__proto__')), fc.jsonValue(), {
  noNullPrototype: true,
});

describe('finding values in JSON bytes', () => {
  it('ends every well-formed value exactly where it ends', () => {
    fc.assert(
      fc.property(spaced, (text) => {
        const buf = Buffer.from(`${text} ,rest`);
        expect(skipValue(buf, 0)).toBe(Buffer.byteLength(text));
      }),
    );
  });

  it('refuses what JSON.parse refuses, wherever structure, a number or a literal is broken', () => {
    fc.assert(
      fc.property(
        spaced,
        fc.nat(),
        fc.constantFrom('', ',', ':', ']', '}', '{', '[', '0', '-', 'x', '.'),
        (text, at, put) => {
          const i = at % (text.length + 1);
          // Inside a string most changes are harmless: only texts without strings are broken on purpose.
          fc.pre(!text.includes('"'));
          const broken = text.slice(0, i) + put + text.slice(i + 1);
          let parses = true;
          try {
            JSON.parse(broken);
          } catch {
            parses = false;
          }
          let scans = true;
          try {
            const buf = Buffer.from(broken);
            const start = buf.findIndex((c) => !' \n\r\t'.includes(String.fromCharCode(c)));
            const end = skipValue(buf, start === -1 ? buf.length : start);
            scans = broken.slice(end).trim() === '';
          } catch (error) {
            expect(error).toBeInstanceOf(JsonScanError);
            scans = false;
          }
          expect(scans).toBe(parses);
        },
      ),
    );
  });

  it.each([
    '{"a":1',
    '{"a"',
    '{"a":}',
    '[1,]',
    '{,}',
    '"abc',
    '"abc\\"',
    'tru',
    '01',
    '1.',
    '-',
    '',
    '[}',
    '{"a":"\n"}',
  ])('refuses %j', (text) => {
    const whole = (): void => {
      // A scan that stops early has found the end of something else.
      if (skipValue(Buffer.from(text), 0) < text.length) throw new JsonScanError('text after the end', 0);
    };
    expect(whole).toThrow(JsonScanError);
  });

  it('finds the end of long strings with escapes in them', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 40, maxLength: 400 }),
        fc.array(fc.constantFrom('\\', '"', '\n', 'é')),
        (a, b) => {
          const text = JSON.stringify(a + b.join('') + a);
          expect(skipValue(Buffer.from(`${text}"`), 0)).toBe(Buffer.byteLength(text));
        },
      ),
    );
  });

  it('finds the end of values nested deeper than any recursion survives', () => {
    const deep = (n: number): Buffer => Buffer.from(`${'[{"a":'.repeat(n)}1${'}]'.repeat(n)}`);
    expect(skipValue(deep(200_000), 0)).toBe(200_000 * 8 + 1);
    expect(skipValue(Buffer.from('[[1]]'), 0)).toBe(5);
  });

  it('checks brackets at every depth', () => {
    const depth = 5_000;
    for (const wrong of [0, 31, 32, 63, 1023, 1024, 4_999]) {
      const ends = Array.from({ length: depth }, (_, i) => (i === wrong ? '}' : ']')).join('');
      expect(() => skipValue(Buffer.from('['.repeat(depth) + ends), 0)).toThrow(JsonScanError);
    }
  });

  it('gives each element of an array its own bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.nat(2), (values, indent) => {
        const buf = Buffer.from(JSON.stringify(values, null, indent));
        const parsed = elements(buf, 0).map(({ start, end }) => JSON.parse(buf.toString('utf8', start, end)));
        expect(parsed).toEqual(JSON.parse(JSON.stringify(values)));
      }),
    );
  });
});

describe('editing members in place', () => {
  it('changes the named members and no byte of the others', () => {
    fc.assert(
      fc.property(object, fc.jsonValue(), fc.nat(2), (value, name, indent) => {
        const buf = Buffer.from(JSON.stringify(value, null, indent));
        const edited = JSON.parse(editMembers(buf, { name: JSON.stringify(name), id: undefined }).toString());
        const { id: _id, ...rest } = JSON.parse(buf.toString()) as Record<string, unknown>;
        expect(edited).toEqual({ ...rest, name: JSON.parse(JSON.stringify(name)) });
      }),
    );
  });

  it('keeps numbers, key order and spelling that a parser would not', () => {
    const text = '{"2":1.0,"1":12345678901234567890,"name":"a","z":{"b":1e400,"a":"\\u00e9"}}';
    expect(editMembers(Buffer.from(text), { name: '"b"' }).toString()).toBe(text.replace('"a",', '"b",'));
  });

  it('leaves one member where a key was doubled', () => {
    expect(editMembers(Buffer.from('{"name":1,"x":2,"name":3}'), { name: '4' }).toString()).toBe('{"x":2,"name":4}');
  });

  it('makes one line of any JSON without changing its value', () => {
    fc.assert(
      fc.property(spaced, (text) => {
        const line = oneLine(Buffer.from(text)).toString();
        expect(line).not.toMatch(/[\r\n]/);
        expect(JSON.parse(line)).toEqual(JSON.parse(text));
      }),
    );
  });
});
