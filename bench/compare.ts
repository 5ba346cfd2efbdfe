/**
 * Loads that are put on several targets in turn, for rows that stand beside another row of the gateway's and not beside the
 * limits: one round measures every target once, and ratios are taken within a round.
 * @module
 */
import { rotated } from './blocks.ts';
import type { LoadClient } from './load-client.ts';
import type { LoadJob } from './load-types.ts';
import { processCpuNs } from './machine.ts';
import { type Spread, spread } from './statistics.ts';

export interface Compared {
  name: string;
  /** Name of the target it stands beside; undefined for one that others stand beside. */
  beside?: string | undefined;
  job: Omit<LoadJob, 'warmupCalls'>;
  /** The processes whose CPU time is counted. */
  pids: readonly number[];
}

export interface Pace {
  rounds: number;
  windowMs: number;
  /** Calls to each target before the first round, and before each window. */
  warmup: number;
  rewarm: number;
}

export interface ComparedRow {
  name: string;
  beside: string | undefined;
  perSecond: Spread;
  p50: Spread;
  p99: Spread;
  /** CPU seconds of its processes per 1,000 calls. */
  cpuPer1k: Spread | undefined;
  /** CPU time per call, and calls per second, over those of the target it stands beside. */
  timesCpu: Spread | undefined;
  timesRate: Spread | undefined;
}

interface Sample {
  perSecond: number;
  p50: number;
  p99: number;
  cpuPer1k: number | undefined;
}

export async function compare(
  load: LoadClient,
  targets: readonly Compared[],
  pace: Pace,
  progress: (text: string) => void,
): Promise<ComparedRow[]> {
  for (const { name, job } of targets) {
    progress(`warm-up: ${name}`);
    await load.prepare({ ...job, warmupCalls: pace.warmup });
    await load.finish();
  }
  const samples = new Map(targets.map(({ name }) => [name, [] as Sample[]]));
  for (let round = 0; round < pace.rounds; round++) {
    for (const target of rotated(targets, round)) {
      progress(`round ${round + 1}/${pace.rounds}: ${target.name}`);
      samples.get(target.name)?.push(await sampled(load, target, pace));
    }
  }
  return targets.map((target) => comparedRow(target, samples));
}

async function sampled(load: LoadClient, { job, pids }: Compared, { windowMs, rewarm }: Pace): Promise<Sample> {
  await load.prepare({ ...job, warmupCalls: rewarm });
  try {
    const before = cpuOf(pids);
    const { calls, seconds, p50, p99 } = await load.measure(windowMs);
    const after = cpuOf(pids);
    const cpuPer1k = before === undefined || after === undefined ? undefined : (after - before) / calls / 1e6;
    return { perSecond: calls / seconds, p50, p99, cpuPer1k };
  } finally {
    await load.finish();
  }
}

function cpuOf(pids: readonly number[]): number | undefined {
  let sum = 0;
  for (const pid of pids) {
    const ns = processCpuNs(pid);
    if (ns === undefined) return undefined;
    sum += ns;
  }
  return sum;
}

/** The row of a target from the samples of all: ratios are taken within a round. */
export function comparedRow(
  { name, beside }: Pick<Compared, 'name' | 'beside'>,
  samples: ReadonlyMap<string, readonly Sample[]>,
): ComparedRow {
  const own = samples.get(name) ?? [];
  const others = beside === undefined ? [] : (samples.get(beside) ?? []);
  const of = (values: readonly (number | undefined)[]): Spread | undefined =>
    spread(values.filter((value) => value !== undefined));
  const times = (metric: (sample: Sample) => number | undefined): Spread | undefined =>
    of(
      own.map((sample, round) => {
        const [value, base] = [metric(sample), others[round] && metric(others[round])];
        return value === undefined || base === undefined ? undefined : value / base;
      }),
    );
  return {
    name,
    beside,
    perSecond: of(own.map(({ perSecond }) => perSecond)) as Spread,
    p50: of(own.map(({ p50 }) => p50)) as Spread,
    p99: of(own.map(({ p99 }) => p99)) as Spread,
    cpuPer1k: of(own.map(({ cpuPer1k }) => cpuPer1k)),
    timesCpu: times(({ cpuPer1k }) => cpuPer1k),
    timesRate: times(({ perSecond }) => perSecond),
  };
}
