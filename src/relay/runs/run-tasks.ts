/**
 * Runs of agents as tasks, in the form of the client's era: the task a call becomes, and the requests about it.
 * @module
 */

import type { Ask } from '../../core/call.ts';
import { RPC, SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { RELATED_TASK, withRelatedTask } from '../../wire/tasks.ts';
import { toEra } from '../bridge/results.ts';
import { quoted, type RequestContext, requireString } from '../request-context.ts';
import type { CallResult, Channel } from '../types.ts';
import type { Run } from './run.ts';
import type { Runs } from './runs.ts';
import { isOver, type RunRecord } from './stored-runs.ts';

const POLL_MS = 1_000;
/** One `tasks/result` waits no longer; the client asks again and the run goes on. */
const RESULT_MS = 10 * 60_000;

const legacyTask = (record: RunRecord): JsonObject => ({
  taskId: record.id,
  status: record.status,
  ...(record.message === undefined ? {} : { statusMessage: record.message }),
  createdAt: new Date(record.createdAt).toISOString(),
  lastUpdatedAt: new Date(record.updatedAt).toISOString(),
  ttl: record.keepMs,
  pollInterval: POLL_MS,
});

function modernTask(record: RunRecord): JsonObject {
  const { ttl, pollInterval, status, ...task } = legacyTask(record);
  // A tool's own failure is a completed call to the extension: its result says so.
  return { ...task, status: status === 'failed' ? 'completed' : status, ttlMs: ttl, pollIntervalMs: pollInterval };
}

/** The result of a call that became a task. */
export function createdTask({ caller }: RequestContext, record: RunRecord): CallResult {
  if (caller.era === 'legacy') return { value: { task: legacyTask(record) } };
  return { value: { ...modernTask(record), resultType: 'task' } };
}

export class RunTasks {
  readonly #runs: Runs;

  constructor(runs: Runs) {
    this.#runs = runs;
  }

  /** Whether `params.taskId` is spelled like the id of a run. */
  concerns({ params }: RequestContext): boolean {
    return typeof params.taskId === 'string' && this.#runs.isRunId(params.taskId);
  }

  async get(context: RequestContext): Promise<CallResult> {
    const record = await this.#require(context);
    if (context.caller.era === 'legacy') return { value: legacyTask(record) };
    const task = modernTask(record);
    if (record.status === 'input_required') {
      const inputRequests = this.#runs.live(record.id, context.caller)?.inputRequests();
      return inModern(context, inputRequests ? { ...task, inputRequests } : { ...task, status: 'working' });
    }
    const hasResult = isOver(record.status) && record.status !== 'cancelled';
    return inModern(context, hasResult ? { ...task, result: record.result ?? {} } : task);
  }

  /** Modern only. */
  async update(context: RequestContext): Promise<CallResult> {
    const { inputResponses } = context.params;
    if (!isObject(inputResponses)) {
      throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.inputResponses must be an object.');
    }
    this.#runs.answer(await this.#require(context), inputResponses);
    return inModern(context, {});
  }

  async cancel(context: RequestContext): Promise<CallResult> {
    const record = await this.#require(context);
    if (isOver(record.status) && context.caller.era === 'legacy') {
      throw new UpstreamError({ code: RPC.invalidParams, message: `The task has ended already: ${record.status}.` });
    }
    await this.#runs.cancel(record);
    if (context.caller.era === 'modern') return inModern(context, {});
    return { value: legacyTask((await this.#runs.find(record.id, context.caller)) ?? record) };
  }

  /** Legacy only: waits for the end. What the run asks comes on this request's stream. */
  async result(context: RequestContext): Promise<CallResult> {
    const { call, caller, channel } = context;
    let record = await this.#require(context);
    const { id } = record;
    const stop = this.#runs.live(id, caller)?.follow({ channel: tiedTo(channel, id), asks: channel.ask !== undefined });
    try {
      const deadline = Date.now() + RESULT_MS;
      while (!isOver(record.status)) {
        if (call.reason) throw call.reason;
        if (Date.now() > deadline) {
          throw new SwitchboardError('SWB_CALL_TIMEOUT', 'The task has not ended yet. Ask for its result again.');
        }
        await Promise.race([this.#runs.changed(id, POLL_MS), aborted(context)]);
        record = await this.#require(context);
      }
    } finally {
      stop?.();
    }
    if (record.status === 'cancelled') throw new SwitchboardError('SWB_CANCELLED', 'The task was cancelled.');
    const result = record.result ?? {};
    const meta = isObject(result._meta) ? result._meta : {};
    return { value: { ...result, _meta: { ...meta, [RELATED_TASK]: { taskId: id } } } };
  }

  /** The caller's runs as `tasks/list` shows them. */
  async list({ caller }: RequestContext, server?: string): Promise<JsonObject[]> {
    const own = await this.#runs.ownedBy(caller);
    const shown = server === undefined ? own : own.filter(({ agent }) => agent?.server === server);
    return shown.slice(-MAX_LISTED).map(legacyTask);
  }

  async #require(context: RequestContext): Promise<RunRecord> {
    const id = requireString(context.params, 'taskId');
    const record = await this.#runs.find(id, context.caller);
    if (record) return record;
    throw new SwitchboardError('SWB_UNKNOWN_TASK', `Task not found: '${quoted(id)}'.`);
  }
}

const MAX_LISTED = 100;

const inModern = ({ caller }: RequestContext, value: JsonObject): CallResult =>
  toEra({ value }, { from: 'legacy', to: caller.era, shape: 'complete', serverInfo: undefined });

const aborted = ({ call }: RequestContext): Promise<void> =>
  new Promise((resolve) => void call.onAbort(() => resolve()));

/** Questions name the task they are about (2025-11-25 basic/utilities/tasks, "Associating Related Messages"). */
const tiedTo = (channel: Channel, taskId: string): Channel => ({
  notify: (sent) => channel.notify(sent),
  ...(channel.ask
    ? {
        ask: (ask: Ask) =>
          channel.ask?.({ ...ask, params: withRelatedTask(ask.params ?? {}, taskId) }) as Promise<JsonObject>,
      }
    : {}),
});

/** A call that may become a task: answered with its result when that comes soon, and with a task when it does not. */
export async function asTask(context: RequestContext, run: Run, taskAfterMs: number): Promise<'ended' | CallResult> {
  const { call, caller, channel } = context;
  const stopAborting = call.onAbort((reason) => {
    if (!run.isKept) run.call.abort(reason);
  });
  const stopFollowing = run.follow({ channel, asks: false });
  try {
    // A legacy client has asked for a task; a modern one gets one when the run takes its time, or asks something.
    if (caller.era === 'modern') await isLong(run, taskAfterMs);
    if (run.isOver) return 'ended';
    await run.keep();
    return createdTask(context, run.record);
  } finally {
    stopFollowing();
    stopAborting();
  }
}

function isLong(run: Run, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(done, ms);
    const stop = run.onChange(done);
    void run.ended.then(done);
    if (run.inputRequests()) done();
  });
}
