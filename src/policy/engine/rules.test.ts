import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExact } from '../../wire/json/parse.ts';
import type { Rule } from '../language/types.ts';
import { caller, denialOf, document, limit, planOf, predicate, setOf, subject, when } from './testing/build.ts';

const me = caller();

describe('a rule', () => {
  const charge = (part: Partial<Rule>) => planOf({ tools: { 'create/charge': part } }, 'create/charge');

  it('names the predicate that denies, with the document’s reason or the rule’s pointer', () => {
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

  it('needs every entry of require', () => {
    const plan = charge({
      reason: 'Say why.',
      require: [predicate([when('args.reason', 'exists', true)]), predicate([when('args.amount', 'lte', 10)])],
    });
    expect(plan.decide({ reason: 'x', amount: 10 }, me).effect).toBe('allow');
    expect(denialOf(plan.decide({ amount: 10 }, me))).toMatchObject({ reason: 'Say why.' });
    expect(denialOf(plan.decide({ reason: 'x' }, me)).rule).toBe('/tools/create~1charge/require/args.amount-lte');
  });

  it('that always denies leaves the name listed, with a reason', () => {
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

  it('that cannot be evaluated denies, without internals in the reason', () => {
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

  it('requires one approval for all documents, with the strictest terms', () => {
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
});

describe('limits', () => {
  it('apply to every tool, listed or not, and to no other section', () => {
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

  it('count a call once where limits share a counter', () => {
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

  it('have keys of their own for every count', () => {
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

  it('add an argument’s value, and deny values that would give quota back or cannot be counted', () => {
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

  it('add no less than the number that is spelled, and no more than the next double', () => {
    const plan = planOf({ tools: { t: { limits: [limit({ incrementFrom: 'args.amount' })] } } }, 't');
    const amount = (json: string): number => {
      const verdict = plan.decide(parseExact(`{"amount":${json}}`), me);
      return verdict.effect === 'allow' ? (verdict.limits[0]?.amount ?? Number.NaN) : Number.NaN;
    };
    /** As a whole number at a scale that all numbers here fit into. */
    const scaled = (text: string): bigint => {
      const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
      const [whole = '', fraction = ''] = mantissa.split('.');
      return BigInt(whole + fraction) * 10n ** BigInt(500 + Number(exponent) - fraction.length);
    };
    const digits = fc.bigInt({ min: 0n, max: 10n ** 25n }).map(String);
    const spelled = fc.tuple(digits, fc.option(digits), fc.integer({ min: -350, max: 250 }));
    fc.assert(
      fc.property(spelled, fc.boolean(), ([whole, fraction, exponent], isText) => {
        const text = `${whole}${fraction === null ? '' : `.${fraction}`}e${exponent}`;
        const added = amount(isText ? JSON.stringify(text) : text);
        expect(scaled(String(added)) >= scaled(text), `${text}: ${added}`).toBe(true);
        // Nothing lies between: the nearest double is this one or the one before.
        expect([Number(text), amount(String(Number(text)))].includes(added) || Number(text) < added).toBe(true);
        if (added !== Number(text)) expect((added - Number(text)) / added).toBeLessThan(added < 1e-300 ? 1.1 : 3e-16);
      }),
      { numRuns: 2_000 },
    );
    expect(amount('100.00000000000000000001')).toBe(100.00000000000001);
    expect(amount('99.99999999999999999999')).toBe(100);
    expect(amount('9007199254740993')).toBe(9007199254740994);
    expect(amount('1e-400')).toBe(5e-324);
    expect([amount('-1e-400'), amount('1e400'), amount('1e99999999999999999999')]).toEqual([
      Number.NaN,
      Number.NaN,
      Number.NaN,
    ]);
    expect(amount('0e99999999999999999999')).toBe(0);
  });

  it('that cannot be counted deny before an approval', () => {
    const plan = setOf([
      document({ id: 'gateway', tools: { t: { action: 'require_approval' } } }),
      document({ tools: { t: { limits: [limit({ incrementFrom: 'args.n' })] } } }),
    ]).planFor(subject('t'));
    expect(plan.decide({}, me).effect).toBe('deny');
    expect(plan.decide({ n: 1 }, me)).toMatchObject({ effect: 'approve', limits: [{ amount: 1 }] });
  });
});
