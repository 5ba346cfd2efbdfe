/**
 * `tasks/list` (2025-11-25). A caller's list holds the tasks it created, and no others, whatever a server shows to the
 * gateway: several clients may share one session with it, or stand behind one credential.
 *
 * One server's view passes that server's pages on, without what is not the caller's. The merged view asks the servers
 * the caller has tasks on, each within a deadline, and leaves out those that do not answer.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Member } from '../../federation/types.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import type { SendOptions } from '../dispatch.ts';
import type { Method, RequestContext, Services } from '../request-context.ts';
import type { CallResult } from '../types.ts';
import { formOf, requireTasks } from './form.ts';
import { at, bytesOf, listAt, replace, respell, textOf, whole } from './ids.ts';
import { innerCall } from './lanes.ts';
import type { OwnTask } from './task-owners.ts';

const PAGE = 100;
/** Pages of one server's list that are read to find a caller's tasks. */
const MAX_PAGES = 50;
const SERVER_MS = 10_000;

export const listTasks: Method = (turn) => {
  requireTasks(turn);
  const { cursor } = turn.params;
  if (cursor !== undefined && typeof cursor !== 'string') {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.cursor must be a string.');
  }
  const { server } = turn.inbound.view;
  const member = server === undefined ? undefined : turn.services.federation.member(server);
  return member ? ownPage(turn, member) : mergedPage(turn, cursor);
};

/** A server's page, cut down to what is the caller's. Its cursors are the server's. */
function ownPage(turn: RequestContext, member: Member): Promise<CallResult> {
  const { dispatcher, tasks } = turn.services;
  return dispatcher.dispatch(turn, {
    member,
    method: 'tasks/list',
    subject: undefined,
    params: { ...turn.params },
    shape: 'complete',
    send: async (call, params) => {
      const reply = await dispatcher.send(call, member, 'tasks/list', params, tasks.lanes.polls(member));
      const raw = bytesOf(reply);
      const list = raw && at(raw, whole(raw), 'tasks');
      if (!raw || !list) return reply;
      const all = listAt(raw, 'tasks').map(({ start, end }) => raw.subarray(start, end));
      const own = all.filter((task) => isOwn(turn.services, member, task, call.caller));
      return own.length === all.length ? reply : { raw: replace(raw, [{ ...list, json: joined(own) }]) };
    },
  });
}

const idOf = (task: Buffer): string | undefined => textOf(task, at(task, whole(task), 'taskId'));

function isOwn({ tasks }: Services, member: Member, task: Buffer, caller: Caller): boolean {
  const id = idOf(task);
  return id !== undefined && tasks.ledger.owns(member, id, caller);
}

/** The cursor is the order of creation of the last task shown: it stays good whatever comes and goes. */
async function mergedPage(turn: RequestContext, cursor: string | undefined): Promise<CallResult> {
  const { inbound, services } = turn;
  const after = cursor === undefined ? 0 : Number(/^t(\d{1,15})$/.exec(cursor)?.[1] ?? Number.NaN);
  if (Number.isNaN(after)) {
    throw new SwitchboardError('SWB_STALE_CURSOR', 'The cursor is not one of this list. Start again without a cursor.');
  }
  const members = services.federation
    .members()
    .filter((each) => each.upstream && listsTasks(each.upstream) && inbound.view.reaches(each));
  const owned = services.tasks.ledger.ownedBy(inbound.caller, members).filter(({ order }) => order > after);
  const page = owned.slice(0, PAGE);
  const listed = await Promise.all(
    [...Map.groupBy(page, ({ member }) => member)].map(([member, wanted]) => readTasks(turn, member, wanted)),
  );
  const found = new Map(listed.flatMap((each) => [...each]));
  const shown = page.flatMap((task) => {
    const raw = found.get(task.order);
    if (!raw) return [];
    return [respell(raw, [at(raw, whole(raw), 'taskId')], (id) => inbound.view.exposeTask(task.member, id))];
  });
  const last = page.at(-1);
  const next = last && owned.length > page.length ? `,"nextCursor":"t${last.order}"` : '';
  return { raw: Buffer.concat([Buffer.from('{"tasks":'), joined(shown), Buffer.from(`${next}}`)]) };
}

const listsTasks = (upstream: { era: 'legacy' | 'modern'; capabilities: JsonObject }): boolean =>
  formOf(upstream) === 'legacy' && isObject(upstream.capabilities.tasks) && isObject(upstream.capabilities.tasks.list);

/** What one server says of these tasks, by their order. Empty where it does not answer in time. */
async function readTasks(
  turn: RequestContext,
  member: Member,
  wanted: readonly OwnTask[],
): Promise<Map<number, Buffer>> {
  const missing = new Map(wanted.map(({ taskId, order }) => [taskId, order]));
  const found = new Map<number, Buffer>();
  const { dispatcher, tasks } = turn.services;
  const polls = tasks.lanes.polls(member);
  const lane: SendOptions = { ...polls, clock: { name: member.name, timeoutMs: SERVER_MS, maxTimeoutMs: SERVER_MS } };
  const call = innerCall(turn.call);
  let cursor: string | undefined;
  try {
    for (let read = 0; read < MAX_PAGES && missing.size > 0; read++) {
      const params = cursor === undefined ? {} : { cursor };
      const raw = bytesOf(await dispatcher.send(call, member, 'tasks/list', params, lane));
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
    if (turn.call.aborted) throw error;
  } finally {
    call.settle();
  }
  return found;
}

function joined(tasks: readonly Buffer[]): Buffer {
  const parts = tasks.flatMap((task, i) => (i === 0 ? [task] : [COMMA, task]));
  return Buffer.concat([OPEN, ...parts, CLOSE]);
}

const OPEN = Buffer.from('[');
const CLOSE = Buffer.from(']');
const COMMA = Buffer.from(',');
