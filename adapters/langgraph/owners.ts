/**
 * Owners of threads. A LangGraph server has one client, the gateway, and lets it read every thread; so threads of grants
 * carry their owner in their metadata, and a grant may use no others.
 *
 * Calls of the local user are not checked: it may use every thread, as with a client of its own.
 * @module
 */

import { SwitchboardError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hash.ts';
import type { Identity } from '../../src/core/identity.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { WholeReply } from '../shared/origin.ts';
import { type LanggraphApi, parseJson } from './api.ts';
import { httpFailure } from './failure.ts';
import type { ThreadId } from './threads.ts';

/** Member of a thread's metadata. Never change it, nor what it holds: grants would lose their threads. */
const OWNER = 'switchboard_owner';

/** Most threads whose owner is cached, which saves a request per call. */
const MAX_KNOWN = 10_000;

/** Members of a run's options that a server may take for the thread to work on. */
const THREAD_BEARERS = ['config', 'context', 'checkpoint'] as const;

/** A hash: every client of the server can read it. */
const ownerOf = (principal: string): string => sha256(`switchboard:${principal}`, 'hex');

export class ThreadOwners {
  readonly #api: LanggraphApi;
  /** Oldest first. */
  readonly #known = new Set<string>();

  constructor(api: LanggraphApi) {
    this.#api = api;
  }

  /**
   * Resolves when the thread exists and belongs to the principal. With `make`, creates a thread that is new or has a name
   * instead of a uuid. Rejects with `SWB_INVALID_PARAMS`, in the same words for a thread that does not exist and for another
   * owner's.
   */
  async require(thread: ThreadId, identity: Identity, make: boolean, signal: AbortSignal): Promise<void> {
    const { principal } = identity;
    const key = keyOf(thread, principal);
    if (this.#known.has(key)) return;
    const owner = ownerOf(principal);
    const api = this.#api.as(identity);
    const reply =
      make && thread.origin !== 'uuid'
        ? await api.reply(
            'POST',
            '/threads',
            { thread_id: thread.server, metadata: { [OWNER]: owner }, if_exists: 'do_nothing' },
            signal,
          )
        : await api.reply('GET', `/threads/${thread.server}`, undefined, signal);
    if (!this.#isOwned(reply, owner)) throw unknownThread(this.#api.name, thread);
    this.#known.add(key);
    const [oldest] = this.#known;
    if (oldest !== undefined && this.#known.size > MAX_KNOWN) this.#known.delete(oldest);
  }

  /** The server no longer has it. */
  forget(thread: ThreadId, principal: string): void {
    this.#known.delete(keyOf(thread, principal));
  }

  #isOwned(reply: WholeReply, owner: string): boolean {
    // 409: it is there, and not by this request; 422: what the Python server says of ids it does not like.
    if (reply.status === 404 || reply.status === 409 || reply.status === 422) return false;
    if (reply.status !== 200) throw httpFailure(this.#api.name, reply);
    const thread = parseJson(reply.body, this.#api.name);
    return isObject(thread) && isObject(thread.metadata) && thread.metadata[OWNER] === owner;
  }
}

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
