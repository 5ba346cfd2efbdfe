/**
 * Threads as conversations to look at: the caller's list of them, the history of one, its end and its copy.
 * @module
 */
import type { AgentThread, ListThreadsResult, ThreadHistory } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { shorten } from '../../src/core/text.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { shortened } from '../shared/content.ts';
import type { LanggraphApi } from './api.ts';
import { httpFailure, notLanggraph } from './failure.ts';
import { readInterrupt } from './interrupts.ts';
import { clientIdOf, isOwnThread, ownedBy, unknownThread } from './owners.ts';
import { readConversation, withoutConversations } from './result.ts';
import { NEW_THREAD, type ThreadId, threadFor } from './threads.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;
const MAX_TITLE = 80;

export async function listThreads(
  api: LanggraphApi,
  params: JsonObject,
  assistant: string | undefined,
  call: Call,
): Promise<ListThreadsResult> {
  const { principal } = call.caller;
  const limit = limitOf(params.limit);
  const offset = params.cursor === undefined ? 0 : Number(params.cursor);
  if (!Number.isSafeInteger(offset) || offset < 0) throw invalid('cursor must be the nextCursor of another page.');
  const about: JsonObject = ownedBy(principal);
  if (assistant !== undefined) about.assistant_id = assistant;
  if (typeof params.resourceId === 'string') about.resource_id = params.resourceId;
  const query = { metadata: about, limit, offset, sort_by: 'updated_at', sort_order: 'desc' };
  const found = await api.json('POST', '/threads/search', query, call.signal);
  if (!Array.isArray(found)) throw notLanggraph(api.name);
  // Asked again of each: what a server makes of a filter is its own affair.
  const threads = found
    .filter((thread): thread is JsonObject => isObject(thread) && isOwnThread(thread, principal))
    .map((thread) => summary(thread, principal));
  const result: ListThreadsResult = { threads };
  if (found.length >= limit) result.nextCursor = String(offset + found.length);
  return result;
}

function summary(thread: JsonObject, principal: string): AgentThread {
  const { status, created_at, updated_at, values, metadata } = thread;
  const made: AgentThread = { threadId: clientIdOf(thread, principal) };
  const messages = isObject(values) ? readConversation(values.messages) : [];
  const first = messages.find(({ role, text }) => role === 'user' && text !== '');
  if (first) made.title = shorten(first.text.replace(/\s+/g, ' ').trim(), MAX_TITLE);
  if (isObject(metadata) && typeof metadata.graph_id === 'string') made.agent = metadata.graph_id.slice(0, 200);
  if (typeof status === 'string') made.status = status.slice(0, 40);
  if (typeof created_at === 'string') made.createdAt = created_at.slice(0, 40);
  if (typeof updated_at === 'string') made.updatedAt = updated_at.slice(0, 40);
  return made;
}

export async function readThread(api: LanggraphApi, params: JsonObject, call: Call): Promise<ThreadHistory> {
  const { thread, found } = await ownThread(api, params, call);
  const limit = limitOf(params.limit);
  const state = await api.json('GET', `/threads/${thread.server}/state`, undefined, call.signal);
  const values = isObject(state) ? state.values : undefined;
  const messages = readConversation(isObject(values) ? values.messages : undefined);
  const history: ThreadHistory = { ...summary(found, call.caller.principal), messages: messages.slice(-limit) };
  history.threadId = thread.client;
  if (messages.length > limit) history.truncated = true;
  const rest = isObject(values) ? withoutConversations(values) : values;
  if (isObject(rest) ? Object.keys(rest).length > 0 : rest !== undefined && rest !== null) {
    history.values = shortened(rest, 65_536);
  }
  const waiting = isObject(state) && Array.isArray(state.tasks) ? state.tasks.flatMap(interruptsOf) : [];
  if (waiting.length > 0) history.interrupts = waiting;
  return history;
}

const interruptsOf = (task: unknown): unknown[] =>
  isObject(task) && Array.isArray(task.interrupts)
    ? task.interrupts.map((interrupt) => {
        const { id, value } = readInterrupt(interrupt);
        return { ...(id === undefined ? {} : { id }), value: shortened(value, 16_384) };
      })
    : [];

export async function deleteThread(api: LanggraphApi, params: JsonObject, call: Call): Promise<ThreadId> {
  const { thread } = await ownThread(api, params, call);
  const reply = await api.reply('DELETE', `/threads/${thread.server}`, undefined, call.signal);
  if (reply.status === 404) throw unknownThread(api.name, thread);
  if (reply.status < 200 || reply.status > 299) throw httpFailure(api.name, reply);
  return thread;
}

/** The copy has the owner of the original, with the rest of its metadata. */
export async function forkThread(api: LanggraphApi, params: JsonObject, call: Call): Promise<{ threadId: string }> {
  const { thread } = await ownThread(api, params, call);
  const copy = await api.json('POST', `/threads/${thread.server}/copy`, undefined, call.signal);
  if (isObject(copy) && typeof copy.thread_id === 'string') return { threadId: copy.thread_id };
  throw notLanggraph(api.name);
}

/** The thread that is meant, when it is there and the caller's. */
async function ownThread(
  api: LanggraphApi,
  { threadId }: JsonObject,
  call: Call,
): Promise<{ thread: ThreadId; found: JsonObject }> {
  if (threadId === undefined || threadId === NEW_THREAD) throw invalid('threadId must name a thread.');
  const thread = threadFor(threadId, call.caller.principal);
  const reply = await api.reply('GET', `/threads/${thread.server}`, undefined, call.signal);
  if (reply.status === 404 || reply.status === 422) throw unknownThread(api.name, thread);
  if (reply.status !== 200) throw httpFailure(api.name, reply);
  const found: unknown = JSON.parse(reply.body.toString('utf8'));
  if (!isObject(found) || !isOwnThread(found, call.caller.principal)) throw unknownThread(api.name, thread);
  return { thread, found };
}

function limitOf(limit: unknown): number {
  if (limit === undefined) return DEFAULT_LIMIT;
  if (typeof limit === 'number' && Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw invalid(`limit must be a whole number from 1 to ${MAX_LIMIT}.`);
}

const invalid = (message: string): SwitchboardError => new SwitchboardError('SWB_INVALID_PARAMS', message);
