/**
 * What one policy decision costs: 200 rules, 512 mixed requests, warm. The plan is looked up for every request, as the
 * gateway does. In this process and without a network: by itself it prints p50 and p99 in microseconds and exits with 1
 * when the p50 is not under its budget.
 *
 *     node bench/policy-decision.ts
 * @module
 */
import { compileDocument } from '../src/policy/engine/compile.ts';
import { PolicySet } from '../src/policy/engine/policy-set.ts';
import { caller, document, limit, predicate, subject, when } from '../src/policy/engine/testing/build.ts';
import { percentile } from './statistics.ts';

/** Microseconds, median: one decision under 200 rules. */
export const DECISION_BUDGET_US = 5;

const RULES = 200;
const REQUESTS = 512;
const WARM_ROUNDS = 200;
const ROUNDS = 400;

export interface DecisionRow {
  rules: number;
  decisions: number;
  /** Microseconds, the clock's own included. */
  p50: number;
  p99: number;
  /** How the requests of one round are decided. */
  effects: Readonly<Record<'allow' | 'approve' | 'deny', number>>;
}

const KINDS = [
  {},
  { limits: [limit({ counter: 'writes', max: 30 }), limit({ counter: 'day', windowMs: 86_400_000, max: 1_000 })] },
  {
    denyIf: [predicate([when('args.amount', 'gt', 1_000)]), predicate([when('args.to', 'in', ['x', 'y', 'z'])])],
    limits: [limit({ counter: 'spent', incrementFrom: 'args.amount', max: 10_000 })],
  },
  {
    require: [
      predicate([when('args.reason', 'exists', true)]),
      predicate([when('args.reason', 'regex', '^[A-Z].{3,}')]),
    ],
    approveIf: [predicate([when('args.amount', 'gte', 500)])],
  },
];

const requests = Array.from({ length: REQUESTS }, (_, i) => ({
  subject: subject(
    i % 20 === 19 ? `group_${i % RULES}_${i}` : i % 31 === 0 ? `secret_${i}` : `tool_${(i * 7) % (RULES + 10)}`,
  ),
  caller: caller(`grant-${i % 8}`, `session-${i % 32}`),
  args: {
    amount: (i * 37) % 1_500,
    to: 'abc'[i % 3],
    reason: i % 5 === 0 ? undefined : 'Because it is needed',
    nested: { a: [i] },
  },
}));

function policySet(): PolicySet {
  const names = Array.from({ length: RULES }, (_, i) => (i % 20 === 19 ? `group_${i}_*` : `tool_${i}`));
  const tools = Object.fromEntries(names.map((name, i) => [name, KINDS[i % KINDS.length] ?? {}]));
  return new PolicySet([
    compileDocument(document({ id: 'server:s', hide: ['secret_*'], tools }), 'original'),
    compileDocument(document({ id: 'gateway', default: 'allow', allTools: [limit({ max: 600 })] }), 'namespaced'),
  ]);
}

/** Takes about a second of one core. */
export function measureDecisions(): DecisionRow {
  const set = policySet();
  for (let round = 0; round < WARM_ROUNDS; round++) {
    for (const { subject: of, args, caller: who } of requests) set.planFor(of).decide(args, who);
  }
  const times: number[] = [];
  const effects = { allow: 0, approve: 0, deny: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    for (const { subject: of, args, caller: who } of requests) {
      const startedAt = process.hrtime.bigint();
      const verdict = set.planFor(of).decide(args, who);
      times.push(Number(process.hrtime.bigint() - startedAt) / 1_000);
      if (round === 0) effects[verdict.effect] += 1;
    }
  }
  times.sort((a, b) => a - b);
  return {
    rules: RULES,
    decisions: times.length,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    effects,
  };
}

if (import.meta.main) {
  const { rules, p50, p99, effects } = measureDecisions();
  const passed = p50 < DECISION_BUDGET_US;
  const shares = Object.entries(effects).map(([effect, count]) => `${effect} ${count}`);
  process.stdout.write(
    `policy decision: ${rules} rules, ${REQUESTS} requests (${shares.join(', ')})\n` +
      `p50 ${p50.toFixed(2)} µs, p99 ${p99.toFixed(2)} µs; ` +
      `budget p50 < ${DECISION_BUDGET_US} µs: ${passed ? 'passed' : 'missed'}\n`,
  );
  process.exitCode = passed ? 0 : 1;
}
