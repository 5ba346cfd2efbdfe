/**
 * Follows a run that may be silent for long: while its server says that it goes on, its call is alive.
 * @module
 */
import type { Call } from '../../src/core/call.ts';

/** Bounds of the time after which the server is asked. */
const LEAST_MS = 200;
const MOST_MS = 5_000;

export interface Following {
  /** An event of the run arrived: the server need not be asked for a while. */
  heard(): void;
  stop(): void;
}

/** `isGoingOn` asks the server. Where it rejects, nothing is known of the run, and the call's time goes on. */
export function follow(call: Call, isGoingOn: () => Promise<boolean>): Following {
  const { silenceMs } = call;
  let wasHeard = false;
  let isAsking = false;
  const ask = async (): Promise<void> => {
    if (wasHeard || isAsking) {
      wasHeard = false;
      return;
    }
    isAsking = true;
    try {
      if (await isGoingOn()) call.alive?.();
    } catch {
      // The run itself fails for the same reason, if it does.
    } finally {
      isAsking = false;
    }
  };
  // Without a time limit there is nothing to be kept alive.
  const every = silenceMs === undefined ? undefined : Math.min(Math.max(silenceMs / 3, LEAST_MS), MOST_MS);
  const timer = every === undefined ? undefined : setInterval(() => void ask(), every).unref();
  return {
    heard() {
      wasHeard = true;
      call.alive?.();
    },
    stop: () => clearInterval(timer),
  };
}
