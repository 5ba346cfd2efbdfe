/**
 * Shares the event loop out among principals. Node reads all sockets that have something before it comes back to any of
 * them, so that a principal with hundreds of requests at once would have all of them begun before another one's next. Here
 * a principal whose request took some time begins its next one when each of the others could have had as much; until
 * then its requests wait, in their order. Nothing waits while only one principal sends requests, and nothing waits any
 * longer once the others have sent none for some turns of the event loop.
 *
 * The time that counts is what beginning a request takes: what is done later for it, when its server has answered, is
 * bounded by the server's queue.
 * @module
 */
import { type Linked, LinkedList } from '../../core/linked-list.ts';

/** Principals count as competing for so long after a request, and for twice as long at most. */
const WINDOW_MS = 100;

/** No request waits longer for its turn than this, whatever its principal's last one took. */
const MAX_PAUSE_MS = 100;

/**
 * Turns of the event loop, a millisecond each or longer, after which others count as silent. In turns, because time alone
 * does not say it: while one principal's request keeps the event loop busy, no other one's can be read.
 */
const SILENT_TURNS = 4;

/** Of its time, a principal may use so many milliseconds at once that it has left unused. */
const BURST_MS = 1;

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
  /** The window in which it was last seen. */
  window = 0;
  /** When it may begin another request. */
  mayBeginAt = 0;
}

export class Turns {
  /** Without several principals nothing ever waits. */
  readonly #several: boolean;
  readonly #now: () => number;
  #lines = new Map<string, Line>();
  readonly #active = new LinkedList<Line>();
  #window = 1;
  #windowEnds = 0;
  /** Principals seen in this window, and in the one before. */
  #seen = 0;
  #seenBefore = 0;
  #scheduled = false;
  /** Turns of the event loop in which some request waited. */
  #turn = 0;
  /** Whose request came last and in which turn, and the turn of the last one that was any other principal's. */
  #newest: Line | undefined;
  #newestTurn = 0;
  #othersTurn = 0;

  constructor(several: boolean, now: () => number = () => performance.now()) {
    this.#several = several;
    this.#now = now;
  }

  /**
   * When a request of this principal begins, to be given to {@link left} when it has begun; 0 where nothing is counted.
   * Undefined: it has to {@link wait}.
   */
  enter(principal: string): number | undefined {
    if (!this.#several) return 0;
    const now = this.#now();
    const line = this.#lineOf(principal, now);
    this.#note(line);
    if (this.#others === 0) return 0;
    return line.waiting.size > 0 || now < line.mayBeginAt ? undefined : now;
  }

  left(principal: string, enteredAt: number): void {
    const line = enteredAt === 0 ? undefined : this.#lines.get(principal);
    if (line) this.#charge(line, enteredAt);
  }

  /** `begin` is called in the principal's turn. */
  wait(principal: string, begin: () => void): void {
    const line = this.#lineOf(principal, this.#now());
    line.waiting.append(new Waiting(begin));
    if (line.waiting.size === 1) this.#active.append(line);
    this.#schedule();
  }

  get #others(): number {
    return Math.max(this.#seen, this.#seenBefore) - 1;
  }

  #note(line: Line): void {
    if (this.#newest !== line) {
      this.#othersTurn = this.#newestTurn;
      this.#newest = line;
    }
    this.#newestTurn = this.#turn;
  }

  /** All principals but the one of this line have been silent for a while. */
  #isAlone(line: Line): boolean {
    return this.#turn - (this.#newest === line ? this.#othersTurn : this.#newestTurn) >= SILENT_TURNS;
  }

  #charge(line: Line, since: number): void {
    const now = this.#now();
    const due = Math.max(line.mayBeginAt, since - BURST_MS) + (now - since) * (this.#others + 1);
    line.mayBeginAt = Math.min(due, now + MAX_PAUSE_MS);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    let soonest = Number.POSITIVE_INFINITY;
    for (const { mayBeginAt } of this.#active) soonest = Math.min(soonest, mayBeginAt);
    const wake = (): void => {
      this.#scheduled = false;
      this.#turn++;
      this.#beginWaiting();
      if (this.#active.size > 0) this.#schedule();
    };
    if (soonest <= this.#now()) setImmediate(wake);
    else setTimeout(wake, 1);
  }

  /** One request of each principal that may. */
  #beginWaiting(): void {
    for (const line of [...this.#active]) {
      const since = this.#now();
      if (since < line.mayBeginAt && !this.#isAlone(line)) continue;
      this.#note(line);
      const next = line.waiting.shift();
      if (line.waiting.size === 0) this.#active.remove(line);
      next?.begin();
      this.#charge(line, since);
    }
  }

  #lineOf(principal: string, now: number): Line {
    if (now >= this.#windowEnds) {
      this.#seenBefore = now < this.#windowEnds + WINDOW_MS ? this.#seen : 0;
      this.#seen = 0;
      this.#window++;
      this.#windowEnds = now + WINDOW_MS;
    }
    let line = this.#lines.get(principal);
    if (!line) {
      if (this.#lines.size >= this.#active.size + MAX_IDLE) {
        this.#lines = new Map([...this.#lines].filter(([, { waiting }]) => waiting.size > 0));
      }
      line = new Line();
      this.#lines.set(principal, line);
    }
    if (line.window !== this.#window) {
      line.window = this.#window;
      this.#seen++;
    }
    return line;
  }
}
