/**
 * Owners of threads. A LangGraph server has one client, the gateway, and lets it read every thread; so threads of grants
 * carry their owner in their metadata, and a grant may use no others.
 *
 * Calls of the local user are not checked: it may use every thread, as with a client of its own. Only threads with a name
 * are made before their first run, so that lists have it.
 * @module
 */

import { SwitchboardError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hash.ts';
import { type Identity, LOCAL_PRINCIPAL } from '../../src/core/identity.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { WholeReply } from '../shared/origin.ts';
import { type LanggraphApi, parseJson } from './api.ts';
import { httpFailure } from './failure.ts';
import { type ThreadId, threadFor } from './threads.ts';

/** Member of a thread's metadata. Never change it, nor what it holds: grants would lose their threads. */
const OWNER = 'switchboard_owner';

/** Member of a thread's metadata: the name that its client gave it. */
const NAME = 'switchboard_thread';

/** Most threads whose owner is cached, which saves a request per call. */
const MAX_KNOWN = 10_000;

/** Members of a run's options that a server may take for the thread to work on. */
const THREAD_BEARERS = ['config', 'context', 'checkpoint'] as const;

/** A hash: every client of the server can read it. */
const ownerOf = (principal: string): string => sha256(`switchboard:${principal}`, 'hex');

/** Metadata that all threads of a principal have; none for the local user, whose all are. */
export const ownedBy = (principal: string): JsonObject =>
  principal === LOCAL_PRINCIPAL ? {} : { [OWNER]: ownerOf(principal) };

/** The id under which the principal knows a thread: its own name for it, where it gave one. */
export function clientIdOf(thread: JsonObject, principal: string): string {
  const id = String(thread.thread_id);
  const name = isObject(thread.metadata) ? thread.metadata[NAME] : undefined;
  // A copy of a thread has its metadata too, and another id.
  return typeof name === 'string' && name !== '' && threadFor(name, principal).server === id ? name : id;
}

export class ThreadOwners {
  readonly #api: LanggraphApi;
  /** Oldest first. */
  readonly #known = new Set<string>();

  constructor(api: LanggraphApi) {
    this.#api = api;
  }

  /**
   * Resolves when the thread exists and belongs to the principal; all belong to the local user. With `make`, creates a thread that is new or has a name
   * instead of a uuid. Rejects with `SWB_INVALID_PARAMS`, in the same words for a thread that does not exist and for another
   * owner's.
   */
  async require(thread: ThreadId, identity: Identity, make: boolean, signal: AbortSignal): Promise<void> {
    const { principal } = identity;
    const key = keyOf(thread, principal);
    if (this.#known.has(key)) return;
    const api = this.#api.as(identity);
    const reply =
      make && thread.origin !== 'uuid'
        ? await api.reply('POST', '/threads', newThread(thread, principal), signal)
        : await api.reply('GET', `/threads/${thread.server}`, undefined, signal);
    if (!this.#isOwned(reply, principal)) throw unknownThread(this.#api.name, thread);
    this.#know(key);
  }

  /** Makes a thread with a name before its first run, so that lists have the name; a run makes it as well. */
  async keepName(thread: ThreadId, identity: Identity, signal: AbortSignal): Promise<void> {
    const key = keyOf(thread, identity.principal);
    if (this.#known.has(key)) return;
    await this.#api.as(identity).reply('POST', '/threads', newThread(thread, identity.principal), signal);
    this.#know(key);
  }

  #know(key: string): void {
    this.#known.add(key);
    const [oldest] = this.#known;
    if (oldest !== undefined && this.#known.size > MAX_KNOWN) this.#known.delete(oldest);
  }

  /** The server no longer has it. */
  forget(thread: ThreadId, principal: string): void {
    this.#known.delete(keyOf(thread, principal));
  }

  #isOwned(reply: WholeReply, principal: string): boolean {
    // 409: it is there, and not by this request; 422: what the Python server says of ids it does not like.
    if (reply.status === 404 || reply.status === 409 || reply.status === 422) return false;
    if (reply.status !== 200) throw httpFailure(this.#api.name, reply);
    const thread = parseJson(reply.body, this.#api.name);
    return isObject(thread) && isOwnThread(thread, principal);
  }
}

/** Whether a thread of the server is this principal's. */
export const isOwnThread = ({ metadata }: JsonObject, principal: string): boolean =>
  principal === LOCAL_PRINCIPAL || (isObject(metadata) && metadata[OWNER] === ownerOf(principal));

const newThread = (thread: ThreadId, principal: string): JsonObject => ({
  thread_id: thread.server,
  metadata: { ...ownedBy(principal), ...(thread.origin === 'name' ? { [NAME]: thread.client } : {}) },
  if_exists: 'do_nothing',
});

const keyOf = (thread: ThreadId, principal: string): string => `${principal}\n${thread.server}`;

export const unknownThread = (server: string, { client }: ThreadId): SwitchboardError =>
  new SwitchboardError(
    'SWB_INVALID_PARAMS',
    `Server '${server}' has no thread '${client}'. Leave threadId out to begin a conversation, or give it a name of ` +
      'your own that is no uuid.',
  );

/**
 * Refuses run options that name another thread than the call's: servers lay them over the thread of the path (measured:
 * the JavaScript ones then put the path's back; nothing promises that).
 */
export function refuseOtherThreads(options: JsonObject, thread: ThreadId): void {
  for (const name of THREAD_BEARERS) {
    const option = options[name];
    if (!isObject(option)) continue;
    for (const bearer of [option, option.configurable]) {
      if (!isObject(bearer) || bearer.thread_id === undefined || bearer.thread_id === thread.server) continue;
      throw new SwitchboardError('SWB_INVALID_PARAMS', `options.${name} names another thread than threadId does.`);
    }
  }
}
