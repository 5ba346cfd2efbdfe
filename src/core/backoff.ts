/**
 * How long to wait before trying something again.
 * @module
 */
import type { Timing } from '../federation/members/timing.ts';

/**
 * Milliseconds to wait after `failures` failures in a row (0 for the first one). The pause doubles up to the cap; the
 * upper half of it is random, so that many servers that went away together do not come back in step.
 */
export function backoffMs(failures: number, timing: Timing, random: () => number = Math.random): number {
  // 2^30 steps of any base are beyond every cap; beyond 2^1023 the product would be infinite times zero.
  const full = Math.min(timing.backoffCapMs, timing.backoffBaseMs * 2 ** Math.min(failures, 30));
  return Math.round(full * (0.5 + random() / 2));
}
