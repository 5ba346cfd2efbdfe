/**
 * Every interval of the federation in one place. Tests shorten them; nothing else does.
 * @module
 */

export interface Timing {
  /** First pause before connecting again; it doubles with every failure. */
  backoffBaseMs: number;
  backoffCapMs: number;
  /** A connection that lived this long was a good one: the pauses start small again. */
  stableMs: number;
  /** A call to an away server brings the next attempt forward when the last one ended at least this long ago. */
  nudgeAfterMs: number;
  /** What a client that was refused because of a running attempt is told to wait. */
  attemptHintMs: number;
  /** Longest wait for upstreams to close. */
  closeMs: number;
  /** How long a list counts as fresh whose upstream does not say. */
  listTtlMs: number;
  /** A list is never fetched again sooner because of its age, whatever its upstream states (`0` is common). */
  refreshFloorMs: number;
  /** Least time between two fetches of one list because of change notifications. */
  changeSpacingMs: number;
  /** The same for a server that goes on announcing changes beyond a burst: every change is work for every client. */
  changePaceMs: number;
  /** Freshness of the merged list while a server is away: it may come back any moment, and the list with it. */
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
