import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from './lines.ts';
import { joined } from './pieces.ts';
import { type SseEvent, SseParser, sseFrame } from './sse.ts';

/** Cuts bytes at the given places. */
function split(buf: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (buf.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, i) => buf.subarray(start, at[i] ?? buf.length));
}

function parseSse(chunks: readonly Buffer[], max = 1 << 20) {
  const events: [string, string, string | undefined][] = [];
  const retries: number[] = [];
  let comments = 0;
  const parser = new SseParser(
    {
      onEvent: (e: SseEvent) => {
        expect([e.data.toString(), joined(e.pieces).toString()]).toEqual([e.text, e.text]);
        events.push([e.event, e.text, e.id]);
      },
      onRetry: (ms) => retries.push(ms),
      onComment: () => comments++,
    },
    max,
  );
  for (const chunk of chunks) parser.push(chunk);
  return { events, retries, comments };
}

const line = fc.oneof(
  fc.constantFrom(
    'data',
    'data:',
    'data: x',
    'data:  y',
    'event: e',
    'id: 7',
    'id',
    'retry: 5',
    'retry: x',
    ':c',
    '',
    '',
    '',
  ),
  fc.string().map((s) => `data: ${s.replace(/[\r\n]/g, '')}é`),
);
const stream = fc
  .array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')))
  .map((lines) => Buffer.from(lines.map(([text, end]) => text + end).join('')));

describe('server-sent events', () => {
  it('parse the same however the bytes are split', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 20 }), (bytes, cuts) => {
        expect(parseSse(split(bytes, cuts))).toEqual(parseSse([bytes]));
        expect(parseSse([...bytes].map((b) => Buffer.from([b])))).toEqual(parseSse([bytes]));
      }),
    );
  });

  it('come back as they were written, newlines in the data included', () => {
    fc.assert(
      fc.property(fc.string(), fc.option(fc.constantFrom('a', 'b')), (data, event) => {
        const frame = sseFrame(event === null ? { data, id: '3' } : { data, event, id: '3' });
        const normal = data.replace(/\r\n|\r/g, '\n');
        expect(parseSse([frame]).events).toEqual([[event ?? 'message', normal, '3']]);
      }),
    );
  });

  it('take an id after the data, many data lines, a byte order mark, comments and retry', () => {
    const bytes = Buffer.from(
      '\ufeffevent: values\ndata: {\ndata:   "a": 1\ndata: }\nid: 9\n\n: beat\n\nretry: 250\nid: p\ndata:\n\n',
    );
    expect(parseSse([bytes])).toEqual({
      events: [
        ['values', '{\n  "a": 1\n}', '9'],
        ['message', '', 'p'],
      ],
      retries: [250],
      comments: 1,
    });
  });

  // A line that had not come to its end used to count with its name, and one in a single chunk not at all.
  it('are too large or not, however the bytes are split', () => {
    const limited = (chunks: readonly Buffer[], max: number): unknown[] => {
      const seen: unknown[] = [];
      const parser = new SseParser(
        { onEvent: ({ data }) => seen.push(data.toString()), onOversize: ({ code }) => seen.push(code) },
        max,
      );
      for (const chunk of chunks) parser.push(chunk);
      return seen;
    };
    fc.assert(
      fc.property(stream, fc.integer({ min: 1, max: 40 }), fc.array(fc.nat(), { maxLength: 8 }), (bytes, max, cuts) => {
        const whole = limited([bytes], max);
        expect(limited(split(bytes, cuts), max)).toEqual(whole);
        expect(
          limited(
            [...bytes].map((b) => Buffer.from([b])),
            max,
          ),
        ).toEqual(whole);
      }),
    );
    for (const length of [19, 20, 21]) {
      const bytes = Buffer.from(`data: ${'x'.repeat(length)}\n\ndata: y\n\n`);
      for (const chunks of [[bytes], [...bytes].map((b) => Buffer.from([b]))]) {
        expect(limited(chunks, 21)).toEqual([length < 21 ? 'x'.repeat(length) : 'SWB_REPLY_TOO_LARGE', 'y']);
      }
    }
  });

  it('take a byte order mark at the beginning of the stream for one, and none after an event that was dropped', () => {
    const events: string[] = [];
    const parser = new SseParser({ onEvent: ({ data }) => events.push(data.toString()), onOversize() {} }, 20);
    parser.push(Buffer.from(`data: ${'x'.repeat(40)}\n\n\ufeffdata: y\n\ndata: z\n\n`));
    expect(events).toEqual(['z']);
  });

  it('are bounded: one event without an end is refused, many small ones are not', () => {
    const big = Buffer.from(`data: ${'x'.repeat(2_000)}`);
    expect(() => parseSse([big], 1_000)).toThrow(expect.objectContaining({ code: 'SWB_REPLY_TOO_LARGE' }));
    const lines = Buffer.from('data: xxxxxxxxxx\n'.repeat(200));
    expect(() => parseSse([lines], 1_000)).toThrow(expect.objectContaining({ code: 'SWB_REPLY_TOO_LARGE' }));
    expect(parseSse([Buffer.from('data: xxxxxxxxxx\n\n'.repeat(200))], 1_000).events).toHaveLength(200);
  });
});

describe('lines', () => {
  const collect = (chunks: readonly Buffer[], max = 1 << 20) => {
    const lines: string[] = [];
    let dropped = 0;
    const splitter = new LineSplitter(
      (line) => lines.push(joined(line).toString()),
      () => dropped++,
      max,
    );
    for (const chunk of chunks) splitter.push(chunk);
    return { lines, dropped };
  };

  it('are the same however the bytes are split', () => {
    const text = fc
      .array(fc.tuple(fc.string(), fc.constantFrom('\n', '\r\n')))
      .map((l) => Buffer.from(l.flat().join('')));
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 20 }), (bytes, cuts) => {
        expect(collect(split(bytes, cuts))).toEqual(collect([bytes]));
      }),
    );
  });

  it('that are too long are dropped once, and the next ones are unharmed', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 20 }), (cuts) => {
        const bytes = Buffer.from(`a\n${'x'.repeat(500)}\nb\n${'y'.repeat(500)}\nc\n`);
        expect(collect(split(bytes, cuts), 100)).toEqual({ lines: ['a', 'b', 'c'], dropped: 2 });
      }),
    );
  });
});
