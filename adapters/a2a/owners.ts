/**
 * Whose conversations and tasks they are. An A2A agent sees the gateway's credentials alone, so it cannot tell callers
 * apart: the gateway remembers the principal of each context and task, and refuses another principal's as unknown.
 * @module
 */
import { SwitchboardError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hash.ts';
import { LOCAL_PRINCIPAL } from '../../src/core/identity.ts';
import type { ServerMemory } from '../../src/core/server-memory.ts';

const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

export class ContextOwners {
  readonly #memory: ServerMemory;
  readonly #server: string;

  constructor(memory: ServerMemory, server: string) {
    this.#memory = memory;
    this.#server = server;
  }

  /**
   * Rejects with `SWB_INVALID_PARAMS` unless the id is the principal's. The local user may use all: it is one person, who
   * may have made them elsewhere.
   */
  async require(kind: 'context' | 'task', id: string, principal: string): Promise<void> {
    if (principal === LOCAL_PRINCIPAL) return;
    if ((await this.#memory.get(keyOf(kind, id))) === sha256(principal)) return;
    const what = kind === 'context' ? 'thread' : 'task';
    throw new SwitchboardError('SWB_INVALID_PARAMS', `Server '${this.#server}' has no ${what} '${id.slice(0, 100)}'.`);
  }

  /** Notes that the agent gave this id to a call of the principal. */
  async note(kind: 'context' | 'task', id: string | undefined, principal: string): Promise<void> {
    if (id === undefined || id === '' || principal === LOCAL_PRINCIPAL) return;
    await this.#memory.setIfAbsent(keyOf(kind, id), sha256(principal), KEPT_MS);
  }
}

const keyOf = (kind: string, id: string): string => `a2a-${kind}:${sha256(id)}`;
