/**
 * One timer for everything that has to be looked after now and then: keep-alives, slow replies, idle sessions, streams
 * without a client. None of these has a timer of its own.
 * @module
 */
import { type Linked, LinkedList } from './linked-list.ts';

/** A member of the wheel. Its links belong to the wheel. */
export interface Timed extends Linked<Timed> {
  /** `now` in milliseconds of a clock that only moves forward. */
  tick(now: number): void;
}

export class TimerWheel {
  readonly #members = new LinkedList<Timed>();
  readonly #timer: NodeJS.Timeout;
  /** The time of the last tick: coarse, and free to read. */
  now = performance.now();

  constructor(everyMs: number) {
    this.#timer = setInterval(() => this.#tick(), everyMs);
    this.#timer.unref();
  }

  /** The member must not be in a wheel. */
  add(member: Timed): void {
    this.#members.append(member);
  }

  delete(member: Timed): void {
    this.#members.remove(member);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const member of [...this.#members]) this.#members.remove(member);
  }

  #tick(): void {
    this.now = performance.now();
    // A tick may end any member, not only the one that is visited.
    for (const member of [...this.#members]) if (member.next) member.tick(this.now);
  }
}
