/**
 * Fuzzers of the readers of streams: server-sent events and lines, in any chunks. The oracles read the whole text at once, as
 * the specifications put it.
 * @module
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LineSplitter } from '../../../src/wire/lines.ts';
import { joined, type Pieces } from '../../../src/wire/pieces.ts';
import { SseParser, sseFrame } from '../../../src/wire/sse.ts';
import type { Fuzzer, Input } from '../fuzzer.ts';
import { bytesOf, chunksOf, inUtf8, picks } from './bytes.ts';

/** Small enough that events and lines exceed it, or none. */
const LIMITS = [16, 64, 1 << 20];

interface Read {
  /** Event, data, id; or `oversize`. */
  events: unknown[];
  comments: number;
  retries: number[];
}

function readEvents(chunks: Pieces, limit: number): Read {
  const read: Read = { events: [], comments: 0, retries: [] };
  const parser = new SseParser(
    {
      onEvent: ({ event, data, id }) => void read.events.push([event, data.toString('latin1'), id]),
      onRetry: (ms) => void read.retries.push(ms),
      onComment: () => void read.comments++,
      onOversize: (error) => void read.events.push(error.code),
    },
    limit,
  );
  for (const chunk of chunks) parser.push(chunk);
  return read;
}

/** WHATWG HTML, 9.2.6, on whole text. An event without data that has an id counts as one (a resumption primer). */
function expectedEvents(bytes: Buffer): Read {
  const read: Read = { events: [], comments: 0, retries: [] };
  const text = bytes.toString('latin1').replace(/^\xef\xbb\xbf/, '');
  const lines = text.split(/\r\n|\r|\n/);
  // What has no end is no line yet.
  lines.pop();
  const utf8 = (latin: string): string => Buffer.from(latin, 'latin1').toString('utf8');
  let event = '';
  let id: string | undefined;
  let data: string[] = [];
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0 || id !== undefined) read.events.push([utf8(event) || 'message', data.join('\n'), id]);
      event = '';
      id = undefined;
      data = [];
      continue;
    }
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (line.startsWith(':')) read.comments++;
    else if (field === 'data') data.push(value);
    else if (field === 'event') event = value;
    else if (field === 'id' && !value.includes('\0')) id = utf8(value);
    else if (field === 'retry' && /^\d+$/.test(value)) read.retries.push(Math.min(Number(value), 3_600_000));
  }
  return read;
}

/** Whether all items stand in the list, in this order. */
function isWithin(items: readonly unknown[], list: readonly unknown[]): boolean {
  let at = 0;
  for (const each of list) if (at < items.length && JSON.stringify(each) === JSON.stringify(items[at])) at++;
  return at === items.length;
}

const LINES = [
  'data',
  'data:',
  'data: x',
  'data:  y',
  'event: e',
  'id: 7',
  'id',
  'id:\0',
  'retry: 5',
  'retry: x',
  ':c',
  '',
];
const SSE_WORDS = [
  ...LINES,
  '\n',
  '\r',
  '\r\n',
  '\n\n',
  '\r\r',
  ': ',
  '\xef\xbb\xbf',
  inUtf8('é'),
  'x'.repeat(70),
  'data: x\n\n',
];
const ENDS = ['\n', '\r\n', '\r'];

const stream: fc.Arbitrary<Input> = fc.record({
  text: fc
    .tuple(
      fc.constantFrom('', '', '\xef\xbb\xbf'),
      fc.array(
        fc.tuple(
          fc.oneof(
            fc.constantFrom(...LINES),
            fc.string({ maxLength: 80 }).map((text) => `data: ${inUtf8(text)}`),
          ),
          fc.constantFrom(...ENDS),
        ),
        { maxLength: 12 },
      ),
    )
    .map(([start, lines]) => start + lines.flat().join('')),
  picks,
});

const sse: Fuzzer = {
  name: 'sse',
  fresh: stream,
  words: SSE_WORDS,
  behaviours: 12,
  check(input) {
    const bytes = bytesOf(input);
    const limit = LIMITS[(input.picks[0] ?? 2) % LIMITS.length] as number;
    const whole = readEvents([bytes], limit);
    assert.deepEqual(readEvents(chunksOf(bytes, input.picks), limit), whole, 'chunks make no difference');
    assert.deepEqual(
      readEvents(
        [...bytes].map((byte) => Buffer.from([byte])),
        limit,
      ),
      whole,
      'nor does a byte at a time',
    );
    const expected = expectedEvents(bytes);
    const isCut = whole.events.includes('SWB_REPLY_TOO_LARGE');
    // An event without an end may be dropped already, with what stands in it.
    if (!isCut) assert.deepEqual(limit < 1 << 20 ? whole.events : whole, limit < 1 << 20 ? expected.events : expected);
    else
      assert.ok(isWithin(whole.events.filter(Array.isArray), expected.events), 'what is dropped harms no other event');
    for (const event of whole.events) {
      if (!Array.isArray(event)) continue;
      const [name, data, id] = event;
      const [again] = readEvents([sseFrame({ event: name, data: [Buffer.from(data, 'latin1')], id })], 1 << 20).events;
      // Line ends in the data become LF.
      assert.deepEqual(again, [name, data, id], 'an event comes back as it was written');
    }
    const { events, comments, retries } = whole;
    const kinds = new Set(events.map((event) => (Array.isArray(event) ? typeof event[2] : event)));
    return `${limit} ${[...kinds].sort().join()} ${Math.min(comments, 1)} ${Math.min(retries.length, 1)}`;
  },
};

function readLines(chunks: Pieces, limit: number): unknown[] {
  const lines: unknown[] = [];
  const splitter = new LineSplitter(
    (line) => lines.push(joined(line).toString('latin1')),
    (error, { head, tail }) => lines.push({ code: error.code, head, tail }),
    limit,
  );
  for (const chunk of chunks) splitter.push(chunk);
  return lines;
}

const LINE_WORDS = ['\n', '\r\n', '\r', '\n\n', '{"id":1}', 'x'.repeat(70), inUtf8('é'), '\0'];

const lines: Fuzzer = {
  name: 'lines',
  fresh: fc.record({
    text: fc
      .array(fc.oneof(fc.constantFrom(...LINE_WORDS), fc.string({ maxLength: 40 }).map(inUtf8)), { maxLength: 12 })
      .map((parts) => parts.join('')),
    picks,
  }),
  words: LINE_WORDS,
  behaviours: 6,
  check(input) {
    const bytes = bytesOf(input);
    const limit = LIMITS[(input.picks[0] ?? 2) % LIMITS.length] as number;
    const whole = readLines([bytes], limit);
    assert.deepEqual(readLines(chunksOf(bytes, input.picks), limit), whole, 'chunks make no difference');
    assert.deepEqual(
      readLines(
        [...bytes].map((byte) => Buffer.from([byte])),
        limit,
      ),
      whole,
      'nor does a byte at a time',
    );
    const texts = input.text.split('\n').slice(0, -1);
    const open = input.text.split('\n').at(-1) ?? '';
    const expected = texts.flatMap((text) => {
      if (text.length > limit) return ['SWB_REPLY_TOO_LARGE'];
      const line = text.replace(/\r$/, '');
      return line === '' ? [] : [line];
    });
    const found = whole.map((line) => (typeof line === 'string' ? line : (line as { code: string }).code));
    assert.deepEqual(found, expected);
    return `${limit} ${[...new Set(found.map((line) => (line === 'SWB_REPLY_TOO_LARGE' ? line : 'line')))].sort()} ${open.length > limit} ${texts.some((text) => text.endsWith('\r'))}`;
  },
};

export const FRAMING_FUZZERS: readonly Fuzzer[] = [sse, lines];
