import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import type { CatalogKind, Entry } from '../../core/upstream.ts';
import { policyJsonSchema } from '../../policy/language/schema/document.ts';
import { parsePolicyDocument } from '../../policy/language/testing/parse.ts';
import { PUBLISHED_POLICIES } from '../../policy/language/testing/policies.ts';
import { type Source, startingPolicy } from './starting-policy.ts';

const tool = (name: string, rest: object = {}): Entry => ({ key: name, value: { name, ...rest } });

const source = (lists: Partial<Record<CatalogKind, Entry[]>>, part: Partial<Source> = {}): Source => ({
  server: 's',
  builtin: false,
  catalog: (kind) => ({ entries: lists[kind] ?? [] }),
  name: (_kind, original) => original,
  resources: ['*'],
  ...part,
});

const isValid = new Ajv2020({ strict: false }).compile(policyJsonSchema());

function made(...sources: Source[]) {
  const policy = startingPolicy(sources, 'A test.');
  expect(isValid(policy.document), JSON.stringify(isValid.errors)).toBe(true);
  // As it is when it has been written and read again.
  expect(parsePolicyDocument(JSON.stringify(policy.document), 'x').mistakes).toBeUndefined();
  return policy;
}

describe('startingPolicy', () => {
  it.each(PUBLISHED_POLICIES)('writes the policy that is published for $tool', ({ tool: name, policy }) => {
    const { description, ...document } = made(source({ tools: [tool(name)] })).document;
    expect(description).toBe('A test.');
    expect(document).toEqual(policy);
  });

  it('has a rule for every entry, by category', () => {
    const { document, judged } = made(
      source({
        tools: ['get_x', 'Frob', 'write_x', 'run_x', 'pay', 'delete_x'].map((name) => tool(name)),
        prompts: [tool('greet')],
        templates: [{ key: 'file:///{path}', value: {} }],
        agents: [tool('Poet')],
      }),
    );
    const perMinute = (counter: string, max: number) => ({
      limits: [{ counter, window: 'minute', max, scope: 'grant' }],
    });
    expect(document).toEqual({
      version: '1',
      description: 'A test.',
      default: 'deny',
      hide: ['delete_x'],
      tools: {
        get_x: {},
        Frob: perMinute('frob_rate', 60),
        write_x: perMinute('write_x_rate', 30),
        run_x: perMinute('run_x_rate', 10),
        pay: { deny_if: [{ conditions: [], on_deny: 'Requires human approval.' }] },
      },
      agents: { Poet: perMinute('poet_rate', 10) },
      prompts: { greet: {} },
      resources: { '*': {} },
    });
    expect(judged.map(({ name, severity, rule }) => `${name} ${severity} ${rule}`)).toEqual([
      'get_x Low allowed',
      'Frob Low 60 a minute',
      'write_x Medium 30 a minute',
      'run_x High 10 a minute',
      'pay Critical denied',
      'delete_x Critical hidden',
      'Poet High 10 a minute',
    ]);
  });

  it('writes no rule for a name that would be a pattern', () => {
    const { document, leftOut } = made(
      source({ tools: [tool('get_*'), tool('*'), tool('delete_[a]'), tool(''), tool('get_x'.padEnd(3_000, 'x'))] }),
    );
    expect(document).toEqual({ version: '1', description: 'A test.', default: 'deny', tools: {} });
    expect(leftOut).toHaveLength(5);
  });

  it('takes names such as __proto__ and toString literally', () => {
    const { document, leftOut } = made(source({ tools: [tool('__proto__'), tool('constructor'), tool('größe')] }));
    expect(Object.keys(document.tools as object)).toEqual(['constructor', 'größe']);
    expect(leftOut.map(({ name }) => name)).toEqual(['__proto__']);
  });

  it('cuts counters to what the format takes', () => {
    const name = `get_${'x'.repeat(290)}`;
    const { document } = made(source({ tools: [tool(name, { annotations: { readOnlyHint: false } })] }));
    expect(JSON.stringify(document)).toContain('_rate');
  });

  it('keeps the strictest rule where servers share a name', () => {
    const harmless = source({ tools: [tool('get_x')] });
    const harmful = source({ tools: [tool('get_x', { annotations: { readOnlyHint: false } })] }, { server: 't' });
    for (const order of [
      [harmless, harmful],
      [harmful, harmless],
    ]) {
      expect(made(...order).document.tools).toMatchObject({ get_x: { limits: [{ max: 30 }] } });
    }
  });

  it('classifies builtin tools by their names alone', () => {
    const own = source(
      { tools: [tool('callAgent', { annotations: { destructiveHint: true } }), tool('listAgents')] },
      { builtin: true },
    );
    expect(made(own).document.tools).toMatchObject({ callAgent: { limits: [{ max: 10 }] }, listAgents: {} });
  });
});
