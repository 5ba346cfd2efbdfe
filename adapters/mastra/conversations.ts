/**
 * Threads of Mastra's memory as conversations to look at: the caller's list of them, the history of one, its end and its copy.
 * @module
 */
import type { AgentThread, ListThreadsResult, ThreadHistory } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { LOCAL_PRINCIPAL } from '../../src/core/identity.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { WholeReply } from '../shared/origin.ts';
import type { MastraApi } from './api.ts';
import { textOfStored } from './content.ts';
import { errorText, expectObject, parseBody, refused } from './errors.ts';
import { ownedId, ownedResource, ownResource } from './options.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;

/** Whose the threads are: the caller's own resource, or one that it names. */
function ownerOf({ resourceId }: JsonObject, { caller: { principal } }: Call): string {
  if (resourceId === undefined) return ownResource(principal);
  if (typeof resourceId !== 'string' || resourceId === '') throw invalid('resourceId must be a text.');
  const own = ownResource(principal);
  if (resourceId.startsWith('switchboard:') && resourceId !== own)
    throw invalid("resourceId may not be another caller's.");
  return ownedResource(resourceId, principal);
}

/** The id as its principal knows it. */
function clientId(id: string, principal: string): string {
  const prefix = `${ownResource(principal)}:`;
  return principal !== LOCAL_PRINCIPAL && id.startsWith(prefix) ? id.slice(prefix.length) : id;
}

export async function listThreads(api: MastraApi, params: JsonObject, call: Call): Promise<ListThreadsResult> {
  const limit = limitOf(params.limit);
  const page = params.cursor === undefined ? 0 : Number(params.cursor);
  if (!Number.isSafeInteger(page) || page < 0) throw invalid('cursor must be the nextCursor of another page.');
  const query = new URLSearchParams({ resourceId: ownerOf(params, call), page: String(page), perPage: String(limit) });
  if (typeof params.agent === 'string') query.set('agentId', params.agent);
  const reply = await api.getFor(call, ['memory', 'threads'], `${query}&${NEWEST_FIRST}`);
  const { threads, hasMore } = expectMemory(api, reply);
  const found = Array.isArray(threads) ? threads.filter(isObject) : [];
  const result: ListThreadsResult = { threads: found.map((thread) => summary(thread, call.caller.principal)) };
  if (hasMore === true) result.nextCursor = String(page + 1);
  return result;
}

const NEWEST_FIRST = new URLSearchParams({ orderBy: JSON.stringify({ field: 'updatedAt', direction: 'DESC' }) });

function summary({ id, title, createdAt, updatedAt }: JsonObject, principal: string): AgentThread {
  const made: AgentThread = { threadId: clientId(String(id), principal) };
  if (typeof title === 'string' && title !== '') made.title = title.slice(0, 200);
  if (typeof createdAt === 'string') made.createdAt = createdAt.slice(0, 40);
  if (typeof updatedAt === 'string') made.updatedAt = updatedAt.slice(0, 40);
  return made;
}

export async function readThread(api: MastraApi, params: JsonObject, call: Call): Promise<ThreadHistory> {
  const { found, path, query } = await ownThread(api, params, call);
  const limit = limitOf(params.limit);
  // Newest first, as the last ones are wanted.
  const order = new URLSearchParams({ orderBy: JSON.stringify({ field: 'createdAt', direction: 'DESC' }) });
  const pages = `page=0&perPage=${limit}&${order}`;
  const reply = await api.getFor(call, [...path, 'messages'], query === '' ? pages : `${query}&${pages}`);
  const { messages, total } = expectMemory(api, reply);
  const kept = (Array.isArray(messages) ? messages.filter(isObject) : []).sort(byTime).slice(-limit);
  const history: ThreadHistory = {
    ...summary(found, call.caller.principal),
    messages: kept.flatMap(({ role, content, createdAt }) => {
      const text = textOfStored(content);
      const at = typeof createdAt === 'string' ? { at: createdAt.slice(0, 40) } : {};
      return text === '' ? [] : [{ role: String(role).slice(0, 20), text, ...at }];
    }),
  };
  if (typeof total === 'number' && total > limit) history.truncated = true;
  return history;
}

const byTime = (a: JsonObject, b: JsonObject): number => {
  const [first, second] = [String(a.createdAt), String(b.createdAt)];
  return first < second ? -1 : first > second ? 1 : 0;
};

export async function deleteThread(api: MastraApi, params: JsonObject, call: Call): Promise<void> {
  const { path, query } = await ownThread(api, params, call);
  const reply = await api.deleteFor(call, path, query);
  if (reply.status === 404) throw unknownThread(api.name, params.threadId);
  if (reply.status < 200 || reply.status > 299) throw refused(api.name, reply);
}

export async function forkThread(api: MastraApi, params: JsonObject, call: Call): Promise<{ threadId: string }> {
  const { principal } = call.caller;
  const { found, path, query } = await ownThread(api, params, call);
  const id = crypto.randomUUID();
  const body = { newThreadId: ownedId(id, principal), resourceId: String(found.resourceId) };
  const { thread } = expectMemory(api, await api.post(call, [...path, 'clone'], body, query));
  if (!isObject(thread) || typeof thread.id !== 'string') {
    throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${api.name}' does not answer like a Mastra server.`);
  }
  return { threadId: clientId(thread.id, principal) };
}

interface OwnThread {
  found: JsonObject;
  path: string[];
  query: string;
}

/** The thread that is meant, when it is there and the caller's. */
async function ownThread(api: MastraApi, params: JsonObject, call: Call): Promise<OwnThread> {
  const { threadId, agent } = params;
  const { principal } = call.caller;
  if (typeof threadId !== 'string' || threadId === '' || threadId.length > 512)
    throw invalid('threadId must name a thread.');
  const path = ['memory', 'threads', ownedId(threadId, principal)];
  const query = typeof agent === 'string' ? `agentId=${encodeURIComponent(agent)}` : '';
  const reply = await api.getFor(call, path, query);
  // A 403 is about the thread's resource: to this caller it does not exist.
  if (reply.status === 404 || reply.status === 403) throw unknownThread(api.name, threadId);
  const found = expectMemory(api, reply);
  if (found.resourceId !== ownerOf(params, call) && !isOwnResource(found.resourceId, principal)) {
    throw unknownThread(api.name, threadId);
  }
  return { found, path, query };
}

/** The local user's threads are all but those of grants. */
function isOwnResource(resource: unknown, principal: string): boolean {
  const own = ownResource(principal);
  if (typeof resource !== 'string') return false;
  if (principal === LOCAL_PRINCIPAL) return resource === own || !resource.startsWith('switchboard:');
  return resource === own || resource.startsWith(`${own}:`);
}

function expectMemory(api: MastraApi, reply: WholeReply): JsonObject {
  const body = reply.status === 200 ? parseBody(reply.body) : undefined;
  if (isObject(body)) return body;
  const text = errorText(reply);
  if (reply.status === 400 && text !== undefined) throw invalid(`Server '${api.name}' refused the request: ${text}`);
  return expectObject(api.name, reply);
}

const unknownThread = (server: string, threadId: unknown): SwitchboardError =>
  invalid(`Server '${server}' has no thread '${String(threadId).slice(0, 200)}'.`);

function limitOf(limit: unknown): number {
  if (limit === undefined) return DEFAULT_LIMIT;
  if (typeof limit === 'number' && Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw invalid(`limit must be a whole number from 1 to ${MAX_LIMIT}.`);
}

const invalid = (message: string): SwitchboardError => new SwitchboardError('SWB_INVALID_PARAMS', message);
