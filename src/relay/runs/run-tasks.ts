/**
 * Runs of agents as tasks, in the form of the client's era: the task a call becomes, and the requests about it.
 * @module
 */

import { insufficientScope } from '../../auth/tokens/insufficient-scope.ts';
import type { Ask } from '../../core/call.ts';
import { RPC, SwitchboardError, UpstreamError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import { isObject, type JsonObject, type Notification, notification } from '../../wire/jsonrpc.ts';
import { RELATED_TASK, TASK_STATUS, withRelatedTask } from '../../wire/tasks.ts';
import { ownResult } from '../bridge/results.ts';
import { quoted, type RequestContext, requireString } from '../request-context.ts';
import type { CallResult, Channel, ClientSession } from '../types.ts';
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
    return ownResult(this.#detailed(record), context.caller.era);
  }

  /** The task with what it asks or its result. */
  #detailed(record: RunRecord): JsonObject {
    const task = modernTask(record);
    if (record.status === 'input_required') {
      const inputRequests = this.#runs.asksOf(record);
      return inputRequests ? { ...task, inputRequests } : { ...task, status: 'working' };
    }
    const hasResult = isOver(record.status) && record.status !== 'cancelled';
    return hasResult ? { ...task, result: record.result ?? {} } : task;
  }

  /**
   * Reports how these tasks stand, now and whenever that changes, until they end or `close` is called (ext-tasks, "Task Status
   * Notifications"). `honoured`: those that are the caller's.
   */
  async listen(context: RequestContext, taskIds: readonly string[], send: (sent: Notification) => void) {
    const own: string[] = [];
    for (const id of taskIds) {
      const record = await this.#runs.find(id, context.caller);
      if (record && missingFor(context.caller.identity, record).length === 0) own.push(id);
    }
    let isOpen = true;
    const follow = async (id: string): Promise<void> => {
      let last = '';
      while (isOpen) {
        const record = await this.#runs.find(id, context.caller);
        if (!record || !isOpen) return;
        const task = this.#detailed(record);
        const now = JSON.stringify([task.status, Object.keys(isObject(task.inputRequests) ? task.inputRequests : {})]);
        if (now !== last) send(notification(TASK_STATUS.modern, task));
        if (isOver(record.status)) return;
        last = now;
        await this.#runs.changed(id, POLL_MS);
      }
    };
    return {
      honoured: own,
      // The state may fail for a moment; the client still has tasks/get.
      start: (): void => own.forEach((id) => void follow(id).catch(() => {})),
      close: (): void => {
        isOpen = false;
      },
    };
  }

  /** Modern only. */
  async update(context: RequestContext): Promise<CallResult> {
    const { inputResponses } = context.params;
    if (!isObject(inputResponses)) {
      throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.inputResponses must be an object.');
    }
    this.#runs.answer(await this.#require(context), inputResponses);
    return ownResult({}, context.caller.era);
  }

  async cancel(context: RequestContext): Promise<CallResult> {
    const record = await this.#require(context);
    if (isOver(record.status) && context.caller.era === 'legacy') {
      throw new UpstreamError({ code: RPC.invalidParams, message: `The task has ended already: ${record.status}.` });
    }
    await this.#runs.cancel(record);
    if (context.caller.era === 'modern') return ownResult({}, context.caller.era);
    return { value: legacyTask((await this.#runs.find(record.id, context.caller)) ?? record) };
  }

  /** Legacy only: waits for the end. What the run asks comes on this request's stream. */
  async result(context: RequestContext): Promise<CallResult> {
    const { call, caller, channel } = context;
    let record = await this.#require(context);
    const { id } = record;
    const stop = this.#runs.live(id, caller)?.follow({ channel: tiedTo(channel, id), asks: channel.ask !== undefined });
    const aborted = new AbortController();
    const stopListening = call.onAbort(() => aborted.abort());
    try {
      const deadline = Date.now() + RESULT_MS;
      while (!isOver(record.status)) {
        if (call.reason) throw call.reason;
        if (Date.now() > deadline) {
          throw new SwitchboardError('SWB_CALL_TIMEOUT', 'The task has not ended yet. Ask for its result again.');
        }
        await this.#runs.changed(id, POLL_MS, aborted.signal);
        record = await this.#require(context);
      }
    } finally {
      stop?.();
      stopListening();
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
    if (record) {
      requireScopesOf(context.caller.identity, record);
      return record;
    }
    throw new SwitchboardError('SWB_UNKNOWN_TASK', `Task not found: '${quoted(id)}'.`);
  }
}

/** The scopes an access token lacks for what a run is about. Where no scope allows it, there is none to ask for. */
function missingFor({ scopes }: Identity, { subject }: RunRecord): readonly string[] {
  return (subject && scopes?.missing(subject)) ?? [];
}

function requireScopesOf(identity: Identity, record: RunRecord): void {
  const missing = missingFor(identity, record);
  if (missing.length > 0) throw insufficientScope(missing);
}

const MAX_LISTED = 100;

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
    if (context.session) reportTo(context.session, run);
    return createdTask(context, run.record);
  } finally {
    stopFollowing();
    stopAborting();
  }
}

/** The session that asked for the task hears when its status changes (2025-11-25 basic/utilities/tasks, "Task Status Notification"). */
function reportTo(session: ClientSession, run: Run): void {
  let { status } = run.record;
  const stop = run.onChange(() => {
    if (run.record.status === status) return;
    ({ status } = run.record);
    session.notify(notification(TASK_STATUS.legacy, legacyTask(run.record)));
  });
  void run.ended.then(stop);
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
