/**
 * Deadlines of calls. One timer checks all of them every {@link SWEEP_MS} while there are any, so that a call costs no
 * timer of its own. A deadline never expires early, and at most {@link SWEEP_MS} late.
 * @module
 */
import { type Linked, LinkedList } from '../core/linked-list.ts';

const SWEEP_MS = 20;

/** The timer stops after so many sweeps without a deadline: starting one for each call would cost what it saves. */
const IDLE_SWEEPS = 50;

export interface Deadline extends Linked<Deadline> {
  /** On the clock of `performance.now()`; undefined: not now. */
  dueAt: number | undefined;
  /** Called once for each time `dueAt` has passed, with `dueAt` undefined. */
  expire(): void;
}

const deadlines = new LinkedList<Deadline>();
let timer: NodeJS.Timeout | undefined;
let idle = 0;

/** Watches the deadline until {@link unwatch}. Does nothing when it is watched already. */
export function watch(deadline: Deadline): void {
  if (deadline.next) return;
  deadlines.append(deadline);
  // A call alone keeps no process alive: its connections do.
  timer ??= setInterval(sweep, SWEEP_MS).unref();
}

export function unwatch(deadline: Deadline): void {
  deadlines.remove(deadline);
}

function sweep(): void {
  if (deadlines.size === 0) {
    if (++idle < IDLE_SWEEPS) return;
    clearInterval(timer);
    timer = undefined;
    idle = 0;
    return;
  }
  idle = 0;
  const now = performance.now();
  let due: Deadline[] | undefined;
  for (const deadline of deadlines) {
    if (deadline.dueAt === undefined || deadline.dueAt > now) continue;
    due ??= [];
    due.push(deadline);
  }
  // Afterwards: a call that expires may take others out of the list.
  if (due) for (const deadline of due) expireIfDue(deadline, now);
}

function expireIfDue(deadline: Deadline, now: number): void {
  if (deadline.dueAt === undefined || deadline.dueAt > now) return;
  deadline.dueAt = undefined;
  deadline.expire();
}
