/**
 * One upstream's queue: so many calls at a time, so many waiting, each for so long. A call that cannot be had is told
 * at once, with a hint when to come back.
 * @module
 */
import PQueue from 'p-queue';
import { SwitchboardError } from '../../core/errors.ts';
import type { RelayCall } from '../call.ts';
import { type FairOptions, FairQueue } from './fair-queue.ts';

export interface QueueLimits {
  concurrency: number;
  maxQueue: number;
  queueTimeoutMs: number;
}

/** The right to run one call upstream. */
export interface Slot {
  /** Gives the place to the next call. Safe to call more than once. */
  release(): void;
}

/** Nobody listens to p-queue's events here, and dispatching them is most of its cost per call. */
class QuietQueue extends PQueue<FairQueue, FairOptions> {
  override dispatchEvent(): boolean {
    return true;
  }
}

export class UpstreamQueue {
  readonly #server: string;
  readonly #limits: QueueLimits;
  readonly #queue: QuietQueue;
  /** Smoothed run time of recent calls, for the retry hint. */
  #averageMs = 50;

  constructor(server: string, limits: QueueLimits) {
    this.#server = server;
    this.#limits = limits;
    this.#queue = new QuietQueue({ concurrency: limits.concurrency, queueClass: FairQueue });
  }

  get running(): number {
    return this.#queue.pending;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * Waits for a place. Rejects with `SWB_QUEUE_FULL`, with `SWB_QUEUE_TIMEOUT`, or with the call's own abort reason;
   * in each of these cases the call has left the queue.
   */
  acquire(call: RelayCall): Promise<Slot> {
    const saturated = this.#queue.pending >= this.#limits.concurrency;
    if (saturated && this.#queue.size >= this.#limits.maxQueue) return Promise.reject(this.#full());
    return saturated ? this.#wait(call) : this.#enter(call, undefined);
  }

  #enter(call: RelayCall, signal: AbortSignal | undefined): Promise<Slot> {
    return new Promise<Slot>((grant, refuse) => {
      this.#queue
        .add(
          () =>
            new Promise<void>((done) => {
              const started = performance.now();
              grant({
                release: () => {
                  this.#averageMs += (performance.now() - started - this.#averageMs) / 16;
                  done();
                },
              });
            }),
          signal ? { caller: call.caller.key, signal } : { caller: call.caller.key },
        )
        .catch(refuse);
    });
  }

  async #wait(call: RelayCall): Promise<Slot> {
    const leave = new AbortController();
    const timer = setTimeout(() => leave.abort(this.#late()), this.#limits.queueTimeoutMs);
    const stop = call.onAbort((reason) => leave.abort(reason));
    try {
      const slot = await this.#enter(call, leave.signal);
      // The signal may abort in the very turn in which the place was granted: the place must not be lost.
      if (leave.signal.aborted) {
        slot.release();
        throw leave.signal.reason;
      }
      return slot;
    } finally {
      clearTimeout(timer);
      stop();
    }
  }

  #retryAfterMs(): number {
    const rounds = Math.ceil((this.#queue.size + 1) / this.#limits.concurrency);
    return Math.round(Math.min(60_000, Math.max(100, rounds * this.#averageMs)));
  }

  #full(): SwitchboardError {
    return new SwitchboardError(
      'SWB_QUEUE_FULL',
      `Server '${this.#server}' is busy: ${this.#limits.concurrency} calls run and ${this.#limits.maxQueue} wait. Try again later.`,
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
