/**
 * The budgets: what the gateway may cost, as ratios to limit (c) measured in the same run, and as times and sizes where
 * users would notice them. Judged on medians over rounds.
 * @module
 */
import type { Era } from '../src/wire/eras.ts';
import { AGENT_LOADS, AGENT_WAYS, type AgentLoad } from './agents.ts';
import { BUDGET_CALLERS, type Target } from './blocks.ts';
import { BROKER_BUDGET_MS } from './broker.ts';
import { BROKER_FORMS } from './broker-forms.ts';
import type { Operation } from './messages.ts';
import { DECISION_BUDGET_US } from './policy-decision.ts';
import type { RedisRow, StateTarget } from './redis.ts';
import { isMissing, type Results } from './results.ts';
import type { Spread } from './statistics.ts';
import { SUSTAINED_CALLERS, sustainedRatios } from './sustained.ts';

interface RatioBudget {
  label: string;
  operation: Operation;
  target: Target;
  /** CPU of the gateway over CPU of limit (c), at {@link BUDGET_CALLERS} callers. */
  timesC: number;
}

export const RATIO_BUDGETS: readonly RatioBudget[] = [
  { label: 'small result, same era', operation: 'small', target: 'gateway', timesC: 1.3 },
  { label: '64 KiB result, same era', operation: 'large', target: 'gateway', timesC: 1.4 },
  { label: '64 KiB argument and result, same era', operation: 'both', target: 'gateway', timesC: 1.4 },
  { label: 'small result, across eras', operation: 'small', target: 'cross', timesC: 1.6 },
  { label: '64 KiB result, across eras', operation: 'large', target: 'cross', timesC: 1.6 },
  {
    label: 'small result, same era, grant, 200 rules, limits, audit',
    operation: 'small',
    target: 'policy',
    timesC: 1.6,
  },
  { label: 'tools/list with 1,000 tools', operation: 'list', target: 'gateway', timesC: 0.5 },
];

/** p99 of sustained small calls over that of limit (c). */
export const SUSTAINED_P99_TIMES_C = 2;

/** Milliseconds from starting the process. */
export const STARTUP_BUDGETS = { answered: 1_000, listed: 3_000 } as const;

/** Resident bytes of an idle legacy session. */
export const SESSION_BUDGET_BYTES = 50_000;

/** CPU of a call of an agent over that of limit (c) for agents. */
export const AGENT_TIMES_C = 2;

/** Bytes of live objects that streams of 1,000 tokens may leave, all together: less than a kilobyte each. */
export const LONG_STREAMS_GROWTH_BYTES = 250_000;

/** CPU of a call with metrics on over that of one without. */
export const METRICS_TIMES_OFF = 1.05;

/** Round trips to Redis of a call, by target, give or take what the beats of replicas are off. */
export const ROUND_TRIPS: readonly { label: string; target: StateTarget; from: number; to: number }[] = [
  { label: 'without limits', target: 'redis', from: -0.05, to: 0.05 },
  { label: 'with a limit', target: 'redis, limit', from: 0.95, to: 1.05 },
];

export type Judgement = 'met' | 'missed' | 'not measured';

export interface Verdict {
  label: string;
  budget: string;
  measured: string;
  judgement: Judgement;
}

const ERAS: readonly Era[] = ['legacy', 'modern'];

export function judge(results: Results): Verdict[] {
  return [
    ...judgeRatios(results),
    ...judgeSustained(results),
    ...judgeStartup(results),
    judgeSessions(results),
    judgeDecisions(results),
    ...judgeBroker(results),
    ...judgeAgents(results),
    judgeLongStreams(results),
    judgeMetrics(results),
    ...judgeRedis(results),
  ];
}

export const allMet = (verdicts: readonly Verdict[]): boolean =>
  verdicts.every((verdict) => verdict.judgement === 'met');

function judgeRatios(results: Results): Verdict[] {
  return RATIO_BUDGETS.flatMap(({ label, operation, target, timesC }) =>
    ERAS.map((era) => {
      const row = results.rows.find(
        ({ target: measured, block }) =>
          measured === target && block.operation === operation && block.era === era && block.callers === BUDGET_CALLERS,
      );
      const ratio = row?.timesC;
      return verdict(
        `CPU, ${label}, ${era} client`,
        `≤ ${timesC} × (c)`,
        ratio && times(ratio),
        ratio && ratio.median <= timesC,
      );
    }),
  );
}

/** The gateway without policy: what documents cost is judged by CPU. */
function judgeSustained({ sustained }: Results): Verdict[] {
  const ratios = sustained && !isMissing(sustained) ? sustainedRatios(sustained) : [];
  return SUSTAINED_CALLERS.flatMap((callers) =>
    ERAS.map((era) => {
      const found = ratios.find(({ row }) => row.target === 'gateway' && row.era === era && row.callers === callers);
      return verdict(
        `p99, sustained small calls, C=${callers}, ${era} client`,
        `≤ ${SUSTAINED_P99_TIMES_C} × (c)`,
        found && `${found.p99TimesC.toFixed(2)} ×`,
        found && found.p99TimesC <= SUSTAINED_P99_TIMES_C,
      );
    }),
  );
}

function judgeStartup({ startup }: Results): Verdict[] {
  const measured = startup && !isMissing(startup) ? startup : undefined;
  const row = (label: string, key: keyof typeof STARTUP_BUDGETS): Verdict => {
    const time = measured?.built[key];
    return verdict(
      label,
      `< ${STARTUP_BUDGETS[key] / 1000} s`,
      time && `${(time.median / 1000).toFixed(2)} s (${(time.min / 1000).toFixed(2)}–${(time.max / 1000).toFixed(2)})`,
      time && time.median < STARTUP_BUDGETS[key],
    );
  };
  return [
    row('start-up, 50 upstreams, one silent: the endpoint answers', 'answered'),
    row('start-up, 50 upstreams, one silent: 49 × 20 tools listed', 'listed'),
  ];
}

function judgeSessions({ sessions }: Results): Verdict {
  const idle = sessions && !isMissing(sessions) ? sessions.find((row) => row.life === 'listed') : undefined;
  return verdict(
    'resident memory of an idle legacy session',
    `< ${SESSION_BUDGET_BYTES / 1000} kB`,
    idle && `${(idle.resident / 1000).toFixed(1)} kB`,
    idle && idle.resident < SESSION_BUDGET_BYTES,
  );
}

function judgeDecisions({ decisions }: Results): Verdict {
  const measured = decisions && !isMissing(decisions) ? decisions : undefined;
  return verdict(
    'one policy decision, 200 rules, median',
    `< ${DECISION_BUDGET_US} µs`,
    measured && `${measured.p50.toFixed(2)} µs`,
    measured && measured.p50 < DECISION_BUDGET_US,
  );
}

/** One caller at a time: with several, each waits for the others of its own load as well. */
function judgeBroker({ broker }: Results): Verdict[] {
  const rows = broker && !isMissing(broker) ? broker : [];
  return Object.values(BROKER_FORMS).map(({ label }) => {
    const added = rows.find((row) => row.form === label && row.target === 'gateway' && row.callers === 1)?.addedP50;
    return verdict(
      `p50 added to a call over MQTT, ${label}`,
      `< ${BROKER_BUDGET_MS} ms`,
      added && `${added.median.toFixed(2)} ms (${added.min.toFixed(2)}–${added.max.toFixed(2)})`,
      added && added.median < BROKER_BUDGET_MS,
    );
  });
}

function judgeAgents({ agents }: Results): Verdict[] {
  const rows = agents && !isMissing(agents) ? agents.rows : [];
  return (Object.keys(AGENT_LOADS) as AgentLoad[]).flatMap((load) =>
    AGENT_WAYS.filter((way) => way !== '(c)').map((way) => {
      const ratio = rows.find((row) => row.load === load && row.way === way)?.row.timesCpu;
      return verdict(
        `CPU, agent, ${AGENT_LOADS[load].label}, ${way}`,
        `≤ ${AGENT_TIMES_C} × (c)`,
        ratio && times(ratio),
        ratio && ratio.median <= AGENT_TIMES_C,
      );
    }),
  );
}

function judgeLongStreams({ agents }: Results): Verdict {
  const long = agents && !isMissing(agents) ? agents.long : undefined;
  return verdict(
    'memory that streams of 1,000 tokens leave',
    `< ${LONG_STREAMS_GROWTH_BYTES / 1000} kB`,
    long && `${(long.grown / 1000).toFixed(0)} kB after ${long.calls}`,
    long && long.grown < LONG_STREAMS_GROWTH_BYTES,
  );
}

function judgeMetrics({ observed }: Results): Verdict {
  const rows = observed && !isMissing(observed) ? observed : [];
  const ratio = rows.find(({ name }) => name === 'metrics')?.row.timesCpu;
  return verdict(
    'CPU, small result, metrics on',
    `≤ ${METRICS_TIMES_OFF} × off`,
    ratio && times(ratio),
    ratio && ratio.median <= METRICS_TIMES_OFF,
  );
}

function judgeRedis({ redis }: Results): Verdict[] {
  const rows: RedisRow[] = redis && !isMissing(redis) ? redis : [];
  return ROUND_TRIPS.map(({ label, target, from, to }) => {
    const reads = rows.find((row) => row.target === target)?.seen?.reads;
    return verdict(
      `round trips to Redis of a call ${label}`,
      String(Math.round((from + to) / 2)),
      reads?.toFixed(3),
      reads === undefined ? undefined : reads >= from && reads <= to,
    );
  });
}

const times = ({ median, min, max }: Spread): string => `${median.toFixed(2)} × (${min.toFixed(2)}–${max.toFixed(2)})`;

function verdict(label: string, budget: string, measured: string | undefined, met: boolean | undefined): Verdict {
  if (measured === undefined) return { label, budget, measured: '-', judgement: 'not measured' };
  return { label, budget, measured, judgement: met ? 'met' : 'missed' };
}
