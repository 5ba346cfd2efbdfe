/**
 * Every interval of the federation in one place. Tests shorten them; nothing else does.
 * @module
 */

export interface Timing {
  /** First pause before connecting again; it doubles with every failure. */
  backoffBaseMs: number;
  backoffCapMs: number;
  /** After a connection that lived this long, the pauses start from the first one again. */
  stableMs: number;
  /** A call to a server that is away starts the next attempt when the last one ended at least this long ago. */
  nudgeAfterMs: number;
  /** `retryAfterMs` of a call that fails while an attempt to connect is running. */
  attemptHintMs: number;
  /** Longest wait for upstreams to close. */
  closeMs: number;
  /** How long a list without a stated `ttlMs` is fresh. */
  listTtlMs: number;
  /** Least age at which a list is refetched, whatever `ttlMs` its upstream states (`0` is common). */
  refreshFloorMs: number;
  /** Least time between two fetches of one list because of change notifications. */
  changeSpacingMs: number;
  /** The same after a burst of changes: every change is work for every client. */
  changePaceMs: number;
  /** Most `ttlMs` of the merged list while a server is away. */
  awayTtlMs: number;
  healthMs: number;
  /** Pause before a failed ping is repeated. */
  healthRetryMs: number;
  healthTimeoutMs: number;
}

export const DEFAULT_TIMING: Timing = {
  backoffBaseMs: 500,
  backoffCapMs: 30_000,
  stableMs: 30_000,
  nudgeAfterMs: 5_000,
  attemptHintMs: 1_000,
  closeMs: 5_000,
  listTtlMs: 60_000,
  refreshFloorMs: 5_000,
  changeSpacingMs: 100,
  changePaceMs: 2_000,
  awayTtlMs: 5_000,
  healthMs: 30_000,
  healthRetryMs: 5_000,
  healthTimeoutMs: 10_000,
};
