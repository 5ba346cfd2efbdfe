/**
 * The order of waiting calls of one upstream: principals take turns, within each its callers (sessions) do, and each
 * caller's own calls keep their order. A principal with a thousand waiting calls, in one session or in hundreds, delays
 * another one's first call by one turn.
 * @module
 */
import { type Linked, LinkedList } from './linked-list.ts';

/** A call that waits. Its links belong to the queue. */
export interface Waiting extends Linked<Waiting> {
  /** Whose turn it uses: `caller.principal`. */
  readonly principal: string;
  /** Whose turn among those of the principal it uses: `caller.key`. */
  readonly callerKey: string;
}

/** One caller's waiting calls. In the `turns` of its principal while it has any. */
class CallerLine implements Linked<CallerLine> {
  previous: CallerLine | undefined;
  next: CallerLine | undefined;
  readonly calls = new LinkedList<Waiting>();

  get waiting(): number {
    return this.calls.size;
  }
}

/** One principal's callers. In `#turns` while any of them has a waiting call. */
class PrincipalLine implements Linked<PrincipalLine> {
  previous: PrincipalLine | undefined;
  next: PrincipalLine | undefined;
  readonly name: string;
  readonly callers = new Lines(() => new CallerLine());
  readonly turns = new LinkedList<CallerLine>();
  waiting = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** Lines without waiting calls that are kept, so that a steady load neither makes nor drops one per call. */
const IDLE_LINES = 256;

/** Lines by name. */
class Lines<L extends { readonly waiting: number }> {
  readonly #make: (name: string) => L;
  #lines = new Map<string, L>();

  constructor(make: (name: string) => L) {
    this.#make = make;
  }

  get(name: string): L | undefined {
    return this.#lines.get(name);
  }

  /** `active`: how many lines have a waiting call. */
  getOrMake(name: string, active: number): L {
    let line = this.#lines.get(name);
    if (!line) {
      if (this.#lines.size >= active + IDLE_LINES)
        this.#lines = new Map([...this.#lines].filter(([, { waiting }]) => waiting > 0));
      line = this.#make(name);
      this.#lines.set(name, line);
    }
    return line;
  }
}

/** Invariant: each list of turns holds exactly the lines with a waiting call, in the order in which they are served next. */
export class FairQueue {
  readonly #principals = new Lines((name) => new PrincipalLine(name));
  readonly #turns = new LinkedList<PrincipalLine>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many calls of each principal wait, in the order of turns. */
  waitingByPrincipal(): [principal: string, waiting: number][] {
    return [...this.#turns].map(({ name, waiting }) => [name, waiting]);
  }

  enqueue(call: Waiting): void {
    const principal = this.#principals.getOrMake(call.principal, this.#turns.size);
    const caller = principal.callers.getOrMake(call.callerKey, principal.turns.size);
    if (principal.waiting === 0) this.#turns.append(principal);
    if (caller.waiting === 0) principal.turns.append(caller);
    caller.calls.append(call);
    principal.waiting++;
    this.#size++;
  }

  /** Takes out the call that is served next: of the first principal that is admitted, where not all are. */
  dequeue(admits?: (principal: string) => boolean): Waiting | undefined {
    const principal = admits ? this.#firstOf(admits) : this.#turns.shift();
    const caller = principal?.turns.shift();
    const call = caller?.calls.shift();
    if (!principal || !caller || !call) return undefined;
    if (caller.waiting > 0) principal.turns.append(caller);
    if (--principal.waiting > 0) this.#turns.append(principal);
    this.#size--;
    return call;
  }

  #firstOf(admits: (principal: string) => boolean): PrincipalLine | undefined {
    for (const line of this.#turns) {
      if (!admits(line.name)) continue;
      this.#turns.remove(line);
      return line;
    }
    return undefined;
  }

  /** Takes out a call that waits no longer. Returns false when it is not in this queue. */
  remove(call: Waiting): boolean {
    const principal = this.#principals.get(call.principal);
    const caller = principal?.callers.get(call.callerKey);
    if (!principal || !caller?.calls.remove(call)) return false;
    if (caller.waiting === 0) principal.turns.remove(caller);
    if (--principal.waiting === 0) this.#turns.remove(principal);
    this.#size--;
    return true;
  }

  /**
   * The waiting call that gives its place in a full queue to a new call: the newest one of the principal with most, when
   * that has at least two more than the new call's principal, or otherwise of a caller with as many more than the new
   * call's caller, of the same principal. Undefined: the new call gets no place.
   */
  displacedBy({ principal, callerKey }: Pick<Waiting, 'principal' | 'callerKey'>): Waiting | undefined {
    const own = this.#principals.get(principal);
    const greediest = longest(this.#turns, (own?.waiting ?? 0) + 2);
    if (greediest) return longest(greediest.turns, 1)?.calls.last;
    return own && longest(own.turns, (own.callers.get(callerKey)?.waiting ?? 0) + 2)?.calls.last;
  }
}

/** The line with most waiting calls, at least this many; of several the one that is served last. */
function longest<L extends Linked<L> & { readonly waiting: number }>(
  lines: LinkedList<L>,
  atLeast: number,
): L | undefined {
  let found: L | undefined;
  let most = atLeast;
  for (const line of lines) {
    if (line.waiting < most) continue;
    found = line;
    most = line.waiting;
  }
  return found;
}
