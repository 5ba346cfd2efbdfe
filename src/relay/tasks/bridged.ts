/**
 * A modern client's requests about a task of a legacy server: the extension's methods, made of those of 2025-11-25.
 * What the extension puts into the task, its outcome and what it waits for, the legacy form gives to `tasks/result`.
 * @module
 */
import { RPC, UpstreamError } from '../../core/errors.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { isTerminal } from '../../wire/tasks.ts';
import { exposeLinks } from '../bridge/uris.ts';
import type { RelayCall } from '../call.ts';
import { finish } from '../dispatch.ts';
import type { RequestContext } from '../request-context.ts';
import type { CallResult } from '../types.ts';
import type { Target } from './form.ts';
import { bytesOf } from './ids.ts';
import { endedTask, flatTask, type TaskOutcome } from './to-modern.ts';

export async function bridgedGet(turn: RequestContext, target: Target): Promise<CallResult> {
  const task = await read(turn, target);
  const { view } = turn.inbound;
  const named = { ...task, taskId: view.exposeTask(target.member, target.taskId) };
  if (task.status === 'completed' || task.status === 'failed') {
    return answer(turn, target, endedTask(named, exposedLinks(await outcome(turn, target), turn, target)));
  }
  if (isTerminal(task.status)) return answer(turn, target, flatTask(named));
  const inputRequests = await openQuestions(turn, target, task);
  const now = flatTask(named);
  // Not yet, or not for this client: a task that needs input must say which.
  if (!inputRequests) return answer(turn, target, { ...now, status: 'working' });
  return answer(turn, target, { ...now, status: 'input_required', inputRequests });
}

/** The server waits only for tasks it knows: its own error is the answer for others. */
export async function bridgedUpdate(turn: RequestContext, target: Target, responses: JsonObject): Promise<CallResult> {
  const { caller } = turn.inbound;
  const { questions } = turn.services.tasks;
  if (!questions.has(target.member, target.taskId, caller)) await read(turn, target);
  questions.answer(target.member, target.taskId, caller, responses);
  return answer(turn, target, {});
}

/** The extension acknowledges the cancellation of a task that has ended; 2025-11-25 refuses it. */
export async function bridgedCancel(turn: RequestContext, target: Target): Promise<CallResult> {
  try {
    await poll(turn, target, 'tasks/cancel');
  } catch (error) {
    const refused = error instanceof UpstreamError && error.rpcCode === RPC.invalidParams;
    if (!refused || !isTerminal((await read(turn, target)).status)) throw error;
  }
  return answer(turn, target, {});
}

async function poll(turn: RequestContext, { member, taskId }: Target, method: string): Promise<Buffer> {
  const { dispatcher, tasks } = turn.services;
  const meta = turn.params._meta === undefined ? {} : { _meta: turn.params._meta };
  const reply = await dispatcher.send(turn.call, member, method, { ...meta, taskId }, tasks.lanes.polls(member));
  return bytesOf(reply) ?? Buffer.from('{}');
}

const read = async (turn: RequestContext, target: Target): Promise<JsonObject> =>
  JSON.parse((await poll(turn, target, 'tasks/get')).toString('utf8')) as JsonObject;

/** Waits on the server until the task has ended: at once, when it has. */
function wait({ services: { dispatcher, tasks } }: RequestContext, { member, taskId }: Target, call: RelayCall) {
  return tasks.lanes.wait(member, call.caller, (lane) =>
    dispatcher.send(call, member, 'tasks/result', { taskId }, lane),
  );
}

async function outcome(turn: RequestContext, target: Target): Promise<TaskOutcome> {
  try {
    const result = bytesOf(await wait(turn, target, turn.call)) ?? Buffer.from('{}');
    const filter = turn.services.tasks.ledger.filterOf(target.member, target.taskId, turn.inbound.caller);
    return { result: filter ? await filter(result) : result };
  } catch (error) {
    return { error };
  }
}

function exposedLinks(ended: TaskOutcome, { inbound: { view } }: RequestContext, { member }: Target): TaskOutcome {
  if ('error' in ended || view.server !== undefined) return ended;
  return { result: exposeLinks(ended.result, (uri) => view.exposeUri(member, uri)) };
}

async function openQuestions(
  turn: RequestContext,
  target: Target,
  { status }: JsonObject,
): Promise<JsonObject | undefined> {
  const { caller } = turn.inbound;
  const { questions } = turn.services.tasks;
  if (status !== 'input_required' && !questions.has(target.member, target.taskId, caller)) return undefined;
  return questions.of(target.member, target.taskId, caller, (call) => wait(turn, target, call));
}

/** In the caller's era, like every result of this server. */
function answer({ call }: RequestContext, { member }: Target, task: Buffer | JsonObject): CallResult {
  const raw = Buffer.isBuffer(task) ? task : Buffer.from(JSON.stringify(task));
  return finish(call, { member, method: 'tasks/get', subject: undefined, params: {}, shape: 'complete' }, { raw });
}
