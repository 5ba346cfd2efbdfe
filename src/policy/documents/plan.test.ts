import { describe, expect, it } from 'vitest';
import { parsePolicyDocument } from '../../config/documents/document.ts';
import type { PolicyDocument, Rule } from '../../config/policy-types.ts';
import { PUBLISHED_POLICIES } from '../../config/testing/policies.ts';
import type { Visit } from '../types.ts';
import { compileDocument, noPolicy } from './compile.ts';
import { PolicySet } from './policy-set.ts';
import { caller, denialOf, document, limit, planOf, predicate, setOf, subject, when } from './testing/build.ts';

const me = caller();

const parsed = (source: unknown, id: string): PolicyDocument => {
  const { document: read, mistakes } = parsePolicyDocument(source, id);
  if (!read) throw new Error(mistakes.join('\n'));
  return read;
};

describe('defaults and hiding', () => {
  it('allows what an empty rule lists and denies the rest by default', () => {
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

  it('follows its default when it is empty', () => {
    expect(planOf({ default: 'allow' }).decide(undefined, me).effect).toBe('allow');
    expect(planOf({ default: 'deny' }).decide(undefined, me).effect).toBe('deny');
    expect(setOf([]).planFor(subject('x')).decide({}, me).effect).toBe('allow');
  });

  it('hides names, globs and everything, and what is hidden wins over what is listed', () => {
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

  it('hides in every section, and lists each section by its own names', () => {
    const set = setOf([document({ hide: ['secret'], prompts: { greet: {} }, resources: { 'file:///a': {} } })]);
    expect(set.planFor(subject('secret', { section: 'prompts' })).knows).toBe(false);
    expect(set.planFor(subject('greet', { section: 'prompts' })).lists).toBe(true);
    expect(set.planFor(subject('greet')).lists).toBe(false);
    expect(set.planFor(subject('file:///a', { section: 'resources' })).lists).toBe(true);
  });

  it('hides a name that is too long to be told from a hidden one', () => {
    const part = { default: 'allow', hide: ['!(get)_*'] } as const;
    expect(planOf(part, 'get_it').knows).toBe(true);
    expect(planOf(part, `get_${'x'.repeat(200)}`).knows).toBe(false);
    const long = planOf({ default: 'allow', tools: { '!(get)_*': {} } }, 'x'.repeat(200));
    expect(long.lists).toBe(false);
    expect(denialOf(long.decide({}, me)).reason).toContain('too long');
  });

  it('denies every call of a grant without a policy', () => {
    const set = new PolicySet([compileDocument(document({ default: 'allow' }), 'original'), noPolicy('grant:team')]);
    const plan = set.planFor(subject('x'));
    expect([plan.knows, plan.lists, set.allowsByDefault]).toEqual([true, false, false]);
    expect(denialOf(plan.decide({}, me))).toMatchObject({ policy: 'grant:team', rule: '(no policy)', hidden: false });
    const strict = new PolicySet([compileDocument(document(), 'original'), noPolicy('grant:team')]);
    expect(denialOf(strict.planFor(subject('x')).decide({}, me)).rule).toBe('(no policy)');
  });
});

describe('names', () => {
  const deny = (reason: string) => ({ action: 'deny', reason }) as const;
  const told = (part: Parameters<typeof planOf>[0], name: string): string =>
    denialOf(planOf(part, name).decide({}, me)).reason;

  it('prefers the exact name, then the first glob, then the star', () => {
    const part = {
      default: 'allow',
      tools: { '*': deny('star'), 'a*': deny('first'), 'ab*': deny('second'), abc: deny('exact') },
    } as const;
    expect(['abc', 'abd', 'x'].map((name) => told(part, name))).toEqual(['exact', 'first', 'star']);
  });

  it('does not let the star list tools under default deny, as published; narrower globs do', () => {
    expect(planOf({ tools: { '*': {} } }, 'x').lists).toBe(false);
    expect(planOf({ tools: { 'x*': {} } }, 'x1').lists).toBe(true);
    const set = setOf([document({ prompts: { '*': {} } })]);
    expect(set.planFor(subject('greet', { section: 'prompts' })).lists).toBe(true);
  });

  it('compares exactly, whatever the alphabet', () => {
    const part = { default: 'allow', tools: { löschen: deny('exact'), '削除_*': deny('glob') } } as const;
    expect(told(part, 'löschen')).toBe('exact');
    expect(told(part, `削除_${'長'.repeat(5_000)}`)).toBe('glob');
    expect(planOf(part, 'lo\u0308schen').decide({}, me).effect).toBe('allow');
    expect(planOf(part, 'LÖSCHEN').decide({}, me).effect).toBe('allow');
  });

  it.each(['__proto__', 'constructor', 'toString'])('finds no inherited rule for %s', (name) => {
    expect(planOf({ tools: { x: {} } }, name).lists).toBe(false);
    expect(planOf({ default: 'allow', hide: ['x'] }, name).decide({}, me).effect).toBe('allow');
  });

  it('takes a URI template for a name before it is a pattern', () => {
    const set = setOf([document({ resources: { 'db://{table}?q=[1]': {} } })]);
    expect(set.planFor(subject('db://{table}?q=[1]', { section: 'resources' })).lists).toBe(true);
  });

  it('means original names, namespaced names, or either', () => {
    const part = document({ tools: { own: {}, s__far: {} } });
    const listed = (naming: 'original' | 'namespaced' | 'both', name: string): boolean =>
      setOf([part], naming).planFor(subject(name)).lists;
    expect(['own', 'far'].map((name) => listed('original', name))).toEqual([true, false]);
    expect(['own', 'far'].map((name) => listed('namespaced', name))).toEqual([false, true]);
    expect(['own', 'far'].map((name) => listed('both', name))).toEqual([true, true]);
    const hiding = setOf([document({ default: 'allow', hide: ['own', 's__far'] })], 'both');
    expect(['own', 'far', 'x'].map((name) => hiding.planFor(subject(name)).knows)).toEqual([false, false, true]);
  });
});

describe('rules', () => {
  const charge = (part: Partial<Rule>) => planOf({ tools: { 'create/charge': part } }, 'create/charge');

  it('names the predicate that denies, and says what the document says or which rule it was', () => {
    const plan = charge({
      denyIf: [
        predicate([when('args.amount', 'gt', 100)], { onDeny: 'Too much.' }),
        predicate([when('args.amount', 'gt', 50), when('args.to', 'eq', 'x')]),
        predicate([when('args.amount', 'gt', 40)], { name: 'forty' }),
        predicate([when('args.amount', 'gt', 30)]),
      ],
    });
    const of = (args: object) => denialOf(plan.decide(args, me));
    expect(of({ amount: 101 })).toMatchObject({
      rule: '/tools/create~1charge/deny_if/args.amount-gt',
      reason: 'Too much.',
    });
    expect(of({ amount: 51, to: 'x' }).rule).toBe('/tools/create~1charge/deny_if/args.amount-gt+args.to-eq');
    expect(of({ amount: 41 }).reason).toBe(
      'Denied by the rule /tools/create~1charge/deny_if/forty of the policy "server:s".',
    );
    expect(of({ amount: 31 }).rule).toBe('/tools/create~1charge/deny_if/args.amount-gt#3');
    expect(plan.decide({ amount: 30 }, me).effect).toBe('allow');
    expect(plan.decide({}, me).effect).toBe('allow');
  });

  it('wants every entry of require', () => {
    const plan = charge({
      reason: 'Say why.',
      require: [predicate([when('args.reason', 'exists', true)]), predicate([when('args.amount', 'lte', 10)])],
    });
    expect(plan.decide({ reason: 'x', amount: 10 }, me).effect).toBe('allow');
    expect(denialOf(plan.decide({ amount: 10 }, me))).toMatchObject({ reason: 'Say why.' });
    expect(denialOf(plan.decide({ reason: 'x' }, me)).rule).toBe('/tools/create~1charge/require/args.amount-lte');
  });

  it('lists what is always denied, and says why', () => {
    const financial = charge({ denyIf: [predicate([], { onDeny: 'Requires human approval.' })] });
    expect([financial.knows, financial.lists]).toEqual([true, true]);
    expect(denialOf(financial.decide({}, me))).toMatchObject({
      rule: '/tools/create~1charge/deny_if/0',
      reason: 'Requires human approval.',
    });
    const action = charge({ action: 'deny', reason: 'Never.' });
    expect(action.lists).toBe(true);
    expect(denialOf(action.decide({}, me))).toMatchObject({ rule: '/tools/create~1charge/action', reason: 'Never.' });
  });

  it('denies when a rule cannot be evaluated, without internals', () => {
    for (const list of ['require', 'denyIf', 'approveIf'] as const) {
      const denial = denialOf(
        charge({ [list]: [predicate([when('args.a', 'regex', '(')])] }).decide({ a: 'secret' }, me),
      );
      expect(denial).toMatchObject({ code: 'SWB_DENIED', hidden: false });
      expect(denial.rule).toMatch(/args\.a-regex$/);
      expect(denial.reason).toContain('cannot be evaluated');
      expect(denial.reason).not.toMatch(/secret|Syntax|missing/);
    }
    const trap = new Proxy(
      {},
      {
        getOwnPropertyDescriptor: () => {
          throw new Error('inner words');
        },
      },
    );
    const denial = denialOf(charge({ denyIf: [predicate([when('args.a', 'eq', 1)])] }).decide(trap, me));
    expect(denial.reason).not.toContain('inner words');
    const counted = charge({ limits: [limit({ incrementFrom: 'args.a' })] }).decide(trap, me);
    expect(denialOf(counted).reason).not.toContain('inner words');
  });

  it('asks a person, once for all documents, and the strictest way', () => {
    const plan = setOf([
      document({
        id: 'gateway',
        tools: { t: { approveIf: [predicate([when('args.n', 'gt', 5)])], approvalTimeoutMs: 5_000 } },
      }),
      document({ id: 'server:s', tools: { t: { action: 'require_approval', reason: 'Ask.', approver: 'operator' } } }),
    ]).planFor(subject('t'));
    expect(plan.decide({ n: 6 }, me)).toMatchObject({
      effect: 'approve',
      need: { policy: 'server:s', rule: '/tools/t/action', reason: 'Ask.', timeoutMs: 5_000, approver: 'operator' },
    });
    expect(plan.decide({ n: 1 }, me)).toMatchObject({ effect: 'approve', need: { timeoutMs: 600_000 } });
  });

  it('asks by the rule a published document was written with', () => {
    const source = { version: '1', default: 'deny', tools: { t: { action: 'require_approval', reason: 'Ask me.' } } };
    const plan = setOf([parsed(source, 'server:s')]).planFor(subject('t'));
    const trace: Visit[] = [];
    expect(plan.decide({}, me, trace)).toMatchObject({
      effect: 'approve',
      need: { rule: '/tools/t/action', reason: 'Ask me.' },
    });
    expect(trace.map(({ rule }) => rule)).toEqual(['/tools/t', '/tools/t/action']);
  });
});

describe('limits', () => {
  it('apply to every tool, listed or not, and to nothing else', () => {
    const set = setOf([
      document({ default: 'allow', allTools: [limit({ counter: 'calls/all' })], tools: { t: { limits: [limit()] } } }),
    ]);
    const rules = (of: ReturnType<typeof subject>): string[] => {
      const verdict = set.planFor(of).decide({}, me);
      return verdict.effect === 'allow' ? verdict.limits.map((use) => use.rule) : [];
    };
    expect(rules(subject('t'))).toEqual(['/all_tools/limits/calls~1all', '/tools/t/limits/calls']);
    expect(rules(subject('other'))).toEqual(['/all_tools/limits/calls~1all']);
    expect(rules(subject('t', { section: 'prompts' }))).toEqual([]);
  });

  it('count one call once where limits share a count', () => {
    const part = { allTools: [limit({ max: 100 })], tools: { t: { limits: [limit({ max: 5, increment: 3 })] } } };
    const verdict = planOf(part, 't').decide({}, me);
    expect(verdict.effect === 'allow' && verdict.limits).toMatchObject([
      { max: 5, amount: 3, rule: '/tools/t/limits/calls' },
    ]);
    const shared = { allTools: [limit({ scope: 'global' })], default: 'allow' } as const;
    const both = setOf([document({ ...shared, id: 'gateway' }), document({ ...shared, id: 'server:s' })]);
    const global = both.planFor(subject('t')).decide({}, me);
    expect(global.effect === 'allow' && global.limits).toHaveLength(1);
  });

  it('name their count so that no two meet', () => {
    const keyOf = (id: string, part: Parameters<typeof limit>[0], who = me, server = 's'): string => {
      const plan = setOf([document({ id, default: 'allow', allTools: [limit(part)] })]).planFor(
        subject('t', { server }),
      );
      const verdict = plan.decide({}, who);
      return verdict.effect === 'allow' ? (verdict.limits[0]?.key ?? '') : '';
    };
    expect(keyOf('d', { scope: 'grant' })).toBe('["d","grant","team","calls",60000]');
    expect(keyOf('d', { scope: 'session' })).toBe('["d","session","session-1","calls",60000]');
    expect(keyOf('d', { scope: 'server' })).toBe('["d","server","s","calls",60000]');
    expect(keyOf('d', { scope: 'global' })).toBe('[null,"global",null,"calls",60000]');
    expect(keyOf('e', { scope: 'global' })).toBe(keyOf('d', { scope: 'global' }));
    const odd = new Set([
      keyOf('d', {}, caller('a","calls')),
      keyOf('d', { counter: 'calls","calls' }, caller('a')),
      keyOf('d","grant', {}, caller('a')),
      keyOf('d', {}, caller('a')),
      keyOf('d', { windowMs: 1_000 }, caller('a')),
    ]);
    expect(odd.size).toBe(5);
  });

  it('add what an argument says, and deny what would give quota back or cannot be counted', () => {
    const plan = planOf({ tools: { t: { limits: [limit({ counter: 'spent', incrementFrom: 'args.amount' })] } } }, 't');
    const amount = (value: unknown): number | string => {
      const verdict = plan.decide({ amount: value }, me);
      return verdict.effect === 'allow' ? (verdict.limits[0]?.amount ?? Number.NaN) : denialOf(verdict).reason;
    };
    expect([5, '7.5', 0, -0].map(amount)).toEqual([5, 7.5, 0, 0]);
    expect(Object.is(amount(-0), 0)).toBe(true);
    expect(amount(-1)).toContain('args.amount is negative');
    expect(amount('-1e-9')).toContain('negative');
    for (const value of [undefined, null]) expect(amount(value)).toContain('args.amount is missing');
    for (const value of ['abc', 'NaN', true, [5], {}, '1e999', JSON.parse('1e999'), Number.NaN]) {
      expect(amount(value)).toContain('not a finite number');
    }
    expect(denialOf(plan.decide({}, me))).toMatchObject({ code: 'SWB_DENIED', rule: '/tools/t/limits/spent' });
  });

  it('that cannot be counted deny before anybody is asked to approve', () => {
    const plan = setOf([
      document({ id: 'gateway', tools: { t: { action: 'require_approval' } } }),
      document({ tools: { t: { limits: [limit({ incrementFrom: 'args.n' })] } } }),
    ]).planFor(subject('t'));
    expect(plan.decide({}, me).effect).toBe('deny');
    expect(plan.decide({ n: 1 }, me)).toMatchObject({ effect: 'approve', limits: [{ amount: 1 }] });
  });
});

describe('the published policies', () => {
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
  it('are asked step by step: what is hidden stays secret whoever else denies', () => {
    const set = setOf([document({ id: 'a' }), document({ id: 'b', default: 'allow', hide: ['t'] })]);
    expect(denialOf(set.planFor(subject('t')).decide({}, me))).toMatchObject({ policy: 'b', rule: '(hidden)' });
  });

  it('in shadow change nothing and tell what they would have denied', () => {
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
    const trace: Visit[] = [];
    expect(denialOf(plan.decide({ a: 'secret' }, me, trace)).rule).toBe('/tools/t/action');
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
    expect(trace.find((visit) => visit.policy === 'two')?.mode).toBe('shadow');
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

  it('is kept for a name, and never for another thing of that name', () => {
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
