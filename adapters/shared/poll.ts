/**
 * Repeats a task in the background: for servers that cannot say that their lists have changed.
 * @module
 */

/** A failing task is tried less and less often, down to once per this many intervals. */
const MAX_BACKOFF = 8;

/** Intervals vary by this share either way, so that many servers are not polled in step. */
const JITTER = 0.2;

/**
 * Runs `task` about every `ms` milliseconds, first after one interval, never twice at a time. After failures the pauses
 * double up to eight intervals; a success ends that. `close` stops it and aborts the `signal` of a running task. Its
 * timers keep no process alive. Errors of the task only slow it down: a task that wants them seen reports them itself.
 */
export function pollEvery(ms: number, task: (signal: AbortSignal) => Promise<void>): { close(): void } {
  const controller = new AbortController();
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;

  const schedule = (): void => {
    const pause = ms * Math.min(2 ** failures, MAX_BACKOFF);
    timer = setTimeout(run, pause * (1 - JITTER + 2 * JITTER * Math.random()));
    timer.unref();
  };
  const run = (): void => {
    // Through a promise, so that a task that throws before its first await counts as a failure too.
    void Promise.resolve(controller.signal)
      .then(task)
      .then(
        () => {
          failures = 0;
        },
        () => {
          failures++;
        },
      )
      .then(() => {
        if (!controller.signal.aborted) schedule();
      });
  };

  schedule();
  return {
    close(): void {
      clearTimeout(timer);
      controller.abort();
    },
  };
}
