/**
 * Work that is put off to later turns of the event loop, a few milliseconds of it in each: a changed list is compared for
 * every principal that listens, and requests must not wait for all of them.
 * @module
 */

/** A turn ends with the task that reaches this time. */
const MAX_TURN_MS = 5;

const waiting: (() => void)[] = [];

/** Runs `task` in a later turn of the event loop, in the order of the calls. `task` must not throw. */
export function batchNextTick(task: () => void): void {
  if (waiting.push(task) === 1) setImmediate(turn);
}

function turn(): void {
  const end = performance.now() + MAX_TURN_MS;
  // Tasks that these put off run in another turn.
  const most = waiting.length;
  let done = 0;
  while (done < most) {
    waiting[done++]?.();
    if (performance.now() >= end) break;
  }
  waiting.splice(0, done);
  if (waiting.length > 0) setImmediate(turn);
}
