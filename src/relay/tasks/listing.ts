/**
 * `tasks/list` (2025-11-25). A caller's list holds only the tasks it created, whatever a server shows to the gateway:
 * several clients may share one session with it, or one credential.
 *
 * A server's own view passes that server's pages on, without what is not the caller's. The merged view reads the lists of
 * the servers the caller has tasks on, each within a deadline, and leaves out those that do not answer.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Upstream } from '../../core/upstream.ts';
import type { Federation, Member } from '../../federation/types.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import type { Dispatcher } from '../dispatch.ts';
import { type Method, optionalString, type RequestContext } from '../request-context.ts';
import type { CallResult } from '../types.ts';
import { formOf, requireTasks } from './forms.ts';
import { at, bytesOf, listAt, replace, respell, textOf, whole } from './ids.ts';
import { legacyTasks } from './legacy-form.ts';
import type { OwnTask } from './task-owners.ts';
import { quietCall } from './task-requests.ts';
import type { Tasks } from './tasks.ts';

const PAGE = 100;
/** Pages of one server's list that are read to find a caller's tasks. */
const MAX_PAGES = 50;
const SERVER_MS = 10_000;

export const listTasks =
  (federation: Federation, dispatcher: Dispatcher, tasks: Tasks): Method =>
  (context) => {
    requireTasks(context, federation);
    const cursor = optionalString(context.params, 'cursor');
    const { server } = context.view;
    const member = server === undefined ? undefined : federation.member(server);
    if (member) return ownPage(context, member, dispatcher, tasks);
    const members = federation
      .members()
      .filter((each) => each.upstream && listsTasks(each.upstream) && context.view.reaches(each));
    return mergedPage(context, cursor, members, tasks);
  };

/** A server's page without what is not the caller's. Its cursors are the server's. */
function ownPage(context: RequestContext, member: Member, dispatcher: Dispatcher, tasks: Tasks): Promise<CallResult> {
  return dispatcher.dispatch(context, {
    member,
    method: 'tasks/list',
    subject: undefined,
    params: { ...context.params },
    shape: 'complete',
    send: async (call, params) => {
      const reply = await tasks.requests.poll(call, { member, method: 'tasks/list', params });
      const raw = bytesOf(reply);
      const list = raw && at(raw, whole(raw), 'tasks');
      if (!raw || !list) return reply;
      const all = listAt(raw, 'tasks').map(({ start, end }) => raw.subarray(start, end));
      const own = all.filter((task) => isOwn(tasks, member, task, call.caller));
      return own.length === all.length ? reply : { raw: replace(raw, [{ ...list, json: joined(own) }]) };
    },
  });
}

const idOf = (task: Buffer): string | undefined => textOf(task, at(task, whole(task), 'taskId'));

function isOwn({ owners }: Tasks, member: Member, task: Buffer, caller: Caller): boolean {
  const id = idOf(task);
  return id !== undefined && owners.owns(member, id, caller);
}

/** The cursor is the order of creation of the last task shown: it stays valid when tasks come and go. */
async function mergedPage(
  context: RequestContext,
  cursor: string | undefined,
  members: readonly Member[],
  tasks: Tasks,
): Promise<CallResult> {
  const { caller, view } = context;
  const after = cursor === undefined ? 0 : Number(/^t(\d{1,15})$/.exec(cursor)?.[1] ?? Number.NaN);
  if (Number.isNaN(after)) {
    throw new SwitchboardError('SWB_STALE_CURSOR', 'The cursor is not one of this list. Start again without a cursor.');
  }
  const owned = tasks.owners.ownedBy(caller, members).filter(({ order }) => order > after);
  const page = owned.slice(0, PAGE);
  const listed = await Promise.all(
    [...Map.groupBy(page, ({ member }) => member)].map(([member, wanted]) => readTasks(context, member, wanted, tasks)),
  );
  const found = new Map(listed.flatMap((each) => [...each]));
  const shown = page.flatMap((task) => {
    const raw = found.get(task.order);
    if (!raw) return [];
    return [respell(raw, [at(raw, whole(raw), 'taskId')], (id) => view.exposeTask(task.member, id))];
  });
  const last = page.at(-1);
  const next = last && owned.length > page.length ? `,"nextCursor":"t${last.order}"` : '';
  return { raw: Buffer.concat([Buffer.from('{"tasks":'), joined(shown), Buffer.from(`${next}}`)]) };
}

function listsTasks(upstream: Upstream): boolean {
  const { tasks } = upstream.capabilities;
  return formOf(upstream) === legacyTasks && isObject(tasks) && isObject(tasks.list);
}

/** These tasks as one server lists them, by their order. Empty where it does not answer in time. */
async function readTasks(
  { call: outer }: RequestContext,
  member: Member,
  wanted: readonly OwnTask[],
  { requests }: Tasks,
): Promise<Map<number, Buffer>> {
  const missing = new Map(wanted.map(({ taskId, order }) => [taskId, order]));
  const found = new Map<number, Buffer>();
  const call = quietCall(outer.caller);
  outer.onAbort((reason) => call.abort(reason));
  let cursor: string | undefined;
  try {
    for (let read = 0; read < MAX_PAGES && missing.size > 0; read++) {
      const params = cursor === undefined ? {} : { cursor };
      const raw = bytesOf(await requests.poll(call, { member, method: 'tasks/list', params, timeoutMs: SERVER_MS }));
      if (!raw) break;
      for (const { start, end } of listAt(raw, 'tasks')) {
        const task = raw.subarray(start, end);
        const id = idOf(task);
        const order = id === undefined ? undefined : missing.get(id);
        if (id === undefined || order === undefined) continue;
        missing.delete(id);
        found.set(order, task);
      }
      cursor = textOf(raw, at(raw, whole(raw), 'nextCursor'));
      if (cursor === undefined) break;
    }
  } catch (error) {
    // One server must not empty the list of the others; the client's own end is another matter.
    if (outer.aborted) throw error;
  } finally {
    call.settle();
  }
  return found;
}

const joined = (tasks: readonly Buffer[]): Buffer =>
  Buffer.concat([OPEN, ...tasks.flatMap((task, i) => (i === 0 ? [task] : [COMMA, task])), CLOSE]);

const OPEN = Buffer.from('[');
const CLOSE = Buffer.from(']');
const COMMA = Buffer.from(',');
