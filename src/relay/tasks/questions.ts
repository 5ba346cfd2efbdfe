/**
 * Questions of a legacy server about a task of a modern client. The server puts them to whoever waits for the task's
 * result, which a modern client never does: the gateway waits in its place, shows the questions as the task's
 * `inputRequests`, and gives the server what `tasks/update` brings.
 *
 * Waiting begins when the task needs input and ends with the task, or when its client has not asked after it for a time;
 * then the server hears a decline. It is bounded per principal and in all, and holds no place in a queue.
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
import { quietCall } from './lanes.ts';

export interface QuestionLimits {
  maxHeld: number;
  maxHeldPerPrincipal: number;
  /** How long a task is waited for whose client does not ask after it. */
  ttlMs: number;
  /** How long a client's own request waits for the first question. */
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

/** One task that is waited for. */
class Held {
  readonly call: RelayCall;
  readonly questions = new Map<string, TaskInputRequest>();
  /** Resolves with the first question, or when there will be none. */
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
  readonly #held = new Map<Member, Map<string, Held>>();

  constructor(limits: QuestionLimits = QUESTION_LIMITS) {
    this.limits = limits;
  }

  /**
   * What the server wants to know of this task, waiting for it if need be; undefined when it asks nothing. `wait` waits
   * for the result on the server.
   */
  async of(
    member: Member,
    taskId: string,
    caller: Caller,
    wait: (call: RelayCall) => Promise<unknown>,
  ): Promise<JsonObject | undefined> {
    const held = this.#find(member, taskId, caller) ?? this.#open(member, taskId, caller, wait);
    this.#touch(held);
    const timer = setTimeout(held.asked.resolve, this.limits.firstMs);
    await held.asked.promise;
    clearTimeout(timer);
    return held.questions.size > 0 ? inputRequests(held) : undefined;
  }

  /** Answers of the client. Keys that are not asked (any more) are ignored, as the extension says. */
  answer(member: Member, taskId: string, caller: Caller, responses: JsonObject): void {
    const held = this.#find(member, taskId, caller);
    if (!held) return;
    this.#touch(held);
    for (const [key, { answer }] of [...held.questions]) {
      const response = responses[key];
      if (!isObject(response)) continue;
      held.questions.delete(key);
      answer(response);
    }
  }

  /** Whether a task is waited for now. */
  has(member: Member, taskId: string, caller: Caller): boolean {
    return this.#find(member, taskId, caller) !== undefined;
  }

  close(): void {
    const reason = new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.');
    for (const tasks of this.#held.values()) for (const held of [...tasks.values()]) held.call.abort(reason);
  }

  #find(member: Member, taskId: string, caller: Caller): Held | undefined {
    return this.#held.get(member)?.get(keyOf(caller, taskId));
  }

  #open(member: Member, taskId: string, caller: Caller, wait: (call: RelayCall) => Promise<unknown>): Held {
    this.#requireRoom(caller);
    const tasks = this.#held.get(member) ?? new Map<string, Held>();
    this.#held.set(member, tasks);
    const key = keyOf(caller, taskId);
    const held = new Held(caller);
    tasks.set(key, held);
    const over = (): void => {
      clearTimeout(held.expiry);
      held.call.settle();
      held.asked.resolve();
      if (tasks.get(key) === held) tasks.delete(key);
      if (tasks.size === 0) this.#held.delete(member);
    };
    // The outcome is the task's, and asked for when it has ended.
    wait(held.call).then(over, over);
    held.call.onAbort(over);
    return held;
  }

  #touch(held: Held): void {
    clearTimeout(held.expiry);
    const reason = new SwitchboardError('SWB_CALL_TIMEOUT', 'Nobody answered the questions of this task in time.');
    held.expiry = setTimeout(() => held.call.abort(reason), this.limits.ttlMs).unref();
  }

  #requireRoom({ principal }: Caller): void {
    let all = 0;
    let own = 0;
    for (const tasks of this.#held.values()) {
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

/** Capabilities are not part of it: a client states them anew with each request. */
const keyOf = ({ key }: Caller, taskId: string): string => `${key}\n${taskId}`;

function inputRequests({ questions }: Held): JsonObject {
  const requests: JsonObject = {};
  for (const [key, { ask }] of questions) {
    const params = ask.params && untiedParams(ask.params);
    requests[key] = params === undefined ? { method: ask.method } : { method: ask.method, params };
  }
  return requests;
}

/** Params without the tie to the task, which the extension does not have: the request stands inside it. */
function untiedParams(params: JsonObject): JsonObject {
  if (!isObject(params._meta) || !(RELATED_TASK in params._meta)) return params;
  const { [RELATED_TASK]: _, ...meta } = params._meta;
  const { _meta: __, ...rest } = params;
  return Object.keys(meta).length > 0 ? { ...rest, _meta: meta } : rest;
}

const withdrawn = (): SwitchboardError => new SwitchboardError('SWB_ASK_REFUSED', 'The question was withdrawn.');
