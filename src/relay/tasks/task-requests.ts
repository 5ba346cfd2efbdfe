/**
 * Sends requests about tasks. They take no place in the server's queue: a task exists so that nothing is held while it
 * runs, and a server that is busy with calls must still report on its tasks and be able to cancel one.
 *
 * - Polls (get, update, cancel, list) have a queue of their own with the same bounds, fair between callers.
 * - Waiting for a result (`tasks/result`) holds no place at all. It is bounded in number, per server, principal and
 *   caller, and in time by the server's `maxTimeoutMs`: then the client asks again, and the task runs on.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { Shares } from '../../core/shares.ts';
import type { Reply } from '../../core/upstream.ts';
import type { Member } from '../../federation/types.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { RelayCall } from '../call.ts';
import type { Dispatcher } from '../dispatch.ts';
import { UpstreamQueue } from '../queue/upstream-queue.ts';

const MAX_WAITING = 1_000;
const MAX_WAITING_PER_CALLER = 100;

/** When to come back after there was no room to wait. */
const RETRY_MS = 1_000;

export interface Poll {
  member: Member;
  method: string;
  params: JsonObject;
  /** Undefined: the server's own time limits. */
  timeoutMs?: number;
}

export class TaskRequests {
  readonly dispatcher: Dispatcher;
  readonly #queues = new WeakMap<Member, UpstreamQueue>();
  /** Waiting requests: places of principals, and how many each caller has by its key. */
  readonly #waiting = new WeakMap<Member, { shares: Shares; callers: Map<string, number> }>();

  constructor(dispatcher: Dispatcher) {
    this.dispatcher = dispatcher;
  }

  poll(call: RelayCall, { member, method, params, timeoutMs }: Poll): Promise<Reply> {
    let queue = this.#queues.get(member);
    if (!queue) {
      queue = new UpstreamQueue(member.name, member.config);
      this.#queues.set(member, queue);
    }
    const limits = timeoutMs === undefined ? member.config : limitsOf(member, timeoutMs);
    return this.dispatcher.send(call, { member, method, params, options: { queue, limits } });
  }

  /** Waits for the result of a task. Rejects with `SWB_QUEUE_FULL` when too many requests wait already. */
  async result(call: RelayCall, member: Member, params: JsonObject): Promise<Reply> {
    const { key, principal } = call.caller;
    const { shares, callers } = this.#waiting.get(member) ?? {
      shares: new Shares(MAX_WAITING, MAX_WAITING),
      callers: new Map<string, number>(),
    };
    this.#waiting.set(member, { shares, callers });
    const own = callers.get(key) ?? 0;
    if (own >= MAX_WAITING_PER_CALLER || !shares.tryTake(principal)) throw full(member);
    callers.set(key, own + 1);
    try {
      const options = { queue: undefined, limits: limitsOf(member, member.config.maxTimeoutMs) };
      return await this.dispatcher.send(call, { member, method: 'tasks/result', params, options });
    } finally {
      const left = (callers.get(key) ?? 1) - 1;
      if (left > 0) callers.set(key, left);
      else callers.delete(key);
      shares.give(principal);
    }
  }
}

const limitsOf = ({ name }: Member, timeoutMs: number) => ({ name, timeoutMs, maxTimeoutMs: timeoutMs });

const full = ({ name }: Member): SwitchboardError =>
  new SwitchboardError(
    'SWB_QUEUE_FULL',
    `Too many requests wait for results of tasks of server '${name}'. Ask with tasks/get, or again later.`,
    { data: { server: name }, retryAfterMs: RETRY_MS },
  );

/** A call of the gateway's own about a task, on behalf of a caller who receives nothing of it. */
export const quietCall = (caller: Caller): RelayCall => new RelayCall(caller, { notify() {} }, undefined);
