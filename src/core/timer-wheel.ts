/**
 * One timer for everything that needs looking after now and then: keep-alives, slow replies, idle sessions, streams
 * nobody came back for. Nothing of these has a timer of its own.
 * @module
 */

export interface Timed {
  /** `now` in milliseconds of a clock that only moves forward. */
  tick(now: number): void;
}

export class TimerWheel {
  readonly #members = new Set<Timed>();
  readonly #timer: NodeJS.Timeout;
  /** The time of the last tick: coarse, and free to read. */
  now = performance.now();

  constructor(everyMs: number) {
    this.#timer = setInterval(() => this.#tick(), everyMs);
    this.#timer.unref();
  }

  add(member: Timed): void {
    this.#members.add(member);
  }

  delete(member: Timed): void {
    this.#members.delete(member);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#members.clear();
  }

  #tick(): void {
    this.now = performance.now();
    for (const member of this.#members) member.tick(this.now);
  }
}
