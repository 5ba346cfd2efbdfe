import { describe, expect, it } from 'vitest';
import { guardedTools, requiresApproval, shown } from './approval.ts';
import { agentEntries, describeAgent, looksLikeAgents, objectSchema, readSchema, toolEntries } from './catalog.ts';
import { formOf } from './interrupts.ts';

describe('schemas', () => {
  it('are read out of superjson, plain text and objects', () => {
    expect(readSchema('{"json":{"type":"object"},"meta":{}}')).toEqual({ type: 'object' });
    expect(readSchema('{"type":"object"}')).toEqual({ type: 'object' });
    expect(readSchema({ type: 'object' })).toEqual({ type: 'object' });
    for (const none of [undefined, 'nonsense', '7', '{"json":7}']) expect(readSchema(none)).toBeUndefined();
  });

  it('are those of objects, or no schemas of a tool', () => {
    const union = { anyOf: [{ type: 'object' }] };
    expect(objectSchema(union)).toEqual({ type: 'object', ...union });
    expect(objectSchema({ type: 'string' })).toBeUndefined();
  });

  it('are forms when they are flat', () => {
    const properties = { n: { type: 'integer' }, yes: { type: 'boolean' } };
    expect(formOf({ type: 'object', properties, required: ['n'], additionalProperties: false })).toEqual({
      type: 'object',
      properties,
      required: ['n'],
    });
    expect(formOf({ type: 'object', properties: { o: { type: 'object' } } })).toBeUndefined();
    expect(formOf({ type: 'object', properties: {} })).toBeUndefined();
    expect(formOf(undefined)).toBeUndefined();
  });
});

describe('listings', () => {
  it('hold no instructions, not even as a description', () => {
    const agent = { id: 'x', name: 'X', instructions: 'PROMPT', description: 'PROMPT', modelList: [{ apiKey: 'k' }] };
    expect(describeAgent('x', agent)).toEqual({ name: 'x', title: 'X', kind: 'mastra' });
    expect(JSON.stringify(agentEntries({ key: agent }))).not.toMatch(/PROMPT|apiKey/);
  });

  it('leave out tools no client could call, and repeated ids', () => {
    const entries = toolEntries({
      a: { id: 'same', description: 'first' },
      b: { id: 'same', description: 'second' },
      c: { description: 'known by its key' },
      d: { id: 'takes-a-string', inputSchema: '{"json":{"type":"string"}}' },
      e: { id: 'provider.search', type: 'provider-defined' },
      f: { id: 'list', outputSchema: '{"json":{"type":"array"}}' },
      g: 'nonsense',
    });
    expect(entries.map(({ value }) => value)).toEqual([
      { name: 'same', description: 'first', inputSchema: { type: 'object' } },
      { name: 'c', description: 'known by its key', inputSchema: { type: 'object' } },
      { name: 'list', inputSchema: { type: 'object' } },
    ]);
  });

  it('are recognised as agents when every member is one', () => {
    expect(looksLikeAgents({})).toBe(true);
    expect(looksLikeAgents({ a: { name: 'A', tools: {} } })).toBe(true);
    for (const other of [[], null, 'x', { a: 1 }, { a: { name: 'A' } }, { a: { tools: {} } }]) {
      expect(looksLikeAgents(other)).toBe(false);
    }
  });
});

describe('approval', () => {
  it('is needed unless the server says it is not', () => {
    expect(requiresApproval({ requireApproval: false })).toBe(false);
    for (const tool of [{}, { requireApproval: true }, { requireApproval: 'sometimes' }]) {
      expect(requiresApproval(tool)).toBe(true);
    }
    expect(requiresApproval({ requireApproval: false, needsApproval: true })).toBe(true);
  });

  it('is needed for what any agent guards, by its tools or as a whole', () => {
    const free = { id: 'free', requireApproval: false };
    expect(
      guardedTools({
        a: { tools: { x: { id: 'guarded', requireApproval: true }, y: free } },
        b: { tools: { z: { id: 'all', requireApproval: false } }, defaultOptions: { requireToolApproval: true } },
      }),
    ).toEqual(new Set(['guarded', 'all']));
  });

  it('shows arguments on one line, bounded, with nothing hidden in them', () => {
    expect(shown({ a: 'x\ny', b: '\u202egnp.exe\u200b' })).toBe('{"a":"x\\ny","b":"\\u202egnp.exe\\u200b"}');
    expect(shown(undefined)).toBe('no arguments');
    expect(shown('x'.repeat(5_000))).toMatch(/^"x{999}… \(4002 more characters are not shown\)$/);
  });
});
