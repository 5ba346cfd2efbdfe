/**
 * What remains of the first seconds' speed: small calls by the hundred thousand from 64 callers, then from 16, with the
 * longest scavenge of the process under load. Windows of a second never show what a heap does once it is old.
 *
 * It runs before every other row and on the same processes, so that all of them are measured on a gateway that has
 * served.
 * @module
 */
import type { Era } from '../src/wire/eras.ts';
import { BUDGET_CALLERS, type Target } from './blocks.ts';
import { RowFailed } from './load-client.ts';
import type { Window } from './load-types.ts';
import { processCpuNs } from './machine.ts';
import { type Endpoint, LISTED_TOOLS, type Topology } from './topology.ts';

export const SUSTAINED_TARGETS: readonly Target[] = ['c', 'gateway', 'policy'];
export const SUSTAINED_CALLERS: readonly number[] = [64, BUDGET_CALLERS];

const ERAS: readonly Era[] = ['legacy', 'modern'];
/** Of the calls of the first number of callers, those of the others. */
const LATER_SHARE = 0.5;
/** Before each row, for connections and sessions; fewer where fewer are measured. */
const WARMUP_CALLS = 2_000;

/** One target under one load. Latencies and collections in milliseconds. */
export interface SustainedRow {
  era: Era;
  target: Target;
  callers: number;
  calls: number;
  p50: number;
  p99: number;
  cpuPer1k: number | undefined;
  scavenges: number;
  longestScavenge: number;
}

export async function measureSustained(
  topology: Topology,
  calls: number,
  progress: (text: string) => void,
): Promise<SustainedRow[]> {
  const rows: SustainedRow[] = [];
  for (const era of ERAS) {
    for (const target of SUSTAINED_TARGETS) {
      const endpoint = topology.endpoint({ operation: 'small', era }, target);
      if (!endpoint) continue;
      for (const callers of SUSTAINED_CALLERS) {
        progress(`sustained: ${era}/${target}/C${callers}`);
        const count = Math.round(callers === SUSTAINED_CALLERS[0] ? calls : calls * LATER_SHARE);
        rows.push(await measureRow(topology, { era, target, callers, endpoint }, count));
      }
    }
  }
  return rows;
}

interface Load {
  era: Era;
  target: Target;
  callers: number;
  endpoint: Endpoint;
}

async function measureRow(topology: Topology, load: Load, calls: number): Promise<SustainedRow> {
  const { era, target, callers, endpoint } = load;
  const { port, tool, headers, pid } = endpoint;
  const collections = topology.collections(target);
  try {
    await topology.prepare({
      port,
      path: '/mcp',
      era,
      operation: 'small',
      tool,
      tools: LISTED_TOOLS,
      callers,
      warmupCalls: Math.min(WARMUP_CALLS, calls),
      headers,
    });
    collections?.reset();
    const before = pid === undefined ? undefined : processCpuNs(pid);
    const window: Window = await topology.measureCalls(calls);
    const after = pid === undefined ? undefined : processCpuNs(pid);
    return {
      era,
      target,
      callers,
      calls: window.calls,
      p50: window.p50,
      p99: window.p99,
      cpuPer1k: before === undefined || after === undefined ? undefined : (after - before) / window.calls / 1e6,
      scavenges: collections?.scavenges ?? 0,
      longestScavenge: collections?.longestScavenge ?? 0,
    };
  } catch (error) {
    if (error instanceof RowFailed) throw new Error(`sustained ${era}/${target}/C${callers}: ${error.message}`);
    throw error;
  } finally {
    await topology.finish();
  }
}

/** A row beside limit (c)'s under the same load. */
export interface SustainedRatio {
  row: SustainedRow;
  timesC: number | undefined;
  p99TimesC: number;
}

export function sustainedRatios(rows: readonly SustainedRow[]): SustainedRatio[] {
  return rows.flatMap((row) => {
    const c = rows.find((other) => other.target === 'c' && other.era === row.era && other.callers === row.callers);
    if (!c) return [];
    const timesC = row.cpuPer1k === undefined || c.cpuPer1k === undefined ? undefined : row.cpuPer1k / c.cpuPer1k;
    return [{ row, timesC, p99TimesC: row.p99 / c.p99 }];
  });
}
