import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shorten } from '../../core/text.ts';
import { auditLine, gapLine, MAX_LINE } from './line.ts';
import { auditRecord } from './testing/records.ts';

describe('auditLine', () => {
  it('is one line of JSON with the documented fields, and none for what is not known', () => {
    const line = auditLine(auditRecord({ verdict: 'deny', policy: 'grant:ci', rule: '/tools/add', outcome: 'denied' }));
    expect(line).toBe(
      '{"time":"2026-01-02T03:04:05.678Z","requestId":1,"principal":"ci","grant":"ci","server":"calculator","kind":"tools",' +
        '"name":"add","method":"tools/call","era":"modern","verdict":"deny","policy":"grant:ci","rule":"/tools/add",' +
        `"queueMs":0.12,"durationMs":12.5,"outcome":"denied","argKeys":["a","b"],"argHash":"${'x'.repeat(22)}"}\n`,
    );
  });

  it('holds no character that ends a line, drives a terminal or turns text around', () => {
    const nasty = 'a\nb\r\u001b[2J\u0007\u007f\u0085\u009b31m\u2028\u2029\u202e\ufeff\ud800z';
    const line = auditLine(auditRecord({ name: nasty, requestId: nasty, argKeys: [nasty], shadow: [nasty] }));
    expect(line.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\ufeff\ud800-\udfff]/);
    expect(JSON.parse(line)).toMatchObject({ name: nasty, requestId: nasty, argKeys: [nasty], shadow: [nasty] });
  });

  it('is what JSON makes of its fields, whatever stands in them', () => {
    const nasty = ['"', '\\', 'ü', '\u007f', '\u2028', '\u202e', '\ud800', ''];
    // Nine in ten need no escape: a record is put together in the usual way only where none of its texts does.
    const text = fc.oneof(
      { weight: 40, arbitrary: fc.string({ unit: fc.constantFrom(...'aZ09 !#[]~/:_-'), maxLength: 12 }) },
      { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
      { weight: 2, arbitrary: fc.constantFrom(...nasty) },
    );
    // As long as all texts together may be, and each of them alone.
    const long = fc
      .record({ length: fc.integer({ min: 190, max: 260 }), end: fc.constantFrom('', '', '', ...nasty) })
      .map(({ length, end }) => 'n'.repeat(length) + end);
    const key = fc.integer({ min: 62, max: 66 }).map((length) => 'k'.repeat(length));
    const optional = fc.option(text, { nil: undefined });
    const record = fc.record({
      requestId: fc.oneof(text, fc.integer(), fc.constant(undefined)),
      principal: text,
      grant: optional,
      session: optional,
      server: text,
      name: fc.oneof(text, long),
      policy: optional,
      rule: optional,
      queueMs: fc.option(fc.integer({ min: 0, max: 99_999 }), { nil: undefined }),
      errorCode: fc.oneof(text, fc.integer(), fc.constant(undefined)),
      argKeys: fc.array(fc.oneof(text, key), { maxLength: 3 }),
      argHash: fc.constantFrom(undefined, 'x'.repeat(22)),
    });
    fc.assert(
      fc.property(record, (fields) => {
        const whole = auditRecord({ ...fields, shadow: [], lent: undefined });
        const escaped = (json: string): string =>
          json.replaceAll(
            /[\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g,
            (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
          );
        const { shadow: _, ...shown } = whole;
        const json = JSON.stringify({
          ...shown,
          name: shorten(whole.name, 256),
          queueMs: whole.queueMs && Math.round(whole.queueMs * 100) / 100,
          argKeys: whole.argKeys.map((key) => shorten(key, 64)),
        });
        expect(auditLine(whole)).toBe(`${escaped(json)}\n`);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is bounded, whatever names there are', () => {
    const long = '\u0001'.repeat(100_000);
    const argKeys = Array.from({ length: 1000 }, (_, i) => `${i}${long}`);
    const worst = auditRecord({
      requestId: long,
      principal: long,
      grant: long,
      session: long,
      server: long,
      kind: long,
      name: long,
      method: long,
      policy: long,
      rule: long,
      errorCode: long,
      argKeys,
      shadow: argKeys,
    });
    const line = auditLine(worst);
    expect(line.length).toBeLessThanOrEqual(MAX_LINE);
    expect(JSON.parse(line)).toMatchObject({ time: worst.time, verdict: 'allow', outcome: 'ok', cut: true });
  });

  it('names some of many arguments and says how many more there are', () => {
    const argKeys = [...Array.from({ length: 40 }, (_, i) => `key${i}`)];
    const parsed = JSON.parse(auditLine(auditRecord({ argKeys, name: 'n'.repeat(300) })));
    expect(parsed.argKeys).toEqual([...argKeys.slice(0, 32), '…8 more']);
    expect(parsed.name).toBe(`${'n'.repeat(256)}…`);
    expect(parsed.cut).toBeUndefined();
  });

  it('counts lost records by principal, those with most first, and 16 of them', () => {
    const lost = new Map(Array.from({ length: 20 }, (_, i) => [`grant${i}\u202e`, i + 1]));
    const line = gapLine({ time: 'now', dropped: 210, since: 'before' }, lost);
    expect(line.trimEnd()).not.toMatch(/[\u0000-\u001f\u202e]/);
    const { principals, ...rest } = JSON.parse(line);
    expect(rest).toEqual({ time: 'now', dropped: 210, since: 'before' });
    expect(Object.keys(principals)).toHaveLength(16);
    expect(principals['grant19\u202e']).toBe(20);
  });

  it('says how many refusals a record stands for', () => {
    const line = auditLine(auditRecord({ repeated: 997, since: '2026-01-02T03:04:00.000Z' }));
    expect(JSON.parse(line)).toMatchObject({ repeated: 997, since: '2026-01-02T03:04:00.000Z' });
  });
});
