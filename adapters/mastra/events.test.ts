import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventParser } from './events.ts';

const delta = (text: string, more: object = {}): string =>
  JSON.stringify({ type: 'text-delta', runId: 'r', from: 'AGENT', payload: { id: 't', ...more, text } });

describe('the events of a run', () => {
  const member = fc.constantFrom('a', 'text', 'payload', '__proto__', '1', 'id');
  const short = fc.constantFrom(
    '',
    'a',
    'a"',
    'b\\',
    'Grüße',
    '\u2028',
    '\n',
    'word ',
    'a longer piece',
    '(some other piece)',
  );
  const payload = fc.dictionary(member, fc.oneof(short, fc.dictionary(member, short, { maxKeys: 2 })), { maxKeys: 4 });
  const event = fc.record({ type: short, more: payload, payload }, { requiredKeys: ['payload'] });
  const written = fc.tuple(event, fc.constantFrom(0, 1)).map(([value, space]) => JSON.stringify(value, null, space));

  it('read as JSON does, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(written, { maxLength: 12 }), (texts) => {
        const events = new EventParser('s');
        for (const text of texts) expect(events.parse(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['pieces of text', ['Hel', 'lo', ' ', '', 'wor', 'ld', 'and a longer one', '!'].map((text) => delta(text))],
    ['a piece with escapes', [delta('a'), delta('"'), delta('\\'), delta('\n'), delta('b')]],
    [
      'the piece in another member too',
      [delta('a', { same: 'a' }), delta('b', { same: 'b' }), delta('b', { same: 'a' })],
    ],
    [
      'another member of the same name and value',
      [
        '{"payload":{"text" : "a"},"more":{"text":"a"}}',
        '{"payload":{"text" : "a"},"more":{"text":"b"}}',
        '{"payload":{"text":"c"},"payload":{"text":"a"}}',
        '{"payload":{"text":"d"},"payload":{"text":"a"}}',
      ],
    ],
    ['a piece that ends the event and begins another member', [delta('a'), delta('b').replace('"b"', '"b","x":"c"')]],
    [
      'the words of the probe in another member',
      [
        String.raw`{"payload":{"text":"(some other piece)","text":"te\u0078t"}}`,
        String.raw`{"payload":{"text":"(some other piece)","foo":"te\u0078t"}}`,
      ],
    ],
    ['events that overlap with the pattern', [delta(''), delta('').slice(0, -3) + delta('').slice(-2)]],
  ])('read as JSON does: %s', (_, texts) => {
    const events = new EventParser('s');
    for (const text of texts) {
      let expected: unknown;
      try {
        expected = JSON.parse(text);
      } catch {
        expect(() => events.parse(text)).toThrow("Server 's' sent an event that is not JSON.");
        continue;
      }
      expect(events.parse(text)).toEqual(expected);
    }
  });

  it('are each an object of their own', () => {
    const events = new EventParser('s');
    const [first, second, third] = ['a', 'b', 'c'].map((text) => events.parse(delta(text)));
    expect([first, second, third]).toEqual(['a', 'b', 'c'].map((text) => JSON.parse(delta(text))));
  });

  it('that are no JSON are the error of their server, also in the middle of a text', () => {
    const events = new EventParser('s');
    for (const text of ['a', 'b']) events.parse(delta(text));
    for (const text of [delta('c').replace('"c"', '"\u0001"'), delta('c').slice(1), `${delta('c')}}`]) {
      expect(() => events.parse(text)).toThrow(expect.objectContaining({ code: 'SWB_UPSTREAM_PROTOCOL' }));
    }
  });
});
