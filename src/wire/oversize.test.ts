import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Edges } from './lines.ts';
import { LineSplitter } from './lines.ts';
import { joined } from './pieces.ts';
import { SseParser } from './sse.ts';

/** Feeds bytes in pieces of these sizes. */
function inPieces(bytes: Buffer, sizes: readonly number[], push: (piece: Buffer) => void): void {
  let start = 0;
  for (let i = 0; start < bytes.length; i++) {
    const end = start + (sizes[i % sizes.length] ?? 1);
    push(bytes.subarray(start, end));
    start = end;
  }
}

const SIZES = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 });

describe('a line over the limit', () => {
  it('is reported once with its two ends, and leaves the lines around it alone, however the bytes are cut', () => {
    const big = `{"id":7,"x":"${'y'.repeat(2_000)}","last":true}`;
    const bytes = Buffer.from(`one\n${big}\ntwo\r\n${big}\nthree\n`);
    fc.assert(
      fc.property(SIZES, (sizes) => {
        const lines: string[] = [];
        const dropped: Edges[] = [];
        const splitter = new LineSplitter(
          (line) => lines.push(joined(line).toString()),
          (_error, edges) => dropped.push(edges),
          1_000,
        );
        inPieces(bytes, sizes, (piece) => splitter.push(piece));
        expect(lines).toEqual(['one', 'two', 'three']);
        expect(dropped).toEqual([
          { head: big.slice(0, 256), tail: big.slice(-256) },
          { head: big.slice(0, 256), tail: big.slice(-256) },
        ]);
      }),
    );
  });
});

describe('an event over the limit', () => {
  const big = `{"id":7,"x":"${'y'.repeat(2_000)}","last":true}`;

  it('is reported once with its end, and leaves the events around it alone, however the bytes are cut', () => {
    const bytes = Buffer.from(`data: one\n\nid: 9\ndata: ${big}\ndata: more\n\n: alive\n\nid: 3\ndata: two\r\n\r\n`);
    fc.assert(
      fc.property(SIZES, (sizes) => {
        const events: unknown[] = [];
        const dropped: Edges[] = [];
        let comments = 0;
        const parser = new SseParser(
          {
            onEvent: ({ event, data, id }) => events.push([event, data.toString(), id]),
            onOversize: (_error, edges) => dropped.push(edges),
            onComment: () => comments++,
          },
          1_000,
        );
        inPieces(bytes, sizes, (piece) => parser.push(piece));
        expect(events).toEqual([
          ['message', 'one', undefined],
          ['message', 'two', '3'],
        ]);
        expect(dropped.length).toBe(1);
        expect(dropped[0]?.head).toMatch(/^(data: )?\{"id":7,"x":"yyy/);
        expect(dropped[0]?.tail).toMatch(/yyy","last":true\}data: more$/);
        expect(comments).toBe(1);
      }),
    );
  });

  it('makes the parser throw where there is no onOversize', () => {
    const parser = new SseParser({ onEvent: () => {} }, 1_000);
    expect(() => parser.push(Buffer.from(`data: ${big}\n\n`))).toThrow(/over 1000 bytes/);
  });
});
