/**
 * The order of waiting calls of one upstream: callers take turns, each caller's own calls keep their order. One caller
 * with a thousand waiting calls delays another's first call by one turn, not by a thousand.
 * @module
 */
import { type Linked, LinkedList } from '../../core/linked-list.ts';

/** A call that waits. Its links belong to the queue. */
export interface Waiting extends Linked<Waiting> {
  /** Whose turn it uses: `caller.key`. */
  readonly callerKey: string;
}

/** One caller's waiting calls. In `#turns` while it has any. */
class Line implements Linked<Line> {
  previous: Line | undefined;
  next: Line | undefined;
  readonly calls = new LinkedList<Waiting>();
}

/** Lines of callers without waiting calls that are kept, so that a steady load neither makes nor drops one per call. */
const IDLE_LINES = 256;

/** Invariant: `#turns` holds exactly the lines with a waiting call, in the order in which they are served next. */
export class FairQueue {
  #lines = new Map<string, Line>();
  readonly #turns = new LinkedList<Line>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  enqueue(call: Waiting): void {
    let line = this.#lines.get(call.callerKey);
    if (!line) {
      this.#dropIdleLines();
      line = new Line();
      this.#lines.set(call.callerKey, line);
    }
    if (line.calls.size === 0) this.#turns.append(line);
    line.calls.append(call);
    this.#size++;
  }

  /** Takes out the call that is served next. */
  dequeue(): Waiting | undefined {
    const line = this.#turns.shift();
    const call = line?.calls.shift();
    if (!line || !call) return undefined;
    if (line.calls.size > 0) this.#turns.append(line);
    this.#size--;
    return call;
  }

  /** Takes out a call that waits no longer. Returns false when it is not in this queue. */
  remove(call: Waiting): boolean {
    const line = this.#lines.get(call.callerKey);
    if (!line?.calls.remove(call)) return false;
    if (line.calls.size === 0) this.#turns.remove(line);
    this.#size--;
    return true;
  }

  #dropIdleLines(): void {
    if (this.#lines.size < this.#turns.size + IDLE_LINES) return;
    const waiting = [...this.#lines].filter(([, line]) => line.calls.size > 0);
    this.#lines = new Map(waiting);
  }
}
