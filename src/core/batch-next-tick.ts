/**
 * Work put off to the next turn of the event loop, and further when it is much: a list that changed is looked at for
 * every principal that listens, and requests must not wait for all of them.
 * @module
 */

/** Longest time in one turn, but for the task that goes beyond it. */
const MAX_TURN_MS = 5;

const waiting: (() => void)[] = [];

/** Runs `task` in a later turn of the event loop, in the order of the calls. `task` must not throw. */
export function batchNextTick(task: () => void): void {
  if (waiting.push(task) === 1) setImmediate(turn);
}

function turn(): void {
  const end = performance.now() + MAX_TURN_MS;
  // What is put off by these has a turn of its own.
  const most = waiting.length;
  let done = 0;
  while (done < most) {
    waiting[done++]?.();
    if (performance.now() >= end) break;
  }
  waiting.splice(0, done);
  if (waiting.length > 0) setImmediate(turn);
}
