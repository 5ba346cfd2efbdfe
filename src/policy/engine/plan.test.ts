import { describe, expect, it } from 'vitest';
import { tracePlan } from '../explain/trace.ts';
import { parsePolicyDocument } from '../language/testing/parse.ts';
import { PUBLISHED_POLICIES } from '../language/testing/policies.ts';
import type { PolicyDocument } from '../language/types.ts';
import { compileDocument, noPolicy } from './compile.ts';
import { PolicySet } from './policy-set.ts';
import { caller, denialOf, document, limit, planOf, predicate, setOf, subject, when } from './testing/build.ts';

const me = caller();

const parsed = (source: unknown, id: string): PolicyDocument => {
  const { document: read, mistakes } = parsePolicyDocument(source, id);
  if (!read) throw new Error(mistakes.join('\n'));
  return read;
};

describe('a document’s defaults and hidden names', () => {
  it('allow a name with an empty rule and deny the rest under default deny', () => {
    const part = { default: 'deny', tools: { create: {} } } as const;
    expect(planOf(part, 'create').decide({}, me)).toEqual({ effect: 'allow', limits: [], shadow: [] });
    const other = planOf(part, 'other');
    expect([other.knows, other.lists]).toEqual([true, false]);
    expect(denialOf(other.decide({}, me))).toEqual({
      code: 'SWB_DENIED',
      policy: 'server:s',
      rule: '(default deny)',
      reason: 'Not allowed: the policy "server:s" denies what it does not list.',
      hidden: false,
    });
  });

  it('apply the default where the document is empty', () => {
    expect(planOf({ default: 'allow' }).decide(undefined, me).effect).toBe('allow');
    expect(planOf({ default: 'deny' }).decide(undefined, me).effect).toBe('deny');
    expect(setOf([]).planFor(subject('x')).decide({}, me).effect).toBe('allow');
  });

  it('hide names, globs and everything, also where a rule lists them', () => {
    const part = { default: 'allow', hide: ['drop', 'delete_*'], tools: { drop: {} } } as const;
    for (const name of ['drop', 'delete_all']) {
      const plan = planOf(part, name);
      expect([plan.knows, plan.lists]).toEqual([false, false]);
      expect(denialOf(plan.decide({}, me))).toMatchObject({ rule: '(hidden)', hidden: true });
    }
    expect(planOf(part, 'keep').lists).toBe(true);
    expect(planOf({ default: 'allow', hide: ['*'], tools: { keep: {} } }, 'keep').knows).toBe(false);
    expect(setOf([document({ default: 'allow', hide: ['*'] })]).allowsByDefault).toBe(false);
  });

  it('hide names in every section, and list each section by its own names', () => {
    const set = setOf([document({ hide: ['secret'], prompts: { greet: {} }, resources: { 'file:///a': {} } })]);
    expect(set.planFor(subject('secret', { section: 'prompts' })).knows).toBe(false);
    expect(set.planFor(subject('greet', { section: 'prompts' })).lists).toBe(true);
    expect(set.planFor(subject('greet')).lists).toBe(false);
    expect(set.planFor(subject('file:///a', { section: 'resources' })).lists).toBe(true);
  });

  it('hide a name that is too long to be matched against a hidden glob', () => {
    const part = { default: 'allow', hide: ['!(get)_*'] } as const;
    expect(planOf(part, 'get_it').knows).toBe(true);
    expect(planOf(part, `get_${'x'.repeat(200)}`).knows).toBe(false);
    const long = planOf({ default: 'allow', tools: { '!(get)_*': {} } }, 'x'.repeat(200));
    expect(long.lists).toBe(false);
    expect(denialOf(long.decide({}, me)).reason).toContain('too long');
  });

  it('deny every call of a grant without a policy', () => {
    const set = new PolicySet([compileDocument(document({ default: 'allow' }), 'original'), noPolicy('grant:team')]);
    const plan = set.planFor(subject('x'));
    expect([plan.knows, plan.lists, set.allowsByDefault]).toEqual([true, false, false]);
    expect(denialOf(plan.decide({}, me))).toMatchObject({ policy: 'grant:team', rule: '(no policy)', hidden: false });
    const strict = new PolicySet([compileDocument(document(), 'original'), noPolicy('grant:team')]);
    expect(denialOf(strict.planFor(subject('x')).decide({}, me)).rule).toBe('(no policy)');
  });
});

describe('the published policies', () => {
  it('require approval by the rule a published document has', () => {
    const source = { version: '1', default: 'deny', tools: { t: { action: 'require_approval', reason: 'Ask me.' } } };
    const plan = setOf([parsed(source, 'server:s')]).planFor(subject('t'));
    expect(plan.decide({}, me)).toMatchObject({
      effect: 'approve',
      need: { rule: '/tools/t/action', reason: 'Ask me.' },
    });
    expect(tracePlan(plan, {}).map(({ rule }) => rule)).toEqual(['/tools/t', '/tools/t/action']);
  });

  it.each(PUBLISHED_POLICIES)('$tool: $max a minute, and nothing else', ({ tool, max, policy }) => {
    const set = new PolicySet([compileDocument(parsed(policy, 'server:mqtt'), 'original')]);
    const verdict = set.planFor(subject(tool, { server: 'mqtt' })).decide({}, me);
    expect(verdict).toMatchObject({
      effect: 'allow',
      limits: [
        { max, amount: 1, windowMs: 60_000, sliding: false, rule: `/tools/${tool}/limits/${tool.toLowerCase()}_rate` },
      ],
    });
    const keyFor = (principal: string): string | undefined => {
      const own = set.planFor(subject(tool, { server: 'mqtt' })).decide({}, caller(principal));
      return own.effect === 'allow' ? own.limits[0]?.key : undefined;
    };
    expect(keyFor('one')).not.toBe(keyFor('two'));
    const other = set.planFor(subject(`${tool}2`, { server: 'mqtt' }));
    expect(other.lists).toBe(false);
    expect(denialOf(other.decide({}, me)).rule).toBe('(default deny)');
  });
});

describe('several documents', () => {
  it('are evaluated step by step: a hidden name stays hidden although another document denies', () => {
    const set = setOf([document({ id: 'a' }), document({ id: 'b', default: 'allow', hide: ['t'] })]);
    expect(denialOf(set.planFor(subject('t')).decide({}, me))).toMatchObject({ policy: 'b', rule: '(hidden)' });
  });

  it('in shadow mode change nothing and report what they would have denied', () => {
    const strict = document({ id: 'shade', mode: 'shadow', hide: ['t'], allTools: [limit()] });
    const plan = setOf([document({ default: 'allow' }), strict]).planFor(subject('t'));
    expect([plan.knows, plan.lists]).toEqual([true, true]);
    expect(plan.decide({}, me)).toMatchObject({
      effect: 'allow',
      limits: [],
      shadow: [{ policy: 'shade', rule: '(hidden)' }],
    });
    const lax = document({ id: 'lax', mode: 'shadow', default: 'allow', allTools: [limit()] });
    const asking = document({ id: 'ask', mode: 'shadow', tools: { t: { action: 'require_approval' } } });
    expect(setOf([lax, asking]).planFor(subject('t')).decide({}, me)).toEqual({
      effect: 'allow',
      limits: [],
      shadow: [],
    });
    expect(setOf([lax, strict]).allowsByDefault).toBe(true);
  });
});

describe('the trace', () => {
  it('names every rule of every document, in their order, and those not reached', () => {
    const plan = setOf([
      document({
        id: 'one',
        hide: ['x'],
        tools: { t: { require: [predicate([when('args.a', 'exists', true)])], action: 'deny', limits: [limit()] } },
      }),
      document({ id: 'two', mode: 'shadow' }),
      document({ id: 'three', default: 'allow', allTools: [limit()] }),
      document({ id: 'four', tools: { t: { approveIf: [predicate([]), predicate([])] } } }),
    ]).planFor(subject('t'));
    const trace = tracePlan(plan, { a: 'secret' });
    expect(denialOf(plan.decide({ a: 'secret' }, me)).rule).toBe('/tools/t/action');
    expect(trace.map(({ policy, rule: name, outcome }) => `${policy} ${name} ${outcome}`)).toEqual([
      'one (hidden) passed',
      'one /tools/t passed',
      'one /tools/t/require/args.a-exists passed',
      'one /tools/t/action denied',
      'one /tools/t/limits/calls skipped',
      'two (default deny) denied',
      'three (default allow) passed',
      'three /all_tools/limits/calls limit',
      'four /tools/t passed',
      'four /tools/t/approve/0 approval',
      'four /tools/t/approve/1 skipped',
    ]);
    expect(trace.find((step) => step.policy === 'two')?.mode).toBe('shadow');
    expect(JSON.stringify(trace)).not.toContain('secret');
  });
});

describe('a plan', () => {
  it('shows the rules and schemas that apply', () => {
    const schema = { required: ['why'] };
    const plan = setOf([document({ id: 'a', tools: { 't*': { schema } } }), document({ default: 'allow' })]).planFor(
      subject('t1'),
    );
    expect(plan.schemas).toEqual([{ policy: 'a', mode: 'enforce', rule: '/tools/t*/schema', schema }]);
    expect(plan.rules.map(({ pointer }) => pointer)).toEqual(['/tools/t*']);
  });

  it('is cached for a name, and never for another subject of that name', () => {
    const set = setOf([document({ tools: { t: {} } })]);
    const plan = set.planFor(subject('t'));
    expect(set.planFor(subject('t'))).toBe(plan);
    expect(set.planFor(subject('t', { section: 'prompts' })).lists).toBe(false);
    expect(set.planFor(subject('u', { namespaced: 's__t' })).lists).toBe(false);
    expect(set.planFor(subject('t')).lists).toBe(true);
    for (let i = 0; i < 5_000; i++) set.planFor(subject(`uri://${i}`, { section: 'resources' }));
    const again = set.planFor(subject('t'));
    expect(again).toBe(set.planFor(subject('t')));
    const long = subject('x'.repeat(5_000), { section: 'resources' });
    expect(set.planFor(long)).not.toBe(set.planFor(long));
  });
});
