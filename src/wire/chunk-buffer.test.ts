import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cpuClock } from '../core/testing/cpu.ts';
import { ChunkBuffer } from './chunk-buffer.ts';
import { LineSplitter } from './lines.ts';
import { SseParser, sseFrame } from './sse.ts';

const MIB = 1024 * 1024;

/** Bytes held after `work`, over those before. */
function heldBy(work: () => unknown): number {
  const used = (): number => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  const kept = work();
  const held = used() - before;
  expect(kept).toBeDefined();
  return held;
}

/** Time that grows with the square of the size would be minutes; a slow machine is not. */
const SOON_MS = 8_000;

function timed(work: () => void): number {
  const cpu = cpuClock();
  work();
  return cpu();
}

test('what is gathered is what was added, in order, and gathering starts over', () => {
  const piece = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 1000, maxLength: 1100 }));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const gathered = new ChunkBuffer();
      for (let round = 0; round < 2; round++) {
        for (const each of pieces) gathered.add(Buffer.from(each));
        expect(gathered.size).toBe(pieces.reduce((sum, each) => sum + each.length, 0));
        expect(gathered.take()).toEqual(Buffer.concat(pieces));
        expect(gathered.size).toBe(0);
      }
    }),
  );
});

test('a million pieces of one byte hold about a million bytes', () => {
  const byte = Buffer.from('x');
  const gathered = heldBy(() => {
    const whole = new ChunkBuffer();
    for (let i = 0; i < MIB; i++) whole.add(byte.subarray());
    return whole;
  });
  expect(gathered).toBeLessThan(16 * MIB);
});

test('a line and an event that come in bytes hold about their own size', () => {
  const byte = Buffer.from('x');
  const line = heldBy(() => {
    const lines = new LineSplitter(
      () => {},
      () => {},
      2 * MIB,
    );
    for (let i = 0; i < MIB; i++) lines.push(byte.subarray());
    return lines;
  });
  expect(line).toBeLessThan(16 * MIB);
  const event = heldBy(() => {
    const parser = new SseParser({ onEvent() {} }, 2 * MIB);
    for (let i = 0; i < MIB; i++) parser.push(byte.subarray());
    return parser;
  });
  expect(event).toBeLessThan(16 * MIB);
});

test('an event of a million empty data lines holds about their size, and comes out whole', () => {
  const chunk = Buffer.from('data:\n'.repeat(1024));
  let size = -1;
  const parser = new SseParser({ onEvent: ({ data }) => (size = data.length) }, 2 * MIB);
  const held = heldBy(() => {
    for (let i = 0; i < 1024; i++) parser.push(chunk);
    return parser;
  });
  expect(held).toBeLessThan(32 * MIB);
  parser.push(Buffer.from('\n'));
  expect(size).toBe(MIB - 1);
});

test('framing text of nothing but line breaks takes time by its length, not by its square', () => {
  for (const text of ['\n', '\r', '\r\n', '1,\n']) {
    const data = [Buffer.from(text.repeat((4 * MIB) / text.length))];
    expect(timed(() => sseFrame({ data }))).toBeLessThan(SOON_MS);
  }
});

test('lines that end in CR alone are parsed in time by their length', () => {
  let events = 0;
  const parser = new SseParser({ onEvent: () => events++ }, MIB);
  const chunk = Buffer.from('data: x\r\r'.repeat(110_000));
  expect(timed(() => parser.push(chunk))).toBeLessThan(SOON_MS);
  expect(events).toBe(110_000);
});

test('a retry time no timer can hold is cut to an hour', () => {
  const told: number[] = [];
  const parser = new SseParser({ onEvent() {}, onRetry: (ms) => told.push(ms) }, MIB);
  parser.push(Buffer.from(`retry: 10\nretry: 99999999999\nretry: ${'9'.repeat(400)}\n`));
  expect(told).toEqual([10, 3_600_000, 3_600_000]);
});
