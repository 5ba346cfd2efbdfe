/**
 * What an authorization server of the example keeps, in memory and until it expires.
 * @module
 */
import type { Adapter, AdapterConstructor, AdapterPayload } from 'oidc-provider';

/** Records of one server. */
export function recordsInMemory(): AdapterConstructor {
  const kept = new Map<string, AdapterPayload>();
  return class Records implements Adapter {
    readonly #model: string;

    constructor(model: string) {
      this.#model = model;
    }

    async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void> {
      const key = this.#key(id);
      kept.set(key, payload);
      if (expiresIn > 0) setTimeout(() => kept.delete(key), expiresIn * 1_000).unref();
    }

    async find(id: string): Promise<AdapterPayload | undefined> {
      return kept.get(this.#key(id));
    }

    async findByUid(uid: string): Promise<AdapterPayload | undefined> {
      return [...kept].find(([key, payload]) => key.startsWith(this.#key('')) && payload.uid === uid)?.[1];
    }

    async findByUserCode(): Promise<undefined> {}

    async consume(id: string): Promise<void> {
      const payload = kept.get(this.#key(id));
      if (payload) payload.consumed = Math.floor(Date.now() / 1_000);
    }

    async destroy(id: string): Promise<void> {
      kept.delete(this.#key(id));
    }

    async revokeByGrantId(grantId: string): Promise<void> {
      for (const [key, payload] of kept) if (payload.grantId === grantId) kept.delete(key);
    }

    #key(id: string): string {
      return `${this.#model} ${id}`;
    }
  };
}
