/**
 * Repeats a task in the background.
 * @module
 */

/** Where the pause of {@link pollEvery} stops doubling, in intervals. */
const MAX_INTERVALS = 8;

/**
 * Runs `task` again and again, never twice at a time, first after a pause. `pauseMs` gives the pause in milliseconds after
 * so many failures in a row. `close` stops it and aborts the `signal` of a running task. Timers keep no process alive.
 * Errors of the task only lengthen the pause: a task reports those that matter itself.
 */
export function repeat(
  pauseMs: (failures: number) => number,
  task: (signal: AbortSignal) => Promise<void>,
): { close(): void } {
  const controller = new AbortController();
  const { signal } = controller;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;

  const schedule = (): void => {
    if (signal.aborted) return;
    timer = setTimeout(run, pauseMs(failures));
    timer.unref();
  };
  const run = (): void => {
    // Through a promise, so that a task that throws before its first await counts as a failure too.
    void Promise.resolve(signal)
      .then(task)
      .then(
        () => {
          failures = 0;
        },
        () => {
          failures++;
        },
      )
      .then(schedule);
  };

  schedule();
  return {
    close(): void {
      clearTimeout(timer);
      controller.abort();
    },
  };
}

/**
 * {@link repeat} about every `ms` milliseconds; after failures the pauses double, up to eight intervals. They vary by a
 * fifth either way, so that many servers are not asked in step.
 */
export const pollEvery = (ms: number, task: (signal: AbortSignal) => Promise<void>): { close(): void } =>
  repeat((failures) => ms * Math.min(2 ** failures, MAX_INTERVALS) * (0.8 + 0.4 * Math.random()), task);
