/**
 * Calls that become a task on their server although their client knows no tasks of that kind: the gateway follows the
 * task and answers the call with its outcome, as if there had been none. The client's questions, progress and
 * cancellation work as in any call; the task's id never leaves the gateway, and nobody's list has it.
 *
 * - A legacy server's tool that must be called as a task (`execution.taskSupport: "required"`): called as one, then waited
 *   for with `tasks/result`.
 * - A modern server's tool that needs a client with the tasks extension (-32021): called again as such a client, which is
 *   no second run, since that error comes before any; then polled with `tasks/get`.
 * @module
 */

import { RPC, SwitchboardError, UpstreamError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import type { Member } from '../../federation/types.ts';
import { isObject, type JsonObject, notification, type RpcError } from '../../wire/jsonrpc.ts';
import { isTerminal, TASKS_EXTENSION } from '../../wire/tasks.ts';
import { askAll } from '../asks/rounds.ts';
import type { RelayCall } from '../call.ts';
import type { Sender } from '../dispatch.ts';
import type { Services } from '../request-context.ts';
import { CallAs } from './call-as.ts';
import { at, bytesOf, createdId, textOf, whole } from './ids.ts';
import { quietCall } from './lanes.ts';
import { untied } from './to-modern.ts';

/** How often a modern task is asked after: what the server suggests, within these bounds. */
const POLL_MS = { least: 50, usual: 1_000, most: 30_000 };

/** Beyond the time a call may take, what its task is kept for: a server counts the time a person thinks as well. */
const PERSON_MS = 60 * 60_000;

type Parts = Pick<Services, 'dispatcher' | 'tasks'>;

/** Calls a legacy tool as a task and waits for its result. */
export function awaitingResult({ dispatcher, tasks }: Parts, member: Member): Sender {
  return async (call, params) => {
    const task = { ttl: member.config.maxTimeoutMs + PERSON_MS };
    const created = await dispatcher.send(call, member, 'tools/call', { ...params, task });
    const raw = bytesOf(created);
    const taskId = raw && textOf(raw, createdId(raw, 'legacy'));
    if (taskId === undefined) return created;
    return untilOver({ dispatcher, tasks }, member, call, taskId, async () => {
      const reply = await tasks.lanes.wait(member, call.caller, (lane) =>
        dispatcher.send(call, member, 'tasks/result', { ...metaOf(params), taskId }, lane),
      );
      return 'raw' in reply && reply.raw ? { raw: untied(reply.raw) } : reply;
    });
  };
}

/** Calls a modern tool; when it needs a client with tasks, as such a client, until the task has ended. */
export function polling({ dispatcher, tasks }: Parts, member: Member): Sender {
  // Holds for the rounds of a call too: the server must not meet two clients in one.
  let withTasks = false;
  const send = (call: RelayCall, params: JsonObject): Promise<Reply> =>
    dispatcher.send(call, member, 'tools/call', params, undefined, withTasks ? asTaskClient(call) : undefined);
  return async (call, params) => {
    const reply = await send(call, { ...params }).catch((error: unknown) => {
      if (withTasks || !wantsTasks(error)) throw error;
      withTasks = true;
      return send(call, { ...params });
    });
    const raw = bytesOf(reply);
    const taskId = raw && textOf(raw, createdId(raw, 'modern'));
    if (!raw || taskId === undefined) return reply;
    const follower = new Follower({ dispatcher, tasks }, member, call, taskId);
    return untilOver({ dispatcher, tasks }, member, call, taskId, () => follower.outcome(raw));
  };
}

/** -32021 that names the tasks extension: the server refused before it ran anything. */
function wantsTasks(error: unknown): boolean {
  if (!(error instanceof UpstreamError) || error.rpcCode !== RPC.missingClientCapability) return false;
  const required = isObject(error.data) ? error.data.requiredCapabilities : undefined;
  return isObject(required) && isObject(required.extensions) && TASKS_EXTENSION in required.extensions;
}

function asTaskClient(call: RelayCall): CallAs {
  const { capabilities } = call.caller;
  const extensions = isObject(capabilities.extensions) ? capabilities.extensions : {};
  return new CallAs(call, {
    ...call.caller,
    capabilities: { ...capabilities, extensions: { ...extensions, [TASKS_EXTENSION]: {} } },
  });
}

const metaOf = ({ _meta }: JsonObject): JsonObject => (isObject(_meta) ? { _meta: { ..._meta } } : {});

/** Follows a task; one whose client gave up, or that can no longer be followed, is cancelled on its server. */
async function untilOver<T>(
  { dispatcher, tasks }: Parts,
  member: Member,
  call: RelayCall,
  taskId: string,
  follow: () => Promise<T>,
): Promise<T> {
  const cancel = (): void => {
    const quiet = quietCall(call.caller);
    const modern = member.upstream?.era === 'modern';
    dispatcher
      .send(
        quiet,
        member,
        'tasks/cancel',
        { taskId },
        tasks.lanes.polls(member),
        modern ? asTaskClient(quiet) : undefined,
      )
      .catch(() => {})
      .finally(() => quiet.settle());
  };
  const stop = call.onAbort(cancel);
  try {
    return await follow();
  } catch (error) {
    // The server's own error is the task's outcome: there is nothing to cancel.
    if (!(error instanceof UpstreamError) && !call.aborted) cancel();
    throw error;
  } finally {
    stop();
  }
}

/** One modern task, polled for a client that knows nothing of it. */
class Follower {
  readonly #parts: Parts;
  readonly #member: Member;
  readonly #call: RelayCall;
  readonly #taskId: string;
  /** Keys answered: the same question may be shown in several polls. */
  readonly #answered = new Set<string>();
  #said: unknown;
  #steps = 0;

  constructor(parts: Parts, member: Member, call: RelayCall, taskId: string) {
    this.#parts = parts;
    this.#member = member;
    this.#call = call;
    this.#taskId = taskId;
  }

  /** The result of the call, from the state it was created in to the end of the task. */
  async outcome(created: Buffer): Promise<Reply> {
    let raw = created;
    let left = this.#member.config.maxTimeoutMs;
    for (;;) {
      const { result: _, ...task } = JSON.parse(raw.toString('utf8')) as JsonObject;
      if (isTerminal(task.status)) {
        // The created task has no outcome yet, whatever its status.
        if (raw !== created) return this.#ended(raw, task);
      } else if (isObject(task.inputRequests)) {
        await this.#answer(task.inputRequests);
      } else {
        this.#tell(task.statusMessage);
      }
      const pause = raw === created && isTerminal(task.status) ? 0 : pollMs(task);
      left -= pause;
      if (left < 0) throw this.#late();
      await sleep(pause, this.#call);
      const startedAt = performance.now();
      raw = await this.#ask('tasks/get', {});
      left -= performance.now() - startedAt;
    }
  }

  #ended(raw: Buffer, task: JsonObject): Reply {
    const result = at(raw, whole(raw), 'result');
    if (task.status === 'completed' && result) return { raw: raw.subarray(result.start, result.end) };
    if (task.status === 'failed' && isObject(task.error)) throw new UpstreamError(rpcErrorOf(task.error));
    const { name } = this.#member;
    throw task.status === 'cancelled'
      ? new SwitchboardError('SWB_CANCELLED', `Server '${name}' cancelled the task of this call.`)
      : new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' ended the task of this call without a result.`);
  }

  /** Puts what is asked and not yet answered to the client. */
  async #answer(inputRequests: JsonObject): Promise<void> {
    const open = Object.entries(inputRequests).filter(([key]) => !this.#answered.has(key));
    if (open.length === 0) return;
    for (const [key] of open) this.#answered.add(key);
    const inputResponses = await askAll(this.#call, Object.fromEntries(open));
    await this.#ask('tasks/update', { inputResponses });
  }

  /** What the task says of itself is progress to a client that waits. */
  #tell(message: unknown): void {
    if (typeof message !== 'string' || message === this.#said) return;
    this.#said = message;
    this.#call.notify(notification('notifications/progress', { progress: ++this.#steps, message }));
  }

  async #ask(method: string, params: JsonObject): Promise<Buffer> {
    const { dispatcher, tasks } = this.#parts;
    const call = this.#call;
    const lane = tasks.lanes.polls(this.#member);
    const own = { ...params, taskId: this.#taskId };
    const raw = bytesOf(await dispatcher.send(call, this.#member, method, own, lane, asTaskClient(call)));
    if (raw) return raw;
    throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${this.#member.name}' did not say how its task is.`);
  }

  #late(): SwitchboardError {
    const { name, maxTimeoutMs } = this.#member.config;
    const seconds = Math.round(maxTimeoutMs / 1000);
    return new SwitchboardError(
      'SWB_CALL_TIMEOUT',
      `The task of this call on server '${name}' took over ${seconds} s.`,
      {
        data: { server: name },
      },
    );
  }
}

function pollMs({ pollIntervalMs }: JsonObject): number {
  const suggested = typeof pollIntervalMs === 'number' ? pollIntervalMs : POLL_MS.usual;
  return Math.min(POLL_MS.most, Math.max(POLL_MS.least, suggested));
}

function sleep(ms: number, call: RelayCall): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      resolve();
    }, ms);
    const stop = call.onAbort((reason) => {
      clearTimeout(timer);
      reject(reason);
    });
  });
}

const rpcErrorOf = ({ code, message, data }: JsonObject): RpcError => ({
  code: Number.isInteger(code) ? (code as number) : RPC.internal,
  message: typeof message === 'string' ? message : 'The server failed on this request and does not say why.',
  ...(data === undefined ? {} : { data }),
});
