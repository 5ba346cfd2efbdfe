import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globMatcher } from '../../core/globs.ts';
import { cpuClock } from '../../core/testing/cpu.ts';
import { normalName, normalNameGlob } from './names.ts';

const letter = fc.constantFrom(...'abcXYZ019_-./', 'é', 'ö', 'ß', 'Å', '削', '除', 'ば', '가', 'İ', '½');
const name = fc.array(letter, { minLength: 1, maxLength: 12 }).map((letters) => letters.join(''));
const unseen = fc.constantFrom(
  ' ',
  '\t',
  '\u00a0',
  '\u200b',
  '\u200d',
  '\u202e',
  '\ufeff',
  '\u00ad',
  '\u0000',
  '\ufe0f',
  '\u3164',
);

/** Other spellings of a name that a person, a font or a database takes for it. */
const CHANGES: Record<string, (text: string) => string> = {
  'decomposed letters': (text) => text.normalize('NFD'),
  'composed letters': (text) => text.normalize('NFC'),
  'compatibility forms': (text) => text.normalize('NFKD'),
  'full-width letters': (text) => text.replace(/[!-~]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) + 0xfee0)),
};

describe('the normal form of names', () => {
  it.each(Object.entries(CHANGES))('folds: %s', (_, change) => {
    fc.assert(
      fc.property(name, (text) => {
        expect(normalName(change(text))).toBe(normalName(text));
      }),
      { numRuns: 500 },
    );
  });

  it('has nothing that is not seen', () => {
    fc.assert(
      fc.property(name, unseen, fc.nat(), (text, sign, pick) => {
        const at = pick % (text.length + 1);
        expect(normalName(text.slice(0, at) + sign + text.slice(at))).toBe(normalName(text));
      }),
      { numRuns: 1_000 },
    );
  });

  it('is its own normal form, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })), (text) => {
        expect(normalName(normalName(text))).toBe(normalName(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it('is the name itself where it is spelled as the protocol recommends', () => {
    fc.assert(fc.property(fc.stringMatching(/^[A-Za-z0-9_./-]{1,128}$/), (text) => normalName(text) === text));
  });

  it('keeps apart what servers and persons tell apart', () => {
    for (const [one, other] of [
      ['Delete', 'delete'],
      ['get_all', 'get-all'],
      ['a/b', 'a.b'],
      ['e', 'é'],
      ['ss', 'ß'],
      // Latin and Cyrillic.
      ['a', '\u0430'],
    ] as const) {
      expect(normalName(one), one).not.toBe(normalName(other));
    }
  });

  it('of a glob matches the normal forms of what it means', () => {
    for (const [glob, matching] of [
      ['lo\u0308sch*', 'löschen'],
      ['del\u200bete_*', 'delete_all'],
      ['ｄｅｌ*', 'delete'],
      ['{lo\u0308sch,lad}en', 'löschen'],
      ['＊', '*'],
    ] as const) {
      expect(globMatcher(normalNameGlob(glob))(normalName(matching)), glob).toBe(true);
    }
    expect(globMatcher(normalNameGlob('ａ＊'))(normalName('ab'))).toBe(false);
  });

  it('takes time in proportion to the length', () => {
    const cpu = cpuClock();
    for (const part of ['e\u0301', ' ', '\u200b', 'ﷺ', '\u0301', '\ud800']) normalName(`x${part.repeat(200_000)}`);
    expect(cpu()).toBeLessThan(5_000);
  });
});
