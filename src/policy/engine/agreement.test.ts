import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TraceStep, tracePlan } from '../explain/trace.ts';
import type { Condition, Limit, PolicyDocument, Predicate, Rule } from '../language/types.ts';
import { caller, document, limit, predicate, rule, setOf, subject, when } from './testing/build.ts';

const NAMES = ['get', 'get_all', 'drop', 'drop_all', 'Get'];
const KEYS = [...NAMES, 'get*', '*_all', 'd?op', '*'];

const VALUES = [undefined, null, 0, 5, '5', 10, -3, 'abc', true, [5, 'abc'], { b: 5 }];

const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({
    path: fc.constantFrom('args.a', 'args.b', 'args.a.b', 'args.a.0'),
    op: fc.constantFrom('eq', 'neq', 'lt', 'lte', 'gt', 'gte', 'contains'),
    value: fc.constantFrom(0, 5, '5', 7),
  } as const),
  fc.constantFrom(
    when('args.a', 'exists', true),
    when('args.a', 'exists', false),
    when('args.b', 'in', [5, 'abc', null]),
    when('args.b', 'not_in', ['5', 10]),
    when('args.a', 'regex', '^[a5]'),
    when('args.b', 'regex', '('),
  ),
);

const predicates: fc.Arbitrary<Predicate[]> = fc.array(
  fc.array(condition, { maxLength: 2 }).map((conditions) => predicate(conditions)),
  { maxLength: 2 },
);

/** Denials would drown everything else. */
const seldom = <T>(lists: fc.Arbitrary<T[]>): fc.Arbitrary<T[]> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant<T[]>([]) }, { weight: 1, arbitrary: lists });

const limits: fc.Arbitrary<Limit[]> = fc.array(
  fc
    .record({
      counter: fc.constantFrom('x', 'y'),
      max: fc.integer({ min: 1, max: 9 }),
      scope: fc.constantFrom('grant', 'session', 'server', 'global'),
      incrementFrom: fc.constantFrom(undefined, undefined, undefined, 'args.a'),
    } as const)
    .map(limit),
  { maxLength: 2 },
);

const anyRule: fc.Arbitrary<Rule> = fc
  .record({
    action: fc.constantFrom('allow', 'allow', 'allow', 'deny', 'require_approval', 'require_approval'),
    require: seldom(predicates),
    denyIf: seldom(predicates),
    approveIf: predicates,
    limits,
  } as const)
  .map(rule);

const anyDocument: fc.Arbitrary<PolicyDocument> = fc
  .record({
    id: fc.constantFrom('gateway', 'server:s', 'grant:g', 'default'),
    mode: fc.constantFrom('enforce', 'enforce', 'shadow'),
    default: fc.constantFrom('allow', 'allow', 'deny'),
    hide: seldom(fc.array(fc.constantFrom('drop', 'drop*', 'x*', '*'), { maxLength: 1 })),
    allTools: limits,
    tools: fc.dictionary(fc.constantFrom(...KEYS), anyRule, { maxKeys: 4 }),
  } as const)
  .map(document);

const anyArgs = fc.record({ a: fc.constantFrom(...VALUES), b: fc.constantFrom(...VALUES) }).map(
  // What is undefined is left out, as in JSON.
  (args) => JSON.parse(JSON.stringify(args)) as Record<string, unknown>,
);

/*
 * The oracle: the words of docs/policy.md, as slowly and plainly as they read, with nothing of the code under test.
 */
type Say = 'hidden' | 'unlisted' | 'denied' | 'approve' | 'allow';

const matches = (key: string, name: string): boolean =>
  new RegExp(`^${key.replace(/[*?]/g, (sign) => (sign === '*' ? '.*' : '.'))}$`).test(name);

function ruleFor(of: PolicyDocument, name: string): Rule | undefined {
  const rules = [...of.sections.tools];
  const exact = rules.find(([key]) => key === name && key !== '*');
  const glob = rules.find(([key]) => /[*?]/.test(key) && key !== '*' && matches(key, name));
  const star = of.default === 'allow' ? rules.find(([key]) => key === '*') : undefined;
  return (exact ?? glob ?? star)?.[1];
}

const number = (value: unknown): number =>
  typeof value === 'number' ? value : typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : Number.NaN;

function equal(a: unknown, b: unknown): boolean {
  if (a === null || b === null || typeof a === 'object' || typeof b === 'object') {
    return JSON.stringify(a) === JSON.stringify(b);
  }
  return number(a) === number(b) || String(a) === String(b);
}

/** Undefined: it cannot be evaluated. */
function conditionHolds({ path, op, value }: Condition, args: Record<string, unknown>): boolean | undefined {
  let found: unknown = args;
  for (const name of path.split('.').slice(1)) {
    const there = typeof found === 'object' && found !== null && Object.keys(found).includes(name);
    found = there ? (found as Record<string, unknown>)[name] : undefined;
  }
  if (op === 'exists') return (found !== undefined && found !== null) === value;
  if (found === undefined) return false;
  if (op === 'eq') return equal(found, value);
  if (op === 'neq') return !equal(found, value);
  if (op === 'lt') return number(found) < number(value);
  if (op === 'lte') return number(found) <= number(value);
  if (op === 'gt') return number(found) > number(value);
  if (op === 'gte') return number(found) >= number(value);
  if (op === 'in') return (value as unknown[]).some((one) => equal(one, found));
  if (op === 'not_in') return !(value as unknown[]).some((one) => equal(one, found));
  if (op === 'contains') {
    if (Array.isArray(found)) return found.some((item) => equal(item, value));
    return typeof found === 'string' && found.includes(String(value));
  }
  if (value === '(') return undefined;
  return ['string', 'number', 'boolean'].includes(typeof found) && new RegExp(value as string).test(String(found));
}

/** AND from the left; a condition that cannot be evaluated counts only when it is reached. */
function predicateHolds({ conditions }: Predicate, args: Record<string, unknown>): boolean | undefined {
  for (const one of conditions) {
    const held = conditionHolds(one, args);
    if (held !== true) return held;
  }
  return true;
}

function say(of: PolicyDocument, name: string, args: Record<string, unknown>): Say {
  if (of.hide.some((key) => matches(key, name))) return 'hidden';
  const found = ruleFor(of, name);
  if (!found && of.default === 'deny') return 'unlisted';
  for (const one of found?.require ?? []) if (predicateHolds(one, args) !== true) return 'denied';
  for (const one of found?.denyIf ?? []) if (predicateHolds(one, args) !== false) return 'denied';
  if (found?.action === 'deny') return 'denied';
  let asks = found?.action === 'require_approval';
  for (const one of asks ? [] : (found?.approveIf ?? [])) {
    const held = predicateHolds(one, args);
    if (held === undefined) return 'denied';
    if (held) {
      asks = true;
      break;
    }
  }
  for (const { incrementFrom } of [...of.allTools, ...(found?.limits ?? [])]) {
    if (incrementFrom !== undefined && !(number(args.a ?? undefined) >= 0)) return 'denied';
  }
  return asks ? 'approve' : 'allow';
}

const scene = fc.record({
  documents: fc.array(anyDocument, { maxLength: 4 }),
  name: fc.constantFrom(...NAMES),
  args: anyArgs,
});

const me = caller();
const RUNS = { numRuns: 4_000 };

describe('for any documents and calls', () => {
  it('a plan agrees with the plain reading: deny wins over approve, and approve over allow', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(scene, ({ documents, name, args }) => {
        const verdict = setOf(documents).planFor(subject(name)).decide(args, me);
        const says = documents.filter(({ mode }) => mode === 'enforce').map((of) => say(of, name, args));
        const denies = says.some((one) => one === 'hidden' || one === 'unlisted' || one === 'denied');
        const expected = denies ? 'deny' : says.includes('approve') ? 'approve' : 'allow';
        seen.set(expected, (seen.get(expected) ?? 0) + 1);
        expect(verdict.effect).toBe(expected);
        if (verdict.effect === 'deny') expect(verdict.denial.hidden).toBe(says.includes('hidden'));
        const shaded = documents.filter(
          (of) => of.mode === 'shadow' && ['hidden', 'unlisted', 'denied'].includes(say(of, name, args)),
        );
        expect(verdict.shadow.map(({ policy }) => policy)).toEqual(shaded.map(({ id }) => id));
      }),
      RUNS,
    );
    // The scenes are no good when they all end alike.
    for (const effect of ['deny', 'approve', 'allow']) expect(seen.get(effect)).toBeGreaterThan(100);
  });

  it('lists and calls agree: what is not listed is denied whatever its arguments, and the rest is listed', () => {
    fc.assert(
      fc.property(scene, ({ documents, name, args }) => {
        const plan = setOf(documents).planFor(subject(name));
        const says = documents.filter(({ mode }) => mode === 'enforce').map((of) => say(of, name, args));
        expect(plan.knows).toBe(!says.includes('hidden'));
        expect(plan.lists).toBe(plan.knows && !says.includes('unlisted'));
        if (!plan.lists) expect(plan.decide(args, me).effect).toBe('deny');
        if (plan.decide(args, me).effect !== 'deny') expect(plan.lists).toBe(true);
      }),
      RUNS,
    );
  });

  it('a trace agrees with the verdict and accounts for it', () => {
    fc.assert(
      fc.property(scene, ({ documents, name, args }) => {
        const plan = setOf(documents).planFor(subject(name));
        const verdict = plan.decide(args, me);
        const trace = tracePlan(plan, args);
        expect(plan.decide(args, me)).toEqual(verdict);
        const traced = (
          outcome: TraceStep['outcome'],
          { policy, rule: of }: { policy: string; rule: string },
        ): boolean => trace.some((step) => step.policy === policy && step.rule === of && step.outcome === outcome);
        if (verdict.effect === 'deny') expect(traced('denied', verdict.denial)).toBe(true);
        if (verdict.effect === 'approve') expect(traced('approval', verdict.need)).toBe(true);
        if (verdict.effect === 'allow') for (const use of verdict.limits) expect(traced('limit', use)).toBe(true);
        if (verdict.effect !== 'deny') {
          expect(trace.some(({ mode, outcome }) => mode === 'enforce' && outcome === 'denied')).toBe(false);
        }
      }),
      RUNS,
    );
  });

  it('no limit is ever given anything back, and no count is named twice', () => {
    fc.assert(
      fc.property(scene, ({ documents, name, args }) => {
        const verdict = setOf(documents).planFor(subject(name)).decide(args, me);
        if (verdict.effect === 'deny') return;
        for (const { amount } of verdict.limits) expect(amount).toBeGreaterThanOrEqual(0);
        expect(new Set(verdict.limits.map(({ key }) => key)).size).toBe(verdict.limits.length);
      }),
      RUNS,
    );
  });
});
