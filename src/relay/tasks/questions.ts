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
import type { Ask } from '../../core/call.ts';
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Member } from '../../federation/types.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { RELATED_TASK } from '../../wire/tasks.ts';
import type { RelayCall } from '../call.ts';
import type { TaskRef } from './task-owners.ts';
import { quietCall } from './task-requests.ts';

export interface QuestionLimits {
  maxHeld: number;
  maxHeldPerPrincipal: number;
  /** How long the gateway waits for a task whose client does not poll it. */
  ttlMs: number;
  /** How long a client's poll waits for the first input request. */
  firstMs: number;
}

export const QUESTION_LIMITS: QuestionLimits = {
  maxHeld: 1_000,
  maxHeldPerPrincipal: 100,
  ttlMs: 10 * 60_000,
  firstMs: 1_000,
};

interface TaskInputRequest {
  ask: Ask;
  answer(result: JsonObject): void;
}

/** A task whose result the gateway waits for. */
class AwaitedTask {
  readonly call: RelayCall;
  /** The open input requests by key. */
  readonly questions = new Map<string, TaskInputRequest>();
  /** Resolves with the first input request, or when there will be none. */
  readonly asked = Promise.withResolvers<void>();
  expiry: NodeJS.Timeout | undefined;

  constructor(caller: Caller) {
    this.call = quietCall(caller);
    this.call.asker = (ask) => this.#put(ask);
  }

  #put(ask: Ask): Promise<JsonObject> {
    return new Promise((answer, refuse) => {
      // Never twice in a task's life, which may be longer than this wait.
      const key = `${ask.method.replace('/', '-')}-${randomBytes(6).toString('base64url')}`;
      const withdraw = (reason: Error): void => {
        if (this.questions.delete(key)) refuse(reason);
      };
      this.questions.set(key, { ask, answer });
      ask.signal?.addEventListener('abort', () => withdraw(withdrawn()), { once: true });
      this.call.onAbort(withdraw);
      this.asked.resolve();
    });
  }
}

export class TaskQuestions {
  readonly limits: QuestionLimits;
  readonly #awaited = new Map<Member, Map<string, AwaitedTask>>();

  constructor(limits: QuestionLimits = QUESTION_LIMITS) {
    this.limits = limits;
  }

  /**
   * The input requests of this task, after a wait for the first one if need be; undefined when there are none. `wait` waits
   * for the result on the server.
   */
  async of(of: TaskRef, caller: Caller, wait: (call: RelayCall) => Promise<unknown>): Promise<JsonObject | undefined> {
    const task = this.#find(of, caller) ?? this.#open(of, caller, wait);
    this.#touch(task);
    const timer = setTimeout(task.asked.resolve, this.limits.firstMs);
    await task.asked.promise;
    clearTimeout(timer);
    return task.questions.size > 0 ? inputRequests(task) : undefined;
  }

  /** Takes the client's responses. Keys that are not open are ignored, as the extension says. */
  answer(of: TaskRef, caller: Caller, responses: JsonObject): void {
    const task = this.#find(of, caller);
    if (!task) return;
    this.#touch(task);
    for (const [key, { answer }] of [...task.questions]) {
      const response = responses[key];
      if (!isObject(response)) continue;
      task.questions.delete(key);
      answer(response);
    }
  }

  /** Whether the gateway waits for the task now. */
  has(of: TaskRef, caller: Caller): boolean {
    return this.#find(of, caller) !== undefined;
  }

  close(): void {
    const reason = new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.');
    for (const tasks of this.#awaited.values()) for (const task of [...tasks.values()]) task.call.abort(reason);
  }

  #find({ member, taskId }: TaskRef, caller: Caller): AwaitedTask | undefined {
    return this.#awaited.get(member)?.get(keyOf(caller, taskId));
  }

  #open({ member, taskId }: TaskRef, caller: Caller, wait: (call: RelayCall) => Promise<unknown>): AwaitedTask {
    this.#requireRoom(caller);
    const tasks = this.#awaited.get(member) ?? new Map<string, AwaitedTask>();
    this.#awaited.set(member, tasks);
    const key = keyOf(caller, taskId);
    const task = new AwaitedTask(caller);
    tasks.set(key, task);
    const over = (): void => {
      clearTimeout(task.expiry);
      task.call.settle();
      task.asked.resolve();
      if (tasks.get(key) === task) tasks.delete(key);
      if (tasks.size === 0) this.#awaited.delete(member);
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

  #requireRoom({ principal }: Caller): void {
    let all = 0;
    let own = 0;
    for (const tasks of this.#awaited.values()) {
      for (const { call } of tasks.values()) {
        all++;
        if (call.caller.principal === principal) own++;
      }
    }
    if (all < this.limits.maxHeld && own < this.limits.maxHeldPerPrincipal) return;
    throw new SwitchboardError('SWB_QUEUE_FULL', 'Too many tasks wait for answers. Answer some, or try again later.', {
      retryAfterMs: 1_000,
    });
  }
}

/** Without capabilities: a client states them anew with each request. */
const keyOf = ({ key }: Caller, taskId: string): string => `${key}\n${taskId}`;

function inputRequests({ questions }: AwaitedTask): JsonObject {
  const requests: JsonObject = {};
  for (const [key, { ask }] of questions) {
    const params = ask.params && untiedParams(ask.params);
    requests[key] = params === undefined ? { method: ask.method } : { method: ask.method, params };
  }
  return requests;
}

/** Params without the tie to the task: in the extension the request stands inside the task. */
function untiedParams(params: JsonObject): JsonObject {
  if (!isObject(params._meta) || !(RELATED_TASK in params._meta)) return params;
  const { [RELATED_TASK]: _, ...meta } = params._meta;
  const { _meta: __, ...rest } = params;
  return Object.keys(meta).length > 0 ? { ...rest, _meta: meta } : rest;
}

const withdrawn = (): SwitchboardError => new SwitchboardError('SWB_ASK_REFUSED', 'The question was withdrawn.');
