import { expect, it } from 'vitest';
import { RecordReader } from './records.ts';

it('records are read however they are cut, the last one without its separator too', () => {
  const bytes = Buffer.from('{"a":"grüße"}\u001e{"b":2}\u001e\u001e{"c":3}');
  for (const size of [1, 3, 1_000]) {
    const seen: string[] = [];
    const reader = new RecordReader((text) => seen.push(text), 100);
    for (let i = 0; i < bytes.length; i += size) reader.push(bytes.subarray(i, i + size));
    reader.end();
    expect(seen).toEqual(['{"a":"grüße"}', '{"b":2}', '{"c":3}']);
  }
});

it('a record, and all records together, have a limit', () => {
  const reader = new RecordReader(() => {}, 100);
  expect(() => reader.push(Buffer.alloc(101, 'x'))).toThrow(expect.objectContaining({ code: 'SWB_REPLY_TOO_LARGE' }));
  const total = new RecordReader(() => {}, 10);
  expect(() => {
    for (let i = 0; i < 1_000; i++) total.push(Buffer.from('{"a":1}\u001e'));
  }).toThrow(expect.objectContaining({ code: 'SWB_REPLY_TOO_LARGE' }));
});
