import { describe, expect, it } from 'vitest';
import type { HookInput } from '../src/policy/hooks/contract.ts';
import { hookInput, loadedHook, runHooks } from '../src/policy/hooks/testing/hooks.ts';
import { rewriteArguments } from './rewrite-arguments.ts';

const run = (rule: Record<string, unknown>, args: Record<string, unknown>, parts: Partial<HookInput> = {}) =>
  runHooks([loadedHook(rewriteArguments({ rules: [rule] }).decide)], hookInput({ args, ...parts }));

const args = (rule: Record<string, unknown>, given: Record<string, unknown>, parts?: Partial<HookInput>) => {
  const outcome = run(rule, given, parts);
  if (outcome instanceof Promise || outcome.effect !== 'allow') throw new Error(JSON.stringify(outcome));
  return outcome.changes?.args ?? given;
};

describe('rewrite-arguments', () => {
  it('renames, removes, gives defaults and sets, in this order', () => {
    const rule = {
      rename: { query: 'q.text' },
      remove: ['debug', 'list.0'],
      default: { limit: 10, 'q.lang': 'en', given: 1 },
      set: { 'options.readOnly': true, 'list.0.x': 1 },
    };
    expect(args(rule, { query: 'hi', debug: 1, list: [0, { x: 0 }], given: null })).toEqual({
      q: { text: 'hi', lang: 'en' },
      list: [{ x: 1 }],
      limit: 10,
      given: null,
      options: { readOnly: true },
    });
  });

  it('fills templates with the caller’s identity and the old value', () => {
    const rule = {
      tools: ['mqtt*'],
      set: { clientId: '{{value}}-{{session|principal}}', 'meta.by': '{{principal}}/{{grant|principal}}' },
    };
    const mqtt = { name: 'mqttConnect' };
    expect(args(rule, { clientId: 'dev' }, { ...mqtt, session: 's1', principal: 'ci', grant: 'ci' })).toEqual({
      clientId: 'dev-s1',
      meta: { by: 'ci/ci' },
    });
    expect(args(rule, { clientId: 7 }, mqtt)).toEqual({ clientId: '7-local', meta: { by: 'local/local' } });
    expect(args(rule, {}, mqtt)).toEqual({ meta: { by: 'local/local' } });
    expect(args(rule, { clientId: 'dev' })).toEqual({ clientId: 'dev' });
  });

  it('does not fill templates in callers’ values', () => {
    const rule = { set: { id: '{{value}}' } };
    expect(args(rule, { id: '{{session}} $&' }, { session: 'secret' })).toEqual({
      id: '{{session}} $&',
    });
  });

  it('denies where a template cannot be filled or a path is blocked', () => {
    expect(run({ set: { id: '{{grant}}' } }, {})).toMatchObject({
      effect: 'deny',
      failed: false,
      denial: {
        reason: 'The gateway writes into the arguments of this call: {{grant}}, which this caller does not have.',
      },
    });
    expect(run({ set: { 'options.readOnly': true } }, { options: 'x' })).toMatchObject({
      effect: 'deny',
      denial: { reason: expect.stringContaining('"options.readOnly", and something else is in the way') },
    });
    expect(run({ set: { 'list.5': 1 } }, { list: [] })).toMatchObject({ effect: 'deny' });
  });

  it('treats names of the prototype as ordinary names', () => {
    const given = JSON.parse('{"a":1}');
    const after = args({ set: { '__proto__.polluted': true, 'constructor.prototype.polluted': true } }, given);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(Object.keys(after)).toEqual(['a', '__proto__', 'constructor']);
    expect(args({ default: { toString: 'x' }, remove: ['hasOwnProperty'] }, {})).toEqual({ toString: 'x' });
    expect(args({ set: { 'list.length': 0 } }, { list: {} })).toEqual({ list: { length: 0 } });
    expect(run({ set: { 'list.length': 0 } }, { list: [1] })).toMatchObject({ effect: 'deny' });
  });

  it('reports invalid options', () => {
    const mistake = (rule: unknown) => () => rewriteArguments({ rules: [rule] });
    expect(() => rewriteArguments({})).toThrow(/options\.rules: /);
    expect(mistake({ set: { 'a..b': 1 } })).toThrow(/options\.rules\[0\]\.set\["a\.\.b"\]: a path is names/);
    expect(mistake({ set: { a: '{{HOME}}' } })).toThrow(/\{\{HOME\}\} is no template; allowed: \{\{session\}\}/);
    expect(mistake({ sets: {} })).toThrow(/options\.rules\[0\]: there is no option "sets"/);
  });
});
