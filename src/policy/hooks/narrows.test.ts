import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { narrows, narrowsParams, narrowsResult } from './narrows.ts';

const json = fc.jsonValue({ maxDepth: 4 });

/** Something that is less of `value`, by choices of `seed`. */
function less(value: unknown, next: () => number): unknown {
  if (typeof value === 'string') return ['x', null, value][next() % 3];
  if (typeof value === 'number' || typeof value === 'boolean') return [value, null, '<n>'][next() % 3];
  if (Array.isArray(value)) return value.filter(() => next() % 3 > 0).map((item) => less(item, next));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) => (next() % 3 > 0 ? [[key, less(item, next)]] : [])),
  );
}

const seeds = fc.infiniteStream(fc.nat()).map((stream) => () => stream.next().value as number);

describe('narrows', () => {
  it('holds for any value and itself', () => {
    fc.assert(fc.property(json, (value) => narrows(value, structuredClone(value))));
  });

  it('holds for values made by removing members and replacing scalars', () => {
    fc.assert(fc.property(json, seeds, (value, next) => narrows(value, less(value, next))));
  });

  it('holds over two steps', () => {
    fc.assert(
      fc.property(json, seeds, (value, next) => {
        const once = less(value, next);
        return narrows(value, less(once, next));
      }),
    );
  });

  it('never holds for a new member or one more item, at any depth', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), json), fc.string(), json, (object, key, value) => {
        fc.pre(!Object.hasOwn(object, key));
        const wider = { ...object };
        Object.defineProperty(wider, key, { value, enumerable: true });
        return !narrows(object, wider) && !narrows({ in: [object] }, { in: [wider] });
      }),
    );
    fc.assert(fc.property(fc.array(json), json, (items, item) => !narrows(items, [...items, item])));
  });

  it.each([
    [1, 2],
    [true, false],
    [null, 'x'],
    ['x', 1],
    ['x', {}],
    [{}, []],
    [[], {}],
    [{ a: 1 }, null],
    [
      [1, 2],
      [2, 1],
    ],
    [{ a: {} }, { constructor: 1 }],
    [{}, JSON.parse('{"__proto__":{"admin":true}}')],
  ])('does not hold for %j to %j', (before, after) => {
    expect(narrows(before, after)).toBe(false);
  });
});

describe('narrowsResult', () => {
  const image = { type: 'image', data: 'AAAA', mimeType: 'image/png' };
  const text = { type: 'text', text: 'hello' };
  const notice = { type: 'text', text: '[left out]' };

  it.each([
    ['isError added', { content: [text] }, { content: [text], isError: true }],
    ['isError made true', { content: [text], isError: false }, { content: [notice], isError: true }],
    ['an image becomes a notice', { content: [text, image] }, { content: [text, notice] }],
    ['items left out', { content: [image, text, image] }, { content: [text] }],
    ['a notice for an empty content', { content: [], structuredContent: { a: 1 } }, { content: [notice] }],
    ['structured content left out', { content: [text], structuredContent: { a: 1 } }, { content: [text] }],
    [
      'a blob becomes text',
      { contents: [{ uri: 'a:b', mimeType: 'image/png', blob: 'AAAA' }] },
      { contents: [{ uri: 'a:b', mimeType: 'image/png', text: 'left out' }] },
    ],
    [
      'a message is cut',
      { messages: [{ role: 'user', content: image }] },
      { messages: [{ role: 'user', content: notice }] },
    ],
  ])('allows: %s', (_, before, after) => {
    expect(narrowsResult(before, after)).toBe(true);
  });

  it.each([
    ['an error becomes a success', { content: [text], isError: true }, { content: [text], isError: false }],
    ['an error is no longer said', { content: [text], isError: true }, { content: [text] }],
    ['another kind of item', { content: [text] }, { content: [image] }],
    ['a type that is another word', { content: [image] }, { content: [{ ...image, type: 'resource_link' }] }],
    ['a text item without text', { content: [text] }, { content: [{ type: 'text' }] }],
    ['a notice with more in it', { content: [image] }, { content: [{ ...notice, annotations: {} }] }],
    ['two notices for an empty content', { content: [] }, { content: [notice, notice] }],
    ['a content where there was none', { tools: [] }, { tools: [], content: [notice] }],
    ['another resultType', { resultType: 'complete' }, { resultType: 'input_required' }],
    ['the state of a question', { requestState: 'sealed' }, { requestState: 'other' }],
    ['a cursor left out', { nextCursor: 'a' }, {}],
    [
      'another role',
      { messages: [{ role: 'user', content: text }] },
      { messages: [{ role: 'assistant', content: text }] },
    ],
    ['no object any more', { content: [] }, null],
  ])('refuses: %s', (_, before, after) => {
    expect(narrowsResult(before, after)).toBe(false);
  });

  it('holds for every result and itself', () => {
    fc.assert(fc.property(fc.dictionary(fc.string(), json), (value) => narrowsResult(value, structuredClone(value))));
  });

  it('takes linear time', () => {
    const content = Array.from({ length: 100_000 }, (_, index) => ({ type: 'text', text: `${index}`, n: index }));
    expect(narrowsResult({ content }, { content: content.filter(({ n }) => n % 2 === 1) })).toBe(true);
    expect(narrowsResult({ content }, { content: content.toReversed() })).toBe(false);
  });
});

describe('narrowsParams', () => {
  it('allows other texts, but no other progress token or progress', () => {
    const progress = { progressToken: 1, progress: 2, total: 4, message: 'key sk-1' };
    expect(narrowsParams(progress, { ...progress, message: 'key <K>' })).toBe(true);
    expect(narrowsParams(progress, { progressToken: 1, progress: 2 })).toBe(true);
    expect(narrowsParams(progress, { ...progress, progressToken: 2 })).toBe(false);
    expect(narrowsParams(progress, { ...progress, progress: null })).toBe(false);
    expect(narrowsParams(progress, { total: 4, message: 'x' })).toBe(false);
  });
});
