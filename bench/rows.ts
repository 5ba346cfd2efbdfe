/**
 * From samples to rows: ratios are taken within a round, between targets under the same load, and only then are
 * medians taken over the rounds.
 * @module
 */
import type { Block, Target } from './blocks.ts';
import type { Sample } from './rounds.ts';
import { type Spread, spread } from './statistics.ts';

export interface Row {
  block: Block;
  target: Target;
  rounds: number;
  perSecond: Spread;
  p50: Spread;
  p99: Spread;
  /** Over direct, in the same round. Undefined for `direct`. */
  addedP50: Spread | undefined;
  addedP99: Spread | undefined;
  cpuPer1k: Spread | undefined;
  /** CPU over that of limit (b) and of limit (c). */
  timesB: Spread | undefined;
  timesC: Spread | undefined;
  requestsPerCall: number;
}

type Metric = (sample: Sample) => number | undefined;

export function toRows(blocks: readonly Block[], samples: readonly Sample[]): Row[] {
  const rows: Row[] = [];
  for (const block of blocks) {
    const inBlock = samples.filter((sample) => sample.block === block.id);
    for (const target of block.targets) {
      const own = inBlock.filter((sample) => sample.target === target);
      if (own.length > 0) rows.push(toRow(block, target, own, inBlock));
    }
  }
  return rows;
}

function toRow(block: Block, target: Target, own: readonly Sample[], inBlock: readonly Sample[]): Row {
  const of = (metric: Metric): Spread | undefined =>
    spread(own.map(metric).filter((value): value is number => value !== undefined));
  const peer = (sample: Sample, other: Target): Sample | undefined =>
    inBlock.find((candidate) => candidate.round === sample.round && candidate.target === other);
  const added = (metric: (sample: Sample) => number): Spread | undefined => {
    if (target === 'direct') return undefined;
    return of((sample) => {
      const direct = peer(sample, 'direct');
      return direct && metric(sample) - metric(direct);
    });
  };
  const times = (other: Target): Spread | undefined =>
    of((sample) => {
      const cpu = peer(sample, other)?.cpuPer1k;
      return cpu === undefined || sample.cpuPer1k === undefined ? undefined : sample.cpuPer1k / cpu;
    });
  return {
    block,
    target,
    rounds: own.length,
    perSecond: of((sample) => sample.perSecond) as Spread,
    p50: of((sample) => sample.p50) as Spread,
    p99: of((sample) => sample.p99) as Spread,
    addedP50: added((sample) => sample.p50),
    addedP99: added((sample) => sample.p99),
    cpuPer1k: of((sample) => sample.cpuPer1k),
    timesB: times('b'),
    timesC: times('c'),
    requestsPerCall: own[0]?.requestsPerCall ?? 1,
  };
}
