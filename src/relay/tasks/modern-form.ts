/**
 * Tasks of the extension of 2026-07-28 (`io.modelcontextprotocol/tasks`): the server decides which calls become tasks, and
 * clients that declare the extension poll them with `tasks/get`.
 *
 * When a server needs such a client (-32021), the gateway calls again as one, which is no second run, since that error
 * comes before any; then it polls.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { pause } from '../../core/deadline.ts';
import { RPC, SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { maskedError } from '../../core/mask.ts';
import type { Reply } from '../../core/upstream.ts';
import { isObject, type JsonObject, notification, type RpcError } from '../../wire/jsonrpc.ts';
import { declaresTasksExtension, isTerminal, TASKS_EXTENSION } from '../../wire/tasks.ts';
import { askAll } from '../asks/rounds.ts';
import type { RelayCall } from '../call.ts';
import { maskOf } from '../mask-of.ts';
import { untilEnded } from './follow.ts';
import { at, bytesOf, createdId, textOf, whole } from './ids.ts';
import type { TaskForm } from './task-form.ts';
import type { TaskRef } from './task-owners.ts';
import type { TaskRequests } from './task-requests.ts';

/** How often a task is polled: as the server suggests, within these bounds. */
const POLL_MS = { least: 50, usual: 1_000, most: 30_000 };

export const modernTasks: TaskForm = {
  era: 'modern',

  isOffered: declaresTasksExtension,

  isKnownTo: ({ capabilities }) => declaresTasksExtension(capabilities),

  follow(requests, member) {
    const send = (call: RelayCall, params: JsonObject): Promise<Reply> =>
      requests.dispatcher.send(call, { member, method: 'tools/call', params: { ...params } });
    return async (call, params) => {
      const reply = await send(call, params).catch((error: unknown) => {
        if (modernTasks.isKnownTo(call.caller) || !needsTaskClient(error)) throw error;
        // Holds for later rounds of the call too: the server must not meet two clients in one.
        call.caller = taskClient(call.caller);
        return send(call, params);
      });
      const raw = bytesOf(reply);
      const taskId = raw && textOf(raw, createdId(raw, 'modern'));
      if (!raw || taskId === undefined) return reply;
      call.caller = taskClient(call.caller);
      const task = { member, taskId };
      return untilEnded(requests, call, task, () => new Follower(requests, call, task).outcome(raw));
    };
  },
};

/** -32021 that names the tasks extension: the server refused before it ran anything. */
function needsTaskClient(error: unknown): boolean {
  if (!(error instanceof UpstreamError) || error.rpcCode !== RPC.missingClientCapability) return false;
  const required = isObject(error.data) ? error.data.requiredCapabilities : undefined;
  return isObject(required) && isObject(required.extensions) && TASKS_EXTENSION in required.extensions;
}

/** The caller as a client that declares the extension; the same in everything else. */
function taskClient(caller: Caller): Caller {
  const { capabilities } = caller;
  const extensions = isObject(capabilities.extensions) ? capabilities.extensions : {};
  return { ...caller, capabilities: { ...capabilities, extensions: { ...extensions, [TASKS_EXTENSION]: {} } } };
}

/** Polls one task for a client that does not know it. */
class Follower {
  readonly #requests: TaskRequests;
  readonly #call: RelayCall;
  readonly #task: TaskRef;
  /** Keys answered: several polls may show the same input request. */
  readonly #answered = new Set<string>();
  #lastMessage: unknown;
  #steps = 0;

  constructor(requests: TaskRequests, call: RelayCall, task: TaskRef) {
    this.#requests = requests;
    this.#call = call;
    this.#task = task;
  }

  /** The result of the call, from the state the task was created in to its end. */
  async outcome(created: Buffer): Promise<Reply> {
    let raw = created;
    let left = this.#task.member.config.maxTimeoutMs;
    for (;;) {
      const { result: _, ...task } = JSON.parse(raw.toString('utf8')) as JsonObject;
      if (isTerminal(task.status)) {
        // The created task has no outcome yet, whatever its status.
        if (raw !== created) return this.#ended(raw, task);
      } else if (isObject(task.inputRequests)) {
        await this.#answer(task.inputRequests);
      } else {
        this.#reportProgress(task.statusMessage);
      }
      const waitMs = raw === created && isTerminal(task.status) ? 0 : pollMs(task);
      left -= waitMs;
      if (left < 0) throw this.#late();
      await pause(this.#call, waitMs);
      const startedAt = performance.now();
      raw = await this.#poll('tasks/get', {});
      left -= performance.now() - startedAt;
    }
  }

  #failed(error: JsonObject): unknown {
    return maskedError(new UpstreamError(rpcErrorOf(error)), maskOf(this.#task.member));
  }

  #ended(raw: Buffer, task: JsonObject): Reply {
    const result = at(raw, whole(raw), 'result');
    if (task.status === 'completed' && result) return { raw: raw.subarray(result.start, result.end) };
    if (task.status === 'failed' && isObject(task.error)) throw this.#failed(task.error);
    const { name } = this.#task.member;
    throw task.status === 'cancelled'
      ? new SwitchboardError('SWB_CANCELLED', `Server '${name}' cancelled the task of this call.`)
      : new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' ended the task of this call without a result.`);
  }

  /** Puts the input requests that are not answered yet to the client. */
  async #answer(inputRequests: JsonObject): Promise<void> {
    const open = Object.entries(inputRequests).filter(([key]) => !this.#answered.has(key));
    if (open.length === 0) return;
    for (const [key] of open) this.#answered.add(key);
    const inputResponses = await askAll(this.#call, Object.fromEntries(open));
    await this.#poll('tasks/update', { inputResponses });
  }

  /** The status message of the task is progress to a client that waits. */
  #reportProgress(message: unknown): void {
    if (typeof message !== 'string' || message === this.#lastMessage) return;
    this.#lastMessage = message;
    this.#call.notify(notification('notifications/progress', { progress: ++this.#steps, message }));
  }

  async #poll(method: string, params: JsonObject): Promise<Buffer> {
    const { member, taskId } = this.#task;
    const raw = bytesOf(await this.#requests.poll(this.#call, { member, method, params: { ...params, taskId } }));
    if (raw) return raw;
    throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${member.name}' did not say how its task is.`);
  }

  #late(): SwitchboardError {
    const { name, maxTimeoutMs } = this.#task.member.config;
    const seconds = Math.round(maxTimeoutMs / 1000);
    const message = `The task of this call on server '${name}' took over ${seconds} s.`;
    return new SwitchboardError('SWB_CALL_TIMEOUT', message, { data: { server: name } });
  }
}

function pollMs({ pollIntervalMs }: JsonObject): number {
  const suggested = typeof pollIntervalMs === 'number' ? pollIntervalMs : POLL_MS.usual;
  return Math.min(POLL_MS.most, Math.max(POLL_MS.least, suggested));
}

const rpcErrorOf = ({ code, message, data }: JsonObject): RpcError => ({
  code: Number.isInteger(code) ? (code as number) : RPC.internal,
  message: typeof message === 'string' ? message : 'The server failed on this request and does not say why.',
  ...(data === undefined ? {} : { data }),
});
