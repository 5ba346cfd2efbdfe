/**
 * `npm run bench`: measures, prints, judges. What is measured and how is in docs/performance.md.
 * @module
 */
import { readFile, writeFile } from 'node:fs/promises';
import { measureAgents } from './agents.ts';
import { allBlocks, type Block, quickBlocks } from './blocks.ts';
import { measureBroker } from './broker.ts';
import { allMet, judge } from './budgets.ts';
import { writeResults } from './docs.ts';
import { measureFirstLook } from './first-look.ts';
import { describeMachine, type Layout, readLayout } from './machine.ts';
import { measureObserved } from './observed.ts';
import { HELP, type Options, parseOptions } from './options.ts';
import { measureDecisions } from './policy-decision.ts';
import { profileGateway } from './profile.ts';
import { measureRedis } from './redis.ts';
import { measureReplicas } from './replicas.ts';
import { markdownReport, textReport } from './report.ts';
import type { Missing, Results } from './results.ts';
import { type Effort, FULL_EFFORT, type Measured, QUICK_EFFORT, Rounds, type RunEffort } from './rounds.ts';
import { toRows } from './rows.ts';
import { measureSessions, SESSION_LIVES } from './sessions.ts';
import { measureStartup } from './startup.ts';
import { measureSustained, type SustainedRow } from './sustained.ts';
import { Topology } from './topology.ts';

const DOCUMENT = new URL('../docs/performance.md', import.meta.url);
const FULL_SESSIONS = { lives: SESSION_LIVES, count: 2_000 } as const;
const QUICK_SESSIONS = { lives: ['listed'], count: 1_000 } as const;

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function effortOf(options: Options): RunEffort {
  const effort = options.quick ? QUICK_EFFORT : FULL_EFFORT;
  return options.rounds === undefined ? effort : withRounds(effort, options.rounds);
}

function withRounds(effort: RunEffort, rounds: number): RunEffort {
  const { agents, observed, redis, replicas } = effort;
  return {
    ...effort,
    rounds,
    agents: { ...agents, rounds },
    observed: { ...observed, rounds },
    redis: { ...redis, rounds },
    replicas: { ...replicas, rounds },
  };
}

function chosen(options: Options, name: string): boolean {
  return options.only === undefined || name.includes(options.only);
}

interface Calls extends Measured {
  gatewayMissing: string | undefined;
  residentMegabytes: Record<string, number>;
  sustained: SustainedRow[] | Missing | undefined;
}

async function measureCalls(
  layout: Layout,
  blocks: readonly Block[],
  effort: Effort,
  sustain: boolean,
): Promise<Calls> {
  const topology = await Topology.start(layout, false);
  try {
    if (topology.gatewayMissing !== undefined) {
      process.stderr.write(`The gateway does not start; its rows are left out: ${topology.gatewayMissing}\n`);
    }
    const sustained = sustain
      ? await attempt(() => measureSustained(topology, effort.sustainedCalls, progress))
      : undefined;
    const measured = await new Rounds(topology, effort, progress).run(blocks);
    const residentMegabytes = topology.residentMegabytes();
    return { ...measured, gatewayMissing: topology.gatewayMissing, residentMegabytes, sustained };
  } finally {
    await topology.stop();
  }
}

/** A part that fails is reported as missing: the others are worth having all the same. */
async function attempt<Part>(measure: () => Promise<Part>): Promise<Part | Missing> {
  try {
    return await measure();
  } catch (error) {
    return { missing: (error as Error).message };
  }
}

async function measureAll(options: Options, layout: Layout): Promise<{ results: Results; samples: Calls['samples'] }> {
  const started = new Date();
  const machine = describeMachine(await undiciVersion());
  const effort = effortOf(options);
  const blocks = (options.quick ? quickBlocks() : allBlocks()).filter(({ id }) => chosen(options, id));
  const nothing: Calls = {
    samples: [],
    failures: [],
    requests: 0,
    gatewayMissing: undefined,
    residentMegabytes: {},
    sustained: undefined,
  };
  const sustain = chosen(options, 'sustained');
  const calls = blocks.length > 0 || sustain ? await measureCalls(layout, blocks, effort, sustain) : nothing;
  const { gatewayMissing } = calls;
  const gatewayPart = <Part>(name: string, measure: () => Promise<Part>): Promise<Part | Missing> | undefined => {
    if (!chosen(options, name)) return undefined;
    return attempt(
      gatewayMissing === undefined ? measure : () => Promise.reject(new Error('the gateway does not start')),
    );
  };
  const startup = await gatewayPart('startup', () => measureStartup(layout, effort.rounds, progress));
  const { lives, count } = options.quick ? QUICK_SESSIONS : FULL_SESSIONS;
  const sessions = await gatewayPart('sessions', () => measureSessions(layout, lives, count, progress));
  const firstLook = await gatewayPart('policy/first-look', () => measureFirstLook(layout, progress));
  const broker = await gatewayPart('mqtt', () => measureBroker(layout, effort.rounds, progress));
  const agents = await gatewayPart('agents', () => measureAgents(layout, effort.agents, progress));
  const observed = await gatewayPart('observed', () => measureObserved(layout, effort.observed, progress));
  const redis = await gatewayPart('redis', () => measureRedis(layout, effort.redis, progress));
  const replicas = await gatewayPart('replicas', () => measureReplicas(layout, effort.replicas, progress));
  progress('policy decisions');
  const decides = chosen(options, 'policy/decision');
  const decisions = decides ? await attempt(() => Promise.resolve(measureDecisions())) : undefined;
  progress('');
  return {
    samples: calls.samples,
    results: {
      date: started.toISOString(),
      durationSeconds: (Date.now() - started.getTime()) / 1000,
      quick: options.quick,
      only: options.only,
      rounds: effort.rounds,
      machine,
      notes: layout.notes,
      requests: calls.requests,
      rows: toRows(blocks, calls.samples),
      failures: calls.failures,
      gatewayMissing,
      residentMegabytes: calls.residentMegabytes,
      sustained: calls.sustained,
      startup,
      sessions,
      firstLook,
      decisions,
      broker,
      agents,
      observed,
      redis,
      replicas,
    },
  };
}

async function undiciVersion(): Promise<string> {
  const manifest = await readFile(new URL('../node_modules/undici/package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

async function main(options: Options): Promise<number> {
  const layout = readLayout(options.entry);
  if (options.profile) {
    const blocks = quickBlocks().filter(({ id }) => chosen(options, id));
    process.stdout.write(`${await profileGateway(layout, blocks, effortOf(options), progress)}\n`);
    return 0;
  }
  const { results, samples } = await measureAll(options, layout);
  process.stdout.write(`${textReport(results)}\n`);
  const verdicts = judge(results);
  if (options.json !== undefined) {
    await writeFile(options.json, `${JSON.stringify({ ...results, verdicts, samples }, null, 2)}\n`);
  }
  if (options.writeDocs) await writeResults(DOCUMENT, markdownReport(results));
  const sound = results.failures.length === 0 && allMet(verdicts);
  return options.enforce && !sound ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(2));

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(HELP);
  else process.exitCode = await main(options);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 2;
}
