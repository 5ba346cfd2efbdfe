/**
 * What the vault needs of the state: keys and values, messages to other replicas, a secret. `src/state` has them.
 * @module
 */

/** See `KeyValue` in `src/state/state.ts`. */
export interface Storage {
  get(namespace: string, key: string): Promise<unknown>;
  set(namespace: string, key: string, value: string, expiresInMs?: number): Promise<void>;
  setIfAbsent(namespace: string, key: string, value: string, expiresInMs?: number): Promise<boolean>;
  take(namespace: string, key: string): Promise<unknown>;
  delete(namespace: string, key: string): Promise<boolean>;
  entries(namespace: string, prefix?: string): Promise<[key: string, value: unknown][]>;
}

/** See `Bus` there. */
export interface Messages {
  publish(topic: string, message: { server: string; principal: string; isLoggedIn: boolean }): void;
  subscribe(topic: string, listener: (message: unknown, from: string) => void): () => void;
}

export interface VaultState {
  readonly replica: string;
  readonly kv: Storage;
  readonly bus: Messages;
  /** 32 random bytes of this name, the same in every replica. */
  secret(name: string): Promise<Buffer>;
}
