/**
 * How requests about tasks are sent. They take no place in the server's queue: a task exists so that nothing is held
 * while it runs, and a server that is busy with calls must still be asked how its tasks are, and be told to stop one.
 *
 * - Polls (get, update, cancel, list) have a queue of their own with the same bounds, fair between callers.
 * - Waiting for a result (`tasks/result`) holds no place at all. It is bounded in number, per server and per caller, and
 *   in time by the server's `maxTimeoutMs`: a client whose time is up asks again, and the task runs on.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Member } from '../../federation/types.ts';
import { RelayCall } from '../call.ts';
import type { SendOptions } from '../dispatch.ts';
import { UpstreamQueue } from '../queue/upstream-queue.ts';

export interface WaitLimits {
  maxWaiting: number;
  maxWaitingPerCaller: number;
}

export const WAIT_LIMITS: WaitLimits = { maxWaiting: 1_000, maxWaitingPerCaller: 100 };

/** When to come back after there was no room to wait. */
const RETRY_MS = 1_000;

export class TaskLanes {
  readonly #limits: WaitLimits;
  readonly #polls = new WeakMap<Member, SendOptions>();
  /** Waiting requests per caller key. */
  readonly #waiting = new WeakMap<Member, Map<string, number>>();

  constructor(limits: WaitLimits = WAIT_LIMITS) {
    this.#limits = limits;
  }

  polls(member: Member): SendOptions {
    let lane = this.#polls.get(member);
    if (!lane) {
      lane = { queue: new UpstreamQueue(member.name, member.config), clock: member.config };
      this.#polls.set(member, lane);
    }
    return lane;
  }

  /** Runs one wait for a result. Rejects with `SWB_QUEUE_FULL` when too many wait already. */
  async wait<T>(member: Member, { key }: Caller, run: (lane: SendOptions) => Promise<T>): Promise<T> {
    const callers = this.#waiting.get(member) ?? new Map<string, number>();
    this.#waiting.set(member, callers);
    const own = callers.get(key) ?? 0;
    let all = 0;
    for (const count of callers.values()) all += count;
    if (own >= this.#limits.maxWaitingPerCaller || all >= this.#limits.maxWaiting) throw full(member);
    callers.set(key, own + 1);
    try {
      const { name, maxTimeoutMs } = member.config;
      return await run({ queue: undefined, clock: { name, timeoutMs: maxTimeoutMs, maxTimeoutMs } });
    } finally {
      const left = (callers.get(key) ?? 1) - 1;
      if (left > 0) callers.set(key, left);
      else callers.delete(key);
    }
  }
}

const full = ({ name }: Member): SwitchboardError =>
  new SwitchboardError(
    'SWB_QUEUE_FULL',
    `Too many requests wait for results of tasks of server '${name}'. Ask with tasks/get, or again later.`,
    { data: { server: name }, retryAfterMs: RETRY_MS },
  );

/** A request of the gateway's own about a task, for a caller who is not there to be told of anything. */
export const quietCall = (caller: Caller): RelayCall => new RelayCall(caller, { notify() {} }, undefined);

/** A request made inside another one: it ends with it, and has a clock and a place of its own. */
export function innerCall(outer: RelayCall): RelayCall {
  const call = quietCall(outer.caller);
  outer.onAbort((reason) => call.abort(reason));
  return call;
}
