/**
 * What a chaos run has shown: nothing lost, nothing doubled, counters exact, memory flat.
 * @module
 */
import type { Ledger } from './ledger-server.ts';
import type { Call, Outcome } from './load.ts';
import { MB, type Measured, type MemorySample } from './memory.ts';
import { LIMITED, MAX_CALLS } from './world.ts';

export interface Finding {
  what: string;
  holds: boolean;
  detail: string;
}

/** A call that ended so may have run, and may have been counted without having run. */
const UNSURE = new Set<Outcome>(['cut', 'aborted', 'silence', 'nothing']);
const UNSURE_CODES = new Set(['SWB_REPLICA_LOST', 'SWB_STATE', 'SWB_UPSTREAM_UNAVAILABLE', 'SWB_UPSTREAM_HTTP']);
const mayHaveCounted = ({ outcome, code }: Call): boolean => UNSURE.has(outcome) || UNSURE_CODES.has(code);

/**
 * What a process that serves the same load keeps may differ by so much: calls under way when it is looked at. Resident memory differs
 * by what the allocator holds besides.
 */
const KEPT = { ratio: 1.1, bytes: 8 * MB };
const RESIDENT = { ratio: 1.2, bytes: 32 * MB };
const MIN_SAMPLES = 16;

export function findings(
  calls: readonly Call[],
  ledger: Ledger,
  memory: Measured,
  errors: readonly string[],
): Finding[] {
  const noted = calls.filter(({ tool }) => tool !== 'ask');
  const silent = calls.filter(({ outcome }) => outcome === 'silence' || outcome === 'nothing');
  const lost = noted.filter(({ outcome, id }) => outcome === 'ok' && !ledger.runs.has(id));
  const doubled = [...ledger.runs].filter(([, times]) => times > 1);
  return [
    { what: 'Each call has one answer', holds: silent.length === 0, detail: `${shown(silent)}${slowest(calls)}` },
    { what: 'What was answered well has run', holds: lost.length === 0, detail: shown(lost) },
    { what: 'Nothing has run twice', holds: doubled.length === 0, detail: doubled.slice(0, 5).join(' ') },
    counters(noted, ledger),
    flat('What the process keeps after garbage collection is flat', memory, ({ kept }) => kept, KEPT),
    flat('Its resident memory is flat', memory, ({ resident }) => resident, RESIDENT),
    {
      what: 'No replica logged an error of its own',
      holds: errors.length === 0,
      detail: errors.slice(0, 3).join('\n'),
    },
  ];
}

/**
 * After the run each limit was used up: none ran more often than it says, and less often only by calls of which it is unknown whether
 * they were counted.
 */
function counters(calls: readonly Call[], ledger: Ledger): Finding {
  const wrong = LIMITED.flatMap((tool) => {
    const ran = ledger.byTool.get(tool) ?? 0;
    const unsure = calls.filter((call) => call.tool === tool && mayHaveCounted(call)).length;
    return ran <= MAX_CALLS && ran + unsure >= MAX_CALLS
      ? []
      : [`${tool} ran ${ran} times, ${unsure} calls without a sure end`];
  });
  return {
    what: `Each of ${LIMITED.length} limits let ${MAX_CALLS} calls pass and no more; fewer only by calls without a sure end`,
    holds: wrong.length === 0,
    detail: wrong.join('; '),
  };
}

/**
 * The last quarter of the run against the second: the first is a process that warms up. A run that was long enough and could not be
 * measured has shown nothing.
 */
function flat(
  what: string,
  { samples, due, failed }: Measured,
  of: (sample: MemorySample) => number,
  { ratio, bytes }: typeof KEPT,
): Finding {
  const middle = (part: readonly MemorySample[]): number =>
    part.map(of).sort((a, b) => a - b)[Math.floor(part.length / 2)] ?? Number.NaN;
  const taken = `${samples.length} samples${failed > 0 ? `, ${failed} failed` : ''}`;
  if (samples.length < MIN_SAMPLES) {
    const isUnknown = due >= MIN_SAMPLES && (failed > 0 || samples.length === 0);
    return { what, holds: !isUnknown, detail: `${isUnknown ? 'not measured' : 'too short a run to tell'}: ${taken}` };
  }
  const quarter = Math.floor(samples.length / 4);
  const [before, after] = [middle(samples.slice(quarter, 2 * quarter)), middle(samples.slice(3 * quarter))];
  const mb = (amount: number): string => `${(amount / MB).toFixed(1)} MB`;
  return {
    what,
    holds: after <= before * ratio + bytes,
    detail: `${mb(before)} in the second quarter, ${mb(after)} in the last, ${taken}`,
  };
}

const shown = (calls: readonly Call[]): string =>
  `${calls.length}: ${calls
    .slice(0, 5)
    .map(
      ({ id, tool, outcome, code, ms, at, client }) =>
        `${id} ${tool} ${outcome} ${code} after ${Math.round(ms)} ms, begun at ${Math.round(at / 1_000)} s by ${client}`,
    )
    .join('; ')}`;

/** Not judged: it says as much of the machine and of the faults. */
function slowest(calls: readonly Call[]): string {
  const slow = [...calls].sort((a, b) => b.ms - a.ms).slice(0, 5);
  return `; the slowest: ${shown(slow)}`;
}

/** How many calls ended how: a line each. */
export function summary(calls: readonly Call[]): string[] {
  const counts = new Map<string, number>();
  for (const { outcome, code } of calls) {
    const key = outcome === 'error' || outcome === 'cut' ? `${outcome} ${code}` : outcome;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([key, count]) => `  ${String(count).padStart(8)}  ${key}`);
}
