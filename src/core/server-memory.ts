/**
 * What an adapter remembers of one server, beyond its connection.
 * @module
 */

/** JSON values, as `src/state` keeps them. */
export type MemoryValue = null | boolean | number | string | MemoryValue[] | { [key: string]: MemoryValue };

/**
 * Keys and values of one server: its name in the configuration and its address. They outlive connections, and, where the
 * gateway has a state folder, its restarts. Methods reject with `SWB_STATE` when the state cannot be read or written.
 */
export interface ServerMemory {
  get(key: string): Promise<MemoryValue | undefined>;
  /** Durable when it resolves. The entry is gone after `expiresInMs`. */
  set(key: string, value: MemoryValue, expiresInMs: number): Promise<void>;
  /** As {@link set}, unless the key has a value. True to exactly one caller. */
  setIfAbsent(key: string, value: MemoryValue, expiresInMs: number): Promise<boolean>;
  /** Removes the entry and returns its value, to exactly one caller. */
  take(key: string): Promise<MemoryValue | undefined>;
  /** The entries whose key begins with `prefix`, in the order they were first set. */
  entries(prefix: string): Promise<[key: string, value: MemoryValue][]>;
}

/** Remembers nothing: for a connection that serves no calls. */
export const NO_MEMORY: ServerMemory = {
  get: async () => undefined,
  set: async () => {},
  setIfAbsent: async () => true,
  take: async () => undefined,
  entries: async () => [],
};
