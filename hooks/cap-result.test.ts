import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hookInput, loadedHook, runHooks } from '../src/policy/hooks/testing/hooks.ts';
import { capResult } from './cap-result.ts';

const run = (result: unknown, options: Record<string, unknown> = { maxBytes: 1000 }, name = 'add') =>
  runHooks([loadedHook(capResult(options).decide)], hookInput({ phase: 'call.after', result, name }));

// biome-ignore lint/suspicious/noExplicitAny: results are looked into member by member.
function capped(result: unknown, options?: Record<string, unknown>): any {
  const outcome = run(result, options);
  if (outcome instanceof Promise || outcome.effect !== 'allow') throw new Error(JSON.stringify(outcome));
  return outcome.changes?.result;
}

const text = (value: string) => ({ type: 'text', text: value });

describe('cap-result', () => {
  it('leaves a result within the cap unchanged, also where its JSON is longer', () => {
    expect(capped({ content: [text('x'.repeat(900))] })).toBeUndefined();
    expect(capped({ content: [text('\n'.repeat(900))] })).toBeUndefined();
    expect(run({ content: [text('x'.repeat(5000))] }, { maxBytes: 1000, names: ['list_*'] })).toMatchObject({
      changes: undefined,
    });
  });

  it('cuts a text between two characters, with a notice of the missing bytes', () => {
    const { content } = capped({ content: [text('🙂'.repeat(1000))] });
    const [kept, notice] = content[0].text.split('\n');
    expect(kept.isWellFormed()).toBe(true);
    expect(Buffer.byteLength(kept)).toBeGreaterThan(960);
    expect(notice).toBe(
      `[${4000 - Buffer.byteLength(kept)} more bytes left out: the result is over the gateway's cap of 1000 bytes]`,
    );
  });

  it('replaces binary data, and counts the items after it', () => {
    const image = { type: 'image', data: 'A'.repeat(5000), mimeType: 'image/png' };
    const { content, isError } = capped({ content: [text('first'), image, text('second'), text('third')] });
    expect(content).toHaveLength(2);
    expect(content[0]).toEqual(text('first'));
    expect(content[1].text).toMatch(/^\[image\/png, \d+ bytes: left out.*\]\n\[2 more items left out\]$/);
    expect(isError).toBeUndefined();
    const resource = { uri: 'file:///a', mimeType: 'application/pdf', blob: 'A'.repeat(5000) };
    expect(capped({ contents: [resource] }).contents).toEqual([
      { uri: 'file:///a', mimeType: 'application/pdf', text: expect.stringContaining('application/pdf') },
    ]);
    expect(capped({ content: [{ type: 'resource', resource }] }).content[0].type).toBe('text');
    expect(
      capped({ messages: [{ role: 'user', content: text('x'.repeat(5000)) }] }).messages[0].content.text,
    ).toContain('more bytes');
  });

  it('makes an error of a result whose structured content does not fit', () => {
    const structuredContent = { rows: Array.from({ length: 500 }, (_, row) => ({ row })) };
    const result = capped({ content: [text('500 rows')], structuredContent });
    expect(result).toEqual({
      isError: true,
      content: [text(expect.stringMatching(/^\[structured content, \d+ bytes.*\n500 rows$/) as never)],
    });
    expect(capped({ content: [], structuredContent }).content).toHaveLength(1);
    const small = capped({ content: [text('x'.repeat(5000))], structuredContent: { rows: 1 } });
    expect(small.structuredContent).toEqual({ rows: 1 });
    expect(small.isError).toBeUndefined();
  });

  it('denies a result it cannot shorten', () => {
    expect(run({ content: [], extra: 'x'.repeat(10_000) })).toMatchObject({
      effect: 'deny',
      failed: false,
      denial: { reason: expect.stringContaining('cap of 1000 bytes') },
    });
  });

  it('keeps any result of items near the cap, and only narrows it', () => {
    const item = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 2000 }).map(text),
      fc.nat(3000).map((length) => ({ type: 'image', data: 'A'.repeat(length), mimeType: 'image/png' })),
      fc
        .string({ maxLength: 900 })
        .map((value) => ({ type: 'resource', resource: { uri: 'a:b', text: value, _meta: { value } } })),
    );
    const results = fc.record(
      { content: fc.array(item), structuredContent: fc.dictionary(fc.string(), fc.string({ maxLength: 500 })) },
      { requiredKeys: ['content'] },
    );
    fc.assert(
      fc.property(results, (result) => {
        const after = capped(result);
        if (after === undefined) return;
        const carried = (after.content as { text?: string; resource?: { text?: string } }[])
          .map((one) => one.text ?? one.resource?.text ?? JSON.stringify(one))
          .join('');
        expect(Buffer.byteLength(carried)).toBeLessThan(1000 + 600);
      }),
    );
  });

  it('reports invalid options', () => {
    expect(() => capResult({ maxBytes: 1 })).toThrow(/options\.maxBytes: /);
    expect(() => capResult({ maxByte: 1000 })).toThrow(/did you mean "maxBytes"/);
  });
});
