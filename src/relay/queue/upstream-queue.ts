/**
 * One upstream's queue: at most `concurrency` calls run, at most `maxQueue` wait, each for `queueTimeoutMs` at most. A
 * call that gets no place is refused at once, with a hint when to try again. In a full queue the principal with most
 * waiting calls gives places up to those with fewer, so that none is refused for another one's use. While several
 * principals use the server one of them runs half as many calls at most, so that long ones do not hold up others.
 *
 * The queue is our own because of what it costs and keeps: a free place is granted without a promise, and no `Set` or
 * `Map` has an entry per call (`core/linked-list.ts` says why). p-queue has two such sets, of running and of waiting calls.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { FairQueue, type Waiting } from '../../core/fair-queue.ts';
import { Shares } from '../../core/shares.ts';

export interface QueueLimits {
  concurrency: number;
  maxQueue: number;
  queueTimeoutMs: number;
}

/** Among how many replicas of the gateway the places are divided. */
export interface Division {
  readonly count: number;
}

const ALONE: Division = { count: 1 };

/** How a queue is used at one moment. */
export interface QueueLoad {
  running: number;
  waiting: number;
  concurrency: number;
  maxQueue: number;
  /** Of principals with a call in it. */
  byPrincipal: readonly { principal: string; running: number; waiting: number }[];
}

/** The right to run one call upstream. */
export interface Slot {
  /** Gives the place to the next call. Safe to call more than once. */
  release(): void;
}

/** A call that needs a place. */
export interface QueuedCall {
  readonly caller: { readonly key: string; readonly principal: string };
  onAbort(listener: (reason: Error) => void): () => void;
}

/** So long after another principal's last call one principal holds half of the places at most. */
const SHARED_MS = 60_000;

/** Invariant: a call waits only while `running` equals `concurrency`, or its principal holds its share of the places. */
export class UpstreamQueue {
  readonly #server: string;
  readonly #limits: QueueLimits;
  readonly #division: Division;
  readonly #line = new FairQueue();
  #running = 0;
  /** Places of principals, of which one among several holds half at most. */
  readonly #places: Shares;
  readonly #mayRun = (principal: string): boolean =>
    this.#places.heldBy(principal) < Math.ceil(this.concurrency / 2) || performance.now() > this.#sharedUntil;
  #lastPrincipal: string | undefined;
  #sharedUntil = Number.NEGATIVE_INFINITY;
  /** Smoothed run time of recent calls in milliseconds, for the retry hint. */
  #averageMs = 50;

  constructor(server: string, limits: QueueLimits, division: Division = ALONE) {
    this.#server = server;
    this.#limits = limits;
    this.#division = division;
    this.#places = new Shares(limits.concurrency, Math.ceil(limits.concurrency / 2));
  }

  /** Calls that may run here. Rounded up, so that every replica has a place. */
  get concurrency(): number {
    const { count } = this.#division;
    return count === 1 ? this.#limits.concurrency : Math.ceil(this.#limits.concurrency / count);
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#line.size;
  }

  /** How it is used now. */
  load(): QueueLoad {
    const principals = new Map<string, { running: number; waiting: number }>();
    for (const [principal, running] of this.#places.holders()) principals.set(principal, { running, waiting: 0 });
    for (const [principal, waiting] of this.#line.waitingByPrincipal()) {
      principals.set(principal, { running: principals.get(principal)?.running ?? 0, waiting });
    }
    const { concurrency, maxQueue } = this.#limits;
    const byPrincipal = [...principals].map(([principal, counts]) => ({ principal, ...counts }));
    return { running: this.#running, waiting: this.waiting, concurrency, maxQueue, byPrincipal };
  }

  /**
   * Returns a free place at once, or waits for one. Throws `SWB_QUEUE_FULL` when too many calls wait. The promise rejects
   * with `SWB_QUEUE_TIMEOUT`, with `SWB_QUEUE_FULL` when another principal needs the place, or with the call's own abort
   * reason; the call has then left the queue.
   */
  acquire(call: QueuedCall): Slot | Promise<Slot> {
    const { principal } = call.caller;
    if (principal !== this.#lastPrincipal) {
      if (this.#lastPrincipal !== undefined) this.#sharedUntil = performance.now() + SHARED_MS;
      this.#lastPrincipal = principal;
    }
    if (this.#running < this.concurrency && this.#mayRun(principal)) return this.#grant(principal);
    if (this.#line.size >= this.#limits.maxQueue) this.#makeRoom(call);
    return new Promise<Slot>((resolve, reject) => {
      const waiting = new WaitingCall(call, resolve, reject);
      const leave = (reason: Error): void => {
        if (this.#line.remove(waiting)) waiting.reject(reason);
      };
      this.#line.enqueue(waiting);
      waiting.timer = setTimeout(() => leave(this.#late()), this.#limits.queueTimeoutMs);
      waiting.stopListening = call.onAbort(leave);
    });
  }

  #makeRoom({ caller }: QueuedCall): void {
    const displaced = this.#line.displacedBy({ principal: caller.principal, callerKey: caller.key }) as
      | WaitingCall
      | undefined;
    if (!displaced) throw this.#full();
    this.#line.remove(displaced);
    displaced.reject(this.#full());
  }

  #grant(principal: string): Slot {
    this.#running++;
    this.#places.take(principal);
    return new RunningSlot(this, principal);
  }

  /** Called once by each slot. */
  released(principal: string, ranMs: number): void {
    this.#averageMs += (ranMs - this.#averageMs) / 16;
    this.#running--;
    this.#places.give(principal);
    this.admit();
  }

  /** Lets waiting calls run while there are places: one was given back, or there are more of them now. */
  admit(): void {
    while (this.#line.size > 0 && this.#running < this.concurrency) {
      const next = this.#line.dequeue(this.#mayRun) as WaitingCall | undefined;
      if (!next) return;
      next.resolve(this.#grant(next.principal));
    }
  }

  #retryAfterMs(): number {
    const rounds = Math.ceil((this.#line.size + 1) / this.concurrency);
    return Math.round(Math.min(60_000, Math.max(100, rounds * this.#averageMs)));
  }

  #full(): SwitchboardError {
    return new SwitchboardError(
      'SWB_QUEUE_FULL',
      `Server '${this.#server}' is busy: ${this.concurrency} calls run and ${this.#limits.maxQueue} wait. Try again later.`,
      { data: { server: this.#server }, retryAfterMs: this.#retryAfterMs() },
    );
  }

  #late(): SwitchboardError {
    return new SwitchboardError(
      'SWB_QUEUE_TIMEOUT',
      `The call waited ${this.#limits.queueTimeoutMs} ms for server '${this.#server}' and was not started. Try again later.`,
      { data: { server: this.#server }, retryAfterMs: this.#retryAfterMs() },
    );
  }
}

class RunningSlot implements Slot {
  #queue: UpstreamQueue | undefined;
  readonly #principal: string;
  readonly #since = performance.now();

  constructor(queue: UpstreamQueue, principal: string) {
    this.#queue = queue;
    this.#principal = principal;
  }

  release(): void {
    const queue = this.#queue;
    this.#queue = undefined;
    queue?.released(this.#principal, performance.now() - this.#since);
  }
}

/** Invariant: settled once, by the queue that holds it; its timer and its listener end with it. */
class WaitingCall implements Waiting {
  previous: Waiting | undefined;
  next: Waiting | undefined;
  readonly principal: string;
  readonly callerKey: string;
  timer: NodeJS.Timeout | undefined;
  stopListening: (() => void) | undefined;
  readonly #resolve: (slot: Slot) => void;
  readonly #reject: (reason: Error) => void;

  constructor(call: QueuedCall, resolve: (slot: Slot) => void, reject: (reason: Error) => void) {
    this.principal = call.caller.principal;
    this.callerKey = call.caller.key;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  resolve(slot: Slot): void {
    this.#end();
    this.#resolve(slot);
  }

  reject(reason: Error): void {
    this.#end();
    this.#reject(reason);
  }

  #end(): void {
    clearTimeout(this.timer);
    this.stopListening?.();
  }
}
