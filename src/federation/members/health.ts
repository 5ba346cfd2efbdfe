/**
 * Pings a connected server at intervals, so that its state is true although it gets no calls. A server that does not
 * answer keeps its connection: it may only be busy, and closing would fail the calls it is busy with.
 * @module
 */

import { isAwaitingCaller } from '../../core/credentials.ts';
import { withDeadline } from '../../core/deadline.ts';
import { SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { repeat } from '../../core/repeat.ts';
import type { Subscription, Upstream } from '../../core/upstream.ts';
import type { Timing } from './timing.ts';

export interface HealthEvents {
  /** Two pings in a row failed; `reason` is the second error. */
  onSick(reason: unknown): void;
  onWell(): void;
}

const FAILURES_TO_BE_SICK = 2;

export function watchHealth(upstream: Upstream, timing: Timing, events: HealthEvents): Subscription {
  let failures = 0;
  return repeat(
    // A fifth shorter at most, so that many servers are not pinged in step.
    (failed) => (failed === 0 ? timing.healthMs : timing.healthRetryMs) * (1 - 0.2 * Math.random()),
    async (signal) => {
      const failure = await failureOfPing(upstream, timing, signal);
      if (signal.aborted) return;
      const wasSick = failures >= FAILURES_TO_BE_SICK;
      failures = failure === undefined ? 0 : failures + 1;
      if (failures === 0 && wasSick) events.onWell();
      if (failures === FAILURES_TO_BE_SICK) events.onSick(failure);
      if (failure !== undefined) throw failure;
    },
  );
}

/** Undefined when the server answered, be it with an error. */
async function failureOfPing(upstream: Upstream, timing: Timing, closed: AbortSignal): Promise<unknown> {
  const ms = timing.healthTimeoutMs;
  try {
    await withDeadline((signal) => upstream.ping(signal), {
      ms,
      timeout: () => new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `it did not answer a ping within ${ms} ms`),
      signal: closed,
    });
    return undefined;
  } catch (error) {
    // Without any caller's credentials it cannot be asked: that says nothing of it.
    return error instanceof UpstreamError || isAwaitingCaller(error) ? undefined : error;
  }
}
