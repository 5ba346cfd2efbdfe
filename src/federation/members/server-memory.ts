/**
 * Gives each server's adapter a part of the state of its own, so that what is kept of one server is not read as another's,
 * nor as that of another address under the same name.
 * @module
 */
import type { ServerConfig } from '../../config/types.ts';
import type { ServerMemory } from '../../core/server-memory.ts';
import { MemoryKeyValue } from '../../state/memory/memory-state.ts';
import { type KeyValue, STATE_LIMITS } from '../../state/state.ts';
import { keyOf } from './era-memory.ts';

const NAMESPACE = 'servers';

export class ServerMemories {
  readonly #kv: KeyValue;

  /** Without a store it is kept until the process ends. */
  constructor(kv: KeyValue | undefined) {
    this.#kv = kv ?? new MemoryKeyValue(STATE_LIMITS);
  }

  of(config: ServerConfig): ServerMemory {
    const kv = this.#kv;
    const own = `${keyOf(config)}:`;
    return {
      get: (key) => kv.get(NAMESPACE, own + key),
      set: (key, value, expiresInMs) => kv.set(NAMESPACE, own + key, value, expiresInMs),
      setIfAbsent: (key, value, expiresInMs) => kv.setIfAbsent(NAMESPACE, own + key, value, expiresInMs),
      take: (key) => kv.take(NAMESPACE, own + key),
      async entries(prefix) {
        const found = await kv.entries(NAMESPACE, own + prefix);
        return found.map(([key, value]) => [key.slice(own.length), value]);
      },
    };
  }
}
