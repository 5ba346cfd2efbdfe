/**
 * Limits tried out, for `policy explain`: calls of one moment on counters of their own, which begin at nothing.
 * @module
 */
import type { Log } from '../../core/log.ts';
import { MemoryCounters } from '../../state/memory/counters.ts';
import type { CounterReading } from '../../state/state.ts';
import type { LimitUse } from '../types.ts';

/** How the counters stand for the last of `times` equal calls. */
export function rehearse(uses: readonly LimitUse[], times: number, log: Log): CounterReading<LimitUse> {
  const now = Date.now();
  const counters = new MemoryCounters({ log, clock: () => now });
  // Once one is refused, so is every later one: time stands still.
  for (let call = 1; call < times; call++) if (!counters.reserve(uses).granted) break;
  return counters.read(uses);
}
