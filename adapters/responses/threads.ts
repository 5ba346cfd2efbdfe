/**
 * Threads of a server that knows responses only: a thread's id is that of its first response, and the gateway remembers the
 * latest one, whom the thread belongs to, and which agent it is with.
 * @module
 */
import { SwitchboardError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hash.ts';
import { LOCAL_PRINCIPAL } from '../../src/core/identity.ts';
import type { ServerMemory } from '../../src/core/server-memory.ts';
import { isObject } from '../../src/wire/jsonrpc.ts';

/** As long as OpenAI keeps responses. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

export class Threads {
  readonly #memory: ServerMemory;
  readonly #server: string;

  constructor(memory: ServerMemory, server: string) {
    this.#memory = memory;
    this.#server = server;
  }

  /**
   * The response a thread goes on from. The local user may name any response of the server; another principal's thread is
   * unknown: `SWB_INVALID_PARAMS`.
   */
  async latest(thread: string, principal: string): Promise<string> {
    const kept = await this.#memory.get(keyOf(thread));
    if (isObject(kept) && kept.owner === sha256(principal) && typeof kept.latest === 'string') return kept.latest;
    if (kept === undefined && principal === LOCAL_PRINCIPAL) return thread;
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `Server '${this.#server}' has no thread '${thread.slice(0, 100)}'.`,
    );
  }

  /** The thread has gone on to this response. */
  async advance(thread: string, latest: string, principal: string): Promise<void> {
    await this.#memory.set(keyOf(thread), { latest, owner: sha256(principal) }, KEPT_MS);
  }
}

const keyOf = (thread: string): string => `responses-thread:${sha256(thread)}`;
