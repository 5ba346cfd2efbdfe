/**
 * Input requests of a legacy server about a task of a modern client. The server sends them to the client that waits for
 * the task's result, which a modern client never does: the gateway waits in its place, shows them as the task's
 * `inputRequests`, and passes the responses of `tasks/update` on.
 *
 * Waiting begins when the task needs input and ends with the task, or when its client has not polled it for `ttlMs`; then
 * the server receives a decline. It is bounded per principal and in all, and holds no place in a queue.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { Shares } from '../../core/shares.ts';
import type { Member } from '../../federation/types.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { RELATED_TASK } from '../../wire/tasks.ts';
import { InputRequests } from '../asks/input-requests.ts';
import type { RelayCall } from '../call.ts';
import type { TaskRef } from './task-owners.ts';
import { quietCall } from './task-requests.ts';

export interface AwaitLimits {
  maxAwaited: number;
  maxAwaitedPerPrincipal: number;
  /** How long the gateway waits for a task whose client does not poll it. */
  ttlMs: number;
  /** How long a client's poll waits for the first input request. */
  firstMs: number;
}

const AWAIT_LIMITS: AwaitLimits = {
  maxAwaited: 1_000,
  maxAwaitedPerPrincipal: 100,
  ttlMs: 10 * 60_000,
  firstMs: 1_000,
};

/** A task whose result the gateway waits for. */
class AwaitedTask {
  readonly call: RelayCall;
  readonly inputs: InputRequests;
  /** Resolves with the first input request, or when there will be none. */
  readonly asked = Promise.withResolvers<void>();
  expiry: NodeJS.Timeout | undefined;

  constructor(caller: Caller) {
    this.call = quietCall(caller);
    // Keys never come twice in a task's life, which may be longer than this wait.
    this.inputs = new InputRequests(this.call, () => randomBytes(6).toString('base64url'));
    this.call.asker = (ask) => {
      this.asked.resolve();
      return this.inputs.add(ask);
    };
  }
}

export class AwaitedTasks {
  readonly limits: AwaitLimits;
  readonly #tasks = new Map<Member, Map<string, AwaitedTask>>();
  readonly #shares: Shares;

  constructor(limits: AwaitLimits = AWAIT_LIMITS) {
    this.#shares = new Shares(limits.maxAwaited, limits.maxAwaitedPerPrincipal);
    this.limits = limits;
  }

  get size(): number {
    let size = 0;
    for (const tasks of this.#tasks.values()) size += tasks.size;
    return size;
  }

  /**
   * The input requests of a task, after a wait for the first one if need be; undefined when there are none. `wait` waits
   * for the result on the server.
   */
  async inputRequests(
    ref: TaskRef,
    caller: Caller,
    wait: (call: RelayCall) => Promise<unknown>,
  ): Promise<JsonObject | undefined> {
    const task = this.#find(ref, caller) ?? this.#open(ref, caller, wait);
    this.#touch(task);
    const timer = setTimeout(task.asked.resolve, this.limits.firstMs);
    await task.asked.promise;
    clearTimeout(timer);
    return task.inputs.size > 0 ? task.inputs.list(untiedParams) : undefined;
  }

  /** Takes the client's responses. Keys that are not open are ignored, as the extension says. */
  respond(ref: TaskRef, caller: Caller, responses: JsonObject): void {
    const task = this.#find(ref, caller);
    if (!task) return;
    this.#touch(task);
    task.inputs.respond(responses);
  }

  /** Whether the gateway waits for the task now. */
  has(ref: TaskRef, caller: Caller): boolean {
    return this.#find(ref, caller) !== undefined;
  }

  close(): void {
    const reason = new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.');
    for (const tasks of this.#tasks.values()) for (const task of [...tasks.values()]) task.call.abort(reason);
  }

  #find({ member, taskId }: TaskRef, caller: Caller): AwaitedTask | undefined {
    return this.#tasks.get(member)?.get(keyOf(caller, taskId));
  }

  #open({ member, taskId }: TaskRef, caller: Caller, wait: (call: RelayCall) => Promise<unknown>): AwaitedTask {
    if (!this.#shares.tryTake(caller.principal)) throw tooMany();
    const tasks = this.#tasks.get(member) ?? new Map<string, AwaitedTask>();
    this.#tasks.set(member, tasks);
    const key = keyOf(caller, taskId);
    const task = new AwaitedTask(caller);
    tasks.set(key, task);
    const over = (): void => {
      clearTimeout(task.expiry);
      task.call.settle();
      task.asked.resolve();
      if (tasks.get(key) !== task) return;
      tasks.delete(key);
      this.#shares.give(caller.principal);
      if (tasks.size === 0) this.#tasks.delete(member);
    };
    // Only the end matters here: the client gets the outcome with `tasks/get`.
    wait(task.call).then(over, over);
    task.call.onAbort(over);
    return task;
  }

  #touch(task: AwaitedTask): void {
    clearTimeout(task.expiry);
    const reason = new SwitchboardError('SWB_CALL_TIMEOUT', 'Nobody answered the questions of this task in time.');
    task.expiry = setTimeout(() => task.call.abort(reason), this.limits.ttlMs).unref();
  }
}

const tooMany = (): SwitchboardError =>
  new SwitchboardError('SWB_QUEUE_FULL', 'Too many tasks wait for answers. Answer some, or try again later.', {
    retryAfterMs: 1_000,
  });

/** Without capabilities: a client states them anew with each request. */
const keyOf = ({ key }: Caller, taskId: string): string => `${key}\n${taskId}`;

/** Params without the tie to the task: in the extension the request stands inside the task. */
function untiedParams(params: JsonObject): JsonObject {
  if (!isObject(params._meta) || !(RELATED_TASK in params._meta)) return params;
  const { [RELATED_TASK]: _, ...meta } = params._meta;
  const { _meta: __, ...rest } = params;
  return Object.keys(meta).length > 0 ? { ...rest, _meta: meta } : rest;
}
