/**
 * Counters as a configuration asks for them.
 * @module
 */
import type { Log } from '../../core/log.ts';
import type { StateStore } from '../../state/store.ts';
import { CounterTable } from './counter-table.ts';
import type { Counters } from './counters.ts';
import { type SnapshotLimits, Snapshots } from './snapshots.ts';
import { COUNTER_LIMITS, type CounterLimits, StoredCounters } from './stored-counters.ts';

export interface CountersOptions {
  log: Log;
  /** Counts survive a restart when there is one. */
  state?: StateStore | undefined;
  /** Milliseconds since the epoch. Default: the time of day. */
  clock?: () => number;
  limits?: CounterLimits;
  snapshots?: SnapshotLimits;
}

/** With the counts of before, as far as their windows last. */
export async function openCounters(options: CountersOptions): Promise<Counters> {
  const { log, state, clock = Date.now, limits = COUNTER_LIMITS } = options;
  const shelf = new CounterTable(limits.maxCounts);
  if (state === undefined) return new StoredCounters(shelf, log, clock, undefined);
  const snapshots = new Snapshots(state, shelf, log, clock, options.snapshots);
  await snapshots.load();
  return new StoredCounters(shelf, log, clock, snapshots);
}
