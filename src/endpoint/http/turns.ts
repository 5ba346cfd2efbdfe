/**
 * Turns of principals on the event loop. Node reads all sockets that have something before it comes back to any of them, so
 * that a principal with hundreds of requests at once would have all of them begun before another one's next. Here a principal
 * begins so many requests in one round of the event loop; the others of it wait for the next rounds, in their order.
 * Nothing waits while only one principal sends requests.
 * @module
 */
import { type Linked, LinkedList } from '../../core/linked-list.ts';

/** Requests a principal begins in one round of the event loop while others send requests too. */
const PER_ROUND = 2;

/** So long after another principal's last request a principal is held to its turns. */
const SHARED_MS = 1_000;

/** Principals without a waiting request that are remembered. */
const MAX_IDLE = 1_000;

class Waiting implements Linked<Waiting> {
  previous: Waiting | undefined;
  next: Waiting | undefined;
  readonly begin: () => void;

  constructor(begin: () => void) {
    this.begin = begin;
  }
}

/** One principal's requests. */
class Line implements Linked<Line> {
  /** In the list of lines with a waiting request. */
  previous: Line | undefined;
  next: Line | undefined;
  readonly waiting = new LinkedList<Waiting>();
  /** Requests begun in this round. */
  begun = 0;
  round = 0;
}

export class Turns {
  /** Without several principals nothing ever waits. */
  readonly #several: boolean;
  #lines = new Map<string, Line>();
  readonly #active = new LinkedList<Line>();
  #round = 1;
  #scheduled = false;
  #last = '';
  #sharedUntil = 0;

  constructor(several: boolean) {
    this.#several = several;
  }

  /** Whether a request of this principal may begin now. False: it has to {@link wait}. */
  admits(principal: string): boolean {
    if (!this.#several) return true;
    if (!this.#scheduled) this.#nextRound();
    if (principal !== this.#last) {
      if (this.#last !== '') this.#sharedUntil = performance.now() + SHARED_MS;
      this.#last = principal;
    }
    const line = this.#lineOf(principal);
    if (line.round !== this.#round) {
      line.round = this.#round;
      line.begun = 0;
    }
    if (line.waiting.size > 0) return false;
    if (line.begun >= PER_ROUND && performance.now() < this.#sharedUntil) return false;
    line.begun++;
    return true;
  }

  /** `begin` is called in the principal's turn. */
  wait(principal: string, begin: () => void): void {
    const line = this.#lineOf(principal);
    line.waiting.append(new Waiting(begin));
    if (line.waiting.size === 1) this.#active.append(line);
  }

  #nextRound(): void {
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#round++;
      if (this.#active.size === 0) return;
      this.#nextRound();
      this.#beginWaiting();
    });
  }

  /** One request of each principal after the other, as many of each as it may begin in a round. */
  #beginWaiting(): void {
    for (const line of [...this.#active]) {
      line.round = this.#round;
      line.begun = 0;
    }
    for (let turn = 0; turn < PER_ROUND; turn++) {
      for (const line of [...this.#active]) {
        line.begun++;
        const next = line.waiting.shift();
        if (line.waiting.size === 0) this.#active.remove(line);
        next?.begin();
      }
    }
  }

  #lineOf(principal: string): Line {
    let line = this.#lines.get(principal);
    if (!line) {
      if (this.#lines.size >= this.#active.size + MAX_IDLE) {
        this.#lines = new Map([...this.#lines].filter(([, { waiting }]) => waiting.size > 0));
      }
      line = new Line();
      this.#lines.set(principal, line);
    }
    return line;
  }
}
