import { describe, expect, it } from 'vitest';
import { AGENT_LOADS, AGENT_WAYS, type AgentLoad, type AgentRows } from '../../bench/agents.ts';
import { allBlocks, quickBlocks, rotated, type Target } from '../../bench/blocks.ts';
import { BROKER_CALLERS, type BrokerRow } from '../../bench/broker.ts';
import { BROKER_FORMS } from '../../bench/broker-forms.ts';
import { allMet, judge, RATIO_BUDGETS } from '../../bench/budgets.ts';
import type { ComparedRow } from '../../bench/compare.ts';
import { withResults } from '../../bench/docs.ts';
import { parseCpuList } from '../../bench/machine.ts';
import { type ObservedRow, WATCHED, type WatchedName } from '../../bench/observed.ts';
import { parseOptions } from '../../bench/options.ts';
import { commandsIn, type RedisRow, readsIn, STATE_TARGETS } from '../../bench/redis.ts';
import { REPLICA_COUNTS, type ReplicaRow } from '../../bench/replicas.ts';
import { markdownReport, textReport } from '../../bench/report.ts';
import type { Results } from '../../bench/results.ts';
import type { Sample } from '../../bench/rounds.ts';
import { toRows } from '../../bench/rows.ts';
import { percentile, spread } from '../../bench/statistics.ts';
import { SUSTAINED_CALLERS, SUSTAINED_TARGETS, type SustainedRow } from '../../bench/sustained.ts';

/** CPU of the gateway's targets over that of (c), which is 0.1 in round 0 and 0.2 in round 1. */
function samples(timesC: Partial<Record<Target, number>>): Sample[] {
  return quickBlocks().flatMap((block) =>
    block.targets.flatMap((target) =>
      [0, 1].map((round) => {
        const c = 0.1 * (round + 1);
        const cpuPer1k = target === 'direct' ? undefined : c * (timesC[target] ?? 1);
        const p50 = target === 'direct' ? 1 : 1.5;
        return { block: block.id, target, round, calls: 9, perSecond: 9, p50, p99: 3, cpuPer1k, requestsPerCall: 1 };
      }),
    ),
  );
}

/** p99 of the gateway over that of (c), under every sustained load. */
function sustained({ p99TimesC = 1.5 }): SustainedRow[] {
  return (['legacy', 'modern'] as const).flatMap((era) =>
    SUSTAINED_CALLERS.flatMap((callers) =>
      SUSTAINED_TARGETS.map((target) => ({
        era,
        target,
        callers,
        calls: 200_000,
        p50: 1,
        p99: target === 'c' ? 2 : 2 * p99TimesC,
        cpuPer1k: 0.1,
        scavenges: 40,
        longestScavenge: 1.5,
      })),
    ),
  );
}

const time = (ms: number) => ({ median: ms, min: ms, max: ms });

const broker = (addedMs: number): BrokerRow[] =>
  Object.values(BROKER_FORMS).flatMap(({ label }) =>
    BROKER_CALLERS.flatMap((callers) =>
      (['direct', 'gateway'] as const).map((target) => ({
        form: label,
        target,
        callers,
        perSecond: time(1_000),
        p50: time(1),
        p99: time(2),
        addedP50: target === 'gateway' ? time(addedMs) : undefined,
      })),
    ),
  );

/** A row whose CPU time per call is this over that of the row it stands beside; undefined: it stands beside none. */
const compared = (name: string, timesCpu: number | undefined): ComparedRow => ({
  name,
  beside: timesCpu === undefined ? undefined : 'other',
  perSecond: time(1_000),
  p50: time(1),
  p99: time(2),
  cpuPer1k: time(0.05),
  timesCpu: timesCpu === undefined ? undefined : time(timesCpu),
  timesRate: timesCpu === undefined ? undefined : time(1 / timesCpu),
});

const agents = (timesC: number, grown = 1_000): AgentRows => ({
  rows: (Object.keys(AGENT_LOADS) as AgentLoad[]).flatMap((load) =>
    AGENT_WAYS.map((way) => ({ load, way, row: compared(`${load}: ${way}`, way === '(c)' ? undefined : timesC) })),
  ),
  long: { calls: 300, grown },
});

const observed = (times: number): ObservedRow[] =>
  (Object.keys(WATCHED) as WatchedName[]).map((name) => ({
    name,
    row: compared(name, WATCHED[name].beside && times),
  }));

/** `reads`: round trips of a call without limits, and of one with a limit. */
const redis = ([without, limited]: [number, number]): RedisRow[] =>
  STATE_TARGETS.map((target) => ({
    target,
    row: compared(target, target.startsWith('redis') ? 1.2 : undefined),
    seen: target.startsWith('redis') ? { commands: 0, reads: target === 'redis' ? without : limited } : undefined,
  }));

const replicas: ReplicaRow[] = REPLICA_COUNTS.map((count) => ({
  replicas: count,
  era: 'modern',
  row: compared(`modern ${count}`, count === 1 ? undefined : 1.1),
}));

function results(timesC: Partial<Record<Target, number>>, more: Partial<Results> = {}): Results {
  return {
    date: '2026-11-20T10:00:00.000Z',
    durationSeconds: 60,
    quick: true,
    only: undefined,
    rounds: 2,
    machine: { node: 'v24.0.0', undici: '8.0.0', os: 'linux', cpu: 'x', cores: 2, loadBefore: 0 },
    notes: [],
    requests: 1_000,
    rows: toRows(quickBlocks(), samples(timesC)),
    failures: [],
    gatewayMissing: undefined,
    residentMegabytes: {},
    sustained: sustained({}),
    startup: {
      starts: 2,
      built: { answered: time(400), listed: time(900) },
      entry: { answered: time(600), listed: time(950) },
    },
    sessions: [{ life: 'listed', sessions: 1_000, resident: 20_000, residentUncollected: 30_000, live: 9_000 }],
    firstLook: { grants: 15, tools: 1_000, rules: 200, first: time(20), cached: time(2) },
    decisions: { rules: 200, decisions: 512, p50: 1.5, p99: 6, effects: { allow: 300, approve: 12, deny: 200 } },
    broker: broker(0.5),
    agents: agents(1.8),
    observed: observed(1.02),
    redis: redis([0.001, 1.002]),
    replicas,
    ...more,
  };
}

describe('rows', () => {
  it('pairs ratios and added latency within a round', () => {
    const row = toRows(quickBlocks(), samples({ gateway: 1.4 })).find(({ target }) => target === 'gateway');
    expect(row?.timesC?.min).toBeCloseTo(1.4);
    expect(row?.timesC?.max).toBeCloseTo(1.4);
    expect(row?.cpuPer1k).toEqual({
      median: expect.closeTo(0.21),
      min: expect.closeTo(0.14),
      max: expect.closeTo(0.28),
    });
    expect(row?.addedP50?.median).toBeCloseTo(0.5);
  });

  it('have no ratio where a round lacks its partner', () => {
    const alone = samples({}).filter(({ target, round }) => !(target === 'c' && round === 1));
    const row = toRows(quickBlocks(), alone).find(({ target }) => target === 'gateway');
    expect(row?.timesC).toEqual({ median: 1, min: 1, max: 1 });
    expect(row?.rounds).toBe(2);
  });
});

describe('budgets', () => {
  it('are met when every one is', () => {
    const verdicts = judge(results({ gateway: 0.4, cross: 1.4 }));
    expect(verdicts).toHaveLength(
      2 * RATIO_BUDGETS.length + 2 * SUSTAINED_CALLERS.length + 4 + Object.keys(BROKER_FORMS).length + 4 + 1 + 1 + 2,
    );
    expect(verdicts.filter(({ judgement }) => judgement !== 'met')).toEqual([]);
    expect(allMet(verdicts)).toBe(true);
  });

  it('are missed one by one', () => {
    const missed = (one: Results): string[] =>
      judge(one)
        .filter(({ judgement }) => judgement === 'missed')
        .map(({ label }) => label);
    expect(missed(results({ gateway: 1.45, cross: 1.7 }))).toEqual([
      'CPU, small result, same era, legacy client',
      'CPU, small result, same era, modern client',
      'CPU, 64 KiB result, same era, legacy client',
      'CPU, 64 KiB result, same era, modern client',
      'CPU, 64 KiB argument and result, same era, legacy client',
      'CPU, 64 KiB argument and result, same era, modern client',
      'CPU, small result, across eras, legacy client',
      'CPU, small result, across eras, modern client',
      'CPU, 64 KiB result, across eras, legacy client',
      'CPU, 64 KiB result, across eras, modern client',
      'CPU, tools/list with 1,000 tools, legacy client',
      'CPU, tools/list with 1,000 tools, modern client',
    ]);
    expect(missed(results({ gateway: 0.4 }, { broker: broker(3.2) }))).toEqual([
      ...Object.values(BROKER_FORMS).map(({ label }) => `p50 added to a call over MQTT, ${label}`),
    ]);
    expect(missed(results({ gateway: 0.4 }, { agents: agents(2.3, 300_000) }))).toEqual([
      'CPU, agent, 20 tokens, as a whole, callAgent',
      "CPU, agent, 20 tokens, as a whole, the agent's tool",
      'CPU, agent, 100 tokens, streamed, callAgent',
      "CPU, agent, 100 tokens, streamed, the agent's tool",
      'memory that streams of 1,000 tokens leave',
    ]);
    expect(missed(results({ gateway: 0.4 }, { observed: observed(1.2) }))).toEqual(['CPU, small result, metrics on']);
    // More is a second round trip; less is a call that was not counted.
    for (const reads of [2, 0.4]) {
      expect(missed(results({ gateway: 0.4 }, { redis: redis([0.2, reads]) }))).toEqual([
        'round trips to Redis of a call without limits',
        'round trips to Redis of a call with a limit',
      ]);
    }
    expect(missed(results({ gateway: 0.4 }, { sustained: sustained({ p99TimesC: 9 }) }))).toEqual([
      'p99, sustained small calls, C=64, legacy client',
      'p99, sustained small calls, C=64, modern client',
      'p99, sustained small calls, C=16, legacy client',
      'p99, sustained small calls, C=16, modern client',
    ]);
    const slow = { median: 3_000, min: 900, max: 9_000 };
    // The command of the run may be as fast as it likes: what people install is judged.
    const startup = {
      starts: 3,
      built: { answered: slow, listed: slow },
      entry: { answered: time(1), listed: time(1) },
    };
    expect(missed(results({ gateway: 0.4 }, { startup }))).toEqual([
      'start-up, 50 upstreams, one silent: the endpoint answers',
      'start-up, 50 upstreams, one silent: 49 × 20 tools listed',
    ]);
    const slowDecisions = { rules: 200, decisions: 1, p50: 5, p99: 9, effects: { allow: 1, approve: 0, deny: 0 } };
    expect(missed(results({ gateway: 0.4, policy: 1.9 }, { decisions: slowDecisions }))).toEqual([
      'CPU, small result, same era, grant, 200 rules, limits, audit, legacy client',
      'CPU, small result, same era, grant, 200 rules, limits, audit, modern client',
      'one policy decision, 200 rules, median',
    ]);
    const fat = [{ life: 'listed', sessions: 1, resident: 50_000, residentUncollected: 0, live: 0 }] as const;
    expect(missed(results({ gateway: 0.4 }, { sessions: [...fat] }))).toEqual([
      'resident memory of an idle legacy session',
    ]);
  });

  it('that could not be measured are not met', () => {
    const verdicts = judge(
      results(
        {},
        {
          rows: [],
          sustained: undefined,
          startup: { missing: 'why' },
          sessions: undefined,
          broker: { missing: 'it broke' },
          decisions: undefined,
          agents: { missing: 'no agents' },
          observed: undefined,
          redis: { missing: 'no Redis' },
          replicas: undefined,
        },
      ),
    );
    expect(new Set(verdicts.map(({ judgement }) => judgement))).toEqual(new Set(['not measured']));
    expect(allMet(verdicts)).toBe(false);
  });
});

describe('the report', () => {
  it('aligns its columns and names what is missing', () => {
    const failures = [{ block: 'small/modern/C16', target: 'gateway' as const, error: '3 errors' }];
    const text = textReport(results({ gateway: 1.4 }, { failures, startup: { missing: 'it hung' } }));
    expect(text).toContain('gateway, modern upstream');
    expect(text).toContain('1.40 (1.40–1.40)');
    expect(text).toContain('Failed: small/modern/C16 gateway: 3 errors');
    expect(text).toContain('No start-up rows: it hung');
    expect(text).toContain('gateway, grant, 200 rules, audit');
    expect(text).toContain('gateway, the same, redact-secrets');
    expect(text).toContain('tools/list, 1,000 tools, for a grant with 200 rules of its own (15 grants)');
    expect(text).toContain('300 allowed, 200 denied, 12 to approve');
    expect(text).toContain('A call of an agent of a Mastra server');
    expect(text).toContain('traces, one request in 100');
    expect(text).toContain('Replicas on one Redis and on one core');
    const lines = text.split('\n');
    const rule = lines.findIndex((line) => /^-+(?: {2}-+)+$/.test(line));
    expect(lines[rule]?.length).toBe(lines[rule + 2]?.length);
  });

  it('is valid Markdown: every row of a table has as many cells as its head', () => {
    const tables = markdownReport(results({ gateway: 1.4 }))
      .split('\n\n')
      .filter((part) => part.startsWith('|'));
    expect(tables.length).toBeGreaterThan(4);
    for (const table of tables) {
      expect(new Set(table.split('\n').map((line) => line.split('|').length)).size).toBe(1);
    }
  });

  it('goes between the markers of the page and leaves the rest alone', () => {
    const page = 'a\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nz\n';
    const once = withResults(page, 'new');
    expect(once).toBe('a\n<!-- bench:begin -->\n\nnew\n\n<!-- bench:end -->\nz\n');
    expect(withResults(once, 'new')).toBe(once);
    expect(() => withResults('no markers', 'new')).toThrow('bench:begin');
  });
});

describe('what Redis says of itself', () => {
  it('is read as commands and as reads of sockets', () => {
    const commandstats =
      '# Commandstats\r\ncmdstat_evalsha:calls=12,usec=9,usec_per_call=0.7\r\ncmdstat_config|resetstat:calls=1,usec=3\r\n';
    expect(commandsIn(commandstats)).toBe(13);
    expect(commandsIn('# Commandstats\r\n')).toBe(0);
    expect(readsIn('# Stats\r\ntotal_reads_processed:42\r\ntotal_writes_processed:40\r\n')).toBe(42);
  });
});

describe('helpers of the bench', () => {
  it('take medians and percentiles', () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([4, 1])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(spread([])).toBeUndefined();
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
    expect([percentile(hundred, 0.5), percentile(hundred, 0.99)]).toEqual([50, 99]);
  });

  it('read a list of cores', () => {
    expect(parseCpuList('0-1,4')).toEqual([0, 1, 4]);
    expect(parseCpuList('')).toEqual([]);
  });

  it('start each round with another target', () => {
    expect(rotated(['a', 'b', 'c'], 4)).toEqual(['b', 'c', 'a']);
    expect(rotated([], 1)).toEqual([]);
  });

  it('cover both eras, every size and every number of callers', () => {
    const ids = allBlocks().map(({ id }) => id);
    expect(ids).toHaveLength(20);
    expect(ids).toContain('both/legacy/C16');
    expect(ids).toContain('logs/modern/C16');
    expect(ids).toContain('large/legacy/C64');
    expect(ids).toContain('list/modern/C16');
  });

  it('understand the command line, and say what they do not', () => {
    const options = parseOptions(['--quick', '--rounds', '4', '--only', 'small', '--write-docs']);
    expect(options).toMatchObject({ quick: true, rounds: 4, only: 'small', writeDocs: true, enforce: false });
    expect(parseOptions(['--help'])).toBeUndefined();
    expect(() => parseOptions(['--rounds', 'many'])).toThrow("not 'many'");
    expect(() => parseOptions(['--fast'])).toThrow('--fast');
  });
});
