/**
 * What a run found out, as tables.
 * @module
 */
import { AGENT_LOADS, LONG_TOKENS } from './agents.ts';
import type { Target } from './blocks.ts';
import { judge } from './budgets.ts';
import type { ComparedRow } from './compare.ts';
import type { Operation } from './messages.ts';
import { WATCHED } from './observed.ts';
import { isMissing, type Results } from './results.ts';
import type { Row } from './rows.ts';
import type { SessionRow } from './sessions.ts';
import { STARTUP_TOOLS, STARTUP_UPSTREAMS } from './startup.ts';
import type { Spread } from './statistics.ts';
import { sustainedRatios } from './sustained.ts';
import { alignedTable, markdownTable, type Table } from './tables.ts';

const OPERATIONS: Readonly<Record<Operation, string>> = {
  small: 'tools/call, small result',
  large: 'tools/call, 64 KiB of prose',
  both: 'tools/call, 64 KiB of prose as argument and as result',
  logs: 'tools/call, 64 KiB of log lines, full of escapes',
  list: 'tools/list, 1,000 tools',
};

function targetName({ target, block: { era, operation }, requestsPerCall }: Row): string {
  switch (target) {
    case 'direct':
      return 'direct';
    case 'b':
      return '(b)';
    case 'c':
      return '(c)';
    case 'gateway':
      return 'gateway';
    case 'cross':
      return `gateway, ${era === 'legacy' ? 'modern' : 'legacy'} upstream`;
    case 'paged':
      return `gateway, ${Math.round(requestsPerCall)} pages`;
    case 'policy':
      return operation === 'list' ? 'gateway, grant, 200 rules' : 'gateway, grant, 200 rules, audit';
    case 'redacted':
      return 'gateway, the same, redact-secrets';
  }
}

const fixed = (value: Spread | undefined, digits: number): string => value?.median.toFixed(digits) ?? '-';

const ranged = (value: Spread | undefined): string =>
  value ? `${value.median.toFixed(2)} (${value.min.toFixed(2)}–${value.max.toFixed(2)})` : '-';

const RATE_HEAD = ['req/s', 'p50 ms', 'p99 ms', 'added p50', 'added p99', 'CPU s/1k', '× (b)', '× (c)'];

function rateCells(row: Row): string[] {
  const limits = row.target === 'b' || row.target === 'c';
  return [
    row.perSecond.median.toFixed(0),
    fixed(row.p50, 2),
    fixed(row.p99, 1),
    fixed(row.addedP50, 2),
    fixed(row.addedP99, 1),
    fixed(row.cpuPer1k, 3),
    // A limit's ratio to the other one is context, not a result: without its range.
    limits ? fixed(row.timesB, 2) : ranged(row.timesB),
    limits ? fixed(row.timesC, 2) : ranged(row.timesC),
  ];
}

function operationTable(results: Results, operation: Operation): Table | undefined {
  const rows = results.rows.filter((row) => row.block.operation === operation);
  if (rows.length === 0) return undefined;
  return {
    title: OPERATIONS[operation],
    head: ['configuration', 'client', 'C', ...RATE_HEAD],
    rows: rows.map((row) => [targetName(row), row.block.era, String(row.block.callers), ...rateCells(row)]),
  };
}

function budgetTable(results: Results): Table {
  return {
    title: 'Budgets',
    head: ['what', 'budget', 'measured', 'verdict'],
    rows: judge(results).map(({ label, budget, measured, judgement }) => [label, budget, measured, judgement]),
  };
}

function sustainedTable({ sustained }: Results): Table | undefined {
  if (!sustained || isMissing(sustained)) return undefined;
  const names: Partial<Record<Target, string>> = {
    c: '(c)',
    gateway: 'gateway',
    policy: 'gateway, grant, 200 rules, audit',
  };
  return {
    title: 'Sustained small calls, in this order, before all other rows',
    head: ['configuration', 'client', 'C', 'calls', 'p50 ms', 'p99 ms', '× (c)', 'CPU × (c)', 'longest scavenge ms'],
    rows: sustainedRatios(sustained).map(({ row, timesC, p99TimesC }) => [
      names[row.target] ?? row.target,
      row.era,
      String(row.callers),
      row.calls.toLocaleString('en'),
      row.p50.toFixed(2),
      row.p99.toFixed(1),
      p99TimesC.toFixed(2),
      timesC?.toFixed(2) ?? '-',
      row.longestScavenge.toFixed(1),
    ]),
  };
}

function startupTable({ startup }: Results): Table | undefined {
  if (!startup || isMissing(startup)) return undefined;
  const row = (what: string, time: Spread): string[] => [
    what,
    time.median.toFixed(0),
    time.min.toFixed(0),
    time.max.toFixed(0),
  ];
  const tools = (STARTUP_UPSTREAMS - 1) * STARTUP_TOOLS;
  return {
    title: `Start-up with ${STARTUP_UPSTREAMS} upstreams, one of them silent (${startup.starts} starts)`,
    head: ['from starting the process until', 'median ms', 'min', 'max'],
    rows: [
      row('the endpoint answers: the package', startup.built.answered),
      row("the endpoint answers: the run's command", startup.entry.answered),
      row(`${tools} tools are listed: the package`, startup.built.listed),
      row(`${tools} tools are listed: the run's command`, startup.entry.listed),
    ],
  };
}

const LIVES: Readonly<Record<SessionRow['life'], string>> = {
  listed: 'initialize, tools/list, then idle',
  called: 'the same and one tools/call to an upstream with sessions',
  streaming: 'initialize, tools/list, and an open GET stream',
};

function sessionTable({ sessions }: Results): Table | undefined {
  if (!sessions || isMissing(sessions)) return undefined;
  const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1);
  return {
    title: 'Memory of an idle legacy session, kB',
    head: ['life', 'sessions', 'resident', 'before collection', 'live objects'],
    rows: sessions.map((row) => [
      LIVES[row.life],
      String(row.sessions),
      kilobytes(row.resident),
      kilobytes(row.residentUncollected),
      kilobytes(row.live),
    ]),
  };
}

function firstLookTable({ firstLook }: Results): Table | undefined {
  if (!firstLook || isMissing(firstLook)) return undefined;
  const { grants, tools, rules } = firstLook;
  const row = (what: string, time: Spread): string[] => [
    what,
    time.median.toFixed(1),
    time.min.toFixed(1),
    time.max.toFixed(1),
  ];
  return {
    title: `tools/list, ${tools.toLocaleString('en')} tools, for a grant with ${rules} rules of its own (${grants} grants)`,
    head: ['look', 'median ms', 'min', 'max'],
    rows: [row('the first, everything to be decided', firstLook.first), row('the next', firstLook.cached)],
  };
}

function decisionTable({ decisions }: Results): Table | undefined {
  if (!decisions || isMissing(decisions)) return undefined;
  const { rules, effects, p50, p99 } = decisions;
  return {
    title: `One policy decision, ${rules} rules (${decisions.decisions.toLocaleString('en')} decisions)`,
    head: ['requests', 'p50 µs', 'p99 µs'],
    rows: [
      [
        `${effects.allow} allowed, ${effects.deny} denied, ${effects.approve} to approve`,
        p50.toFixed(2),
        p99.toFixed(2),
      ],
    ],
  };
}

function brokerTable({ broker }: Results): Table | undefined {
  if (!broker || isMissing(broker)) return undefined;
  return {
    title: 'tools/call, small result, over an MQTT broker on loopback',
    head: ['form', 'target', 'C', 'req/s', 'p50 ms', 'p99 ms', 'added p50'],
    rows: broker.map(({ form, target, callers, perSecond, p50, p99, addedP50 }) => [
      form,
      target === 'direct' ? 'a client of the form' : 'gateway',
      String(callers),
      perSecond.median.toFixed(0),
      fixed(p50, 2),
      fixed(p99, 1),
      fixed(addedP50, 2),
    ]),
  };
}

/** Of rows that stand beside another row of the gateway's. */
const compared = ({ perSecond, p50, p99, cpuPer1k, timesCpu }: ComparedRow): string[] => [
  perSecond.median.toFixed(0),
  fixed(p50, 2),
  fixed(p99, 1),
  fixed(cpuPer1k, 3),
  timesCpu ? ranged(timesCpu) : '1.00',
];

const COMPARED_HEAD = ['req/s', 'p50 ms', 'p99 ms', 'CPU s/1k'];

function agentTable({ agents }: Results): Table | undefined {
  if (!agents || isMissing(agents)) return undefined;
  return {
    title: 'A call of an agent of a Mastra server, modern client, C=16',
    head: ['answer', 'by', ...COMPARED_HEAD, 'CPU × (c)'],
    rows: agents.rows.map(({ load, way, row }) => [AGENT_LOADS[load].label, way, ...compared(row)]),
  };
}

function longTable({ agents }: Results): Table | undefined {
  if (!agents || isMissing(agents)) return undefined;
  const { calls, grown } = agents.long;
  return {
    title: `Streams of ${LONG_TOKENS.toLocaleString('en')} tokens: live objects, garbage collected`,
    head: ['streams', 'kB after them and not before'],
    rows: [[calls.toLocaleString('en'), (grown / 1000).toFixed(0)]],
  };
}

function observedTable({ observed }: Results): Table | undefined {
  if (!observed || isMissing(observed)) return undefined;
  return {
    title: 'What it costs to be watched: tools/call, small result, modern client, C=16',
    head: ['gateway', 'beside', ...COMPARED_HEAD, 'CPU ×'],
    rows: observed.map(({ name, row }) => {
      const { label, beside } = WATCHED[name];
      return [label, beside ? WATCHED[beside].label : '-', ...compared(row)];
    }),
  };
}

function redisTable({ redis }: Results): Table | undefined {
  if (!redis || isMissing(redis)) return undefined;
  return {
    title: 'State in Redis: tools/call, small result, modern client, C=16; what Redis sees per call, C=1',
    head: ['state', ...COMPARED_HEAD, 'CPU × folder', 'commands', 'round trips'],
    rows: redis.map(({ target, row, seen }) => [
      target,
      ...compared(row),
      seen?.commands.toFixed(3) ?? '-',
      seen?.reads.toFixed(3) ?? '-',
    ]),
  };
}

function replicaTable({ replicas }: Results): Table | undefined {
  if (!replicas || isMissing(replicas)) return undefined;
  return {
    title: 'Replicas on one Redis and on one core, behind a balancer: tools/call, small result, C=16',
    head: ['client', 'replicas', ...COMPARED_HEAD, 'CPU × one', 'req/s × one'],
    rows: replicas.map(({ era, replicas: count, row }) => [
      era,
      String(count),
      ...compared(row),
      row.timesRate ? ranged(row.timesRate) : '1.00',
    ]),
  };
}

function residentTable({ residentMegabytes }: Results): Table | undefined {
  const entries = Object.entries(residentMegabytes);
  if (entries.length === 0) return undefined;
  return {
    title: 'Resident memory after all calls, garbage included',
    head: ['process', 'MB'],
    rows: entries.map(([name, size]) => [name, size.toFixed(0)]),
  };
}

export function conditions(results: Results): string[] {
  const { machine } = results;
  const narrowed = results.only === undefined ? '' : `, only '${results.only}'`;
  return [
    `${results.date.slice(0, 16).replace('T', ' ')} UTC, Node ${machine.node.slice(1)}, undici ${machine.undici}, ${machine.os}, ` +
      `${machine.cpu}, ${machine.cores} cores, load average before the run ${machine.loadBefore}`,
    `${results.quick ? 'quick run' : 'full run'}${narrowed}: ${results.rounds} rounds, ` +
      `${Math.round(results.requests).toLocaleString('en')} checked replies, ${results.failures.length} failed rows, ` +
      `${results.durationSeconds.toFixed(0)} s`,
    ...results.notes,
  ];
}

/** What is missing, and why. */
export function gaps(results: Results): string[] {
  const found: string[] = [];
  if (results.gatewayMissing !== undefined) found.push(`No gateway rows: ${results.gatewayMissing}`);
  for (const { block, target, error } of results.failures) found.push(`Failed: ${block} ${target}: ${error}`);
  if (results.sustained && isMissing(results.sustained)) found.push(`No sustained rows: ${results.sustained.missing}`);
  if (results.startup && isMissing(results.startup)) found.push(`No start-up rows: ${results.startup.missing}`);
  if (results.sessions && isMissing(results.sessions)) found.push(`No session rows: ${results.sessions.missing}`);
  const { firstLook, decisions, broker, agents, observed, redis, replicas } = results;
  if (firstLook && isMissing(firstLook)) found.push(`No first look: ${firstLook.missing}`);
  if (decisions && isMissing(decisions)) found.push(`No policy decisions: ${decisions.missing}`);
  if (broker && isMissing(broker)) found.push(`No MQTT rows: ${broker.missing}`);
  if (agents && isMissing(agents)) found.push(`No agent rows: ${agents.missing}`);
  if (observed && isMissing(observed)) found.push(`No rows of what watching costs: ${observed.missing}`);
  if (redis && isMissing(redis)) found.push(`No Redis rows: ${redis.missing}`);
  if (replicas && isMissing(replicas)) found.push(`No rows of replicas: ${replicas.missing}`);
  return found;
}

function tables(results: Results): Table[] {
  return [
    budgetTable(results),
    sustainedTable(results),
    operationTable(results, 'small'),
    operationTable(results, 'large'),
    operationTable(results, 'both'),
    operationTable(results, 'logs'),
    operationTable(results, 'list'),
    startupTable(results),
    sessionTable(results),
    firstLookTable(results),
    decisionTable(results),
    brokerTable(results),
    agentTable(results),
    longTable(results),
    observedTable(results),
    redisTable(results),
    replicaTable(results),
    residentTable(results),
  ].filter((table) => table !== undefined);
}

export function textReport(results: Results): string {
  // The budgets stand last, where a terminal leaves the eye.
  const [budgets, ...rest] = tables(results);
  const ordered = [...rest, ...(budgets ? [budgets] : [])].map(alignedTable);
  return [...conditions(results), '', ...ordered, ...gaps(results)].join('\n');
}

export function markdownReport(results: Results): string {
  const missing = gaps(results).map((gap) => `- ${oneLine(gap)}`);
  const lines = conditions(results).map((line) => `- ${line}`);
  return [...lines, ...missing, '', ...tables(results).map(markdownTable)].join('\n').trimEnd();
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ');
