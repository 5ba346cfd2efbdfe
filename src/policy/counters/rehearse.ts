/**
 * Limits tried out: calls of one moment on counts that begin at nothing and that nobody else has.
 * @module
 */
import type { Log } from '../../core/log.ts';
import type { LimitUse } from '../types.ts';
import { CounterTable } from './counter-table.ts';
import type { Look } from './counters.ts';
import { COUNTER_LIMITS, StoredCounters } from './stored-counters.ts';

/** What the last of `times` calls like this one finds. */
export function rehearse(uses: readonly LimitUse[], times: number, log: Log): Look {
  const now = Date.now();
  const counters = new StoredCounters(new CounterTable(COUNTER_LIMITS.maxCounts), log, () => now, undefined);
  // Once one is refused, so is every later one: time stands still.
  for (let call = 1; call < times; call++) if (!counters.reserve(uses).granted) break;
  return counters.look(uses);
}
