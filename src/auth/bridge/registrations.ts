/**
 * Clients that registered themselves. Registering needs no credential, so what that costs is bounded: the size of a registration, how many
 * there are, and how long an unused one is kept.
 * @module
 */
import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { BridgeStore, Json } from './store.ts';

export const REGISTRATION_LIMITS = {
  maxBytes: 8 * 1024,
  /** Most registrations that no login has used: the oldest makes room for the next. */
  maxUnused: 500,
  unusedMs: 24 * 3_600_000,
  maxUsed: 1_000,
  /** From the last login or refresh on. */
  usedMs: 90 * 24 * 3_600_000,
} as const;

const UNUSED = 'oauth-clients-new';
const USED = 'oauth-clients';

export class Registrations implements Adapter {
  readonly #store: BridgeStore;
  readonly #limits: typeof REGISTRATION_LIMITS;

  constructor(store: BridgeStore, limits = REGISTRATION_LIMITS) {
    this.#store = store;
    this.#limits = limits;
  }

  async upsert(id: string, payload: AdapterPayload): Promise<void> {
    const text = JSON.stringify(payload);
    if (Buffer.byteLength(text) > this.#limits.maxBytes) {
      throw new errors.InvalidClientMetadata(`a registration has at most ${this.#limits.maxBytes} bytes`);
    }
    await this.#makeRoom(UNUSED, this.#limits.maxUnused);
    await this.#store.set(UNUSED, id, JSON.parse(text) as Json, this.#limits.unusedMs);
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const found = (await this.#store.get(USED, id)) ?? (await this.#store.get(UNUSED, id));
    return found as AdapterPayload | undefined;
  }

  /** A person logged in with this client, or its tokens were refreshed: it stays. */
  async used(id: string): Promise<void> {
    const known = await this.#store.get(USED, id);
    if (known !== undefined) {
      await this.#store.set(USED, id, known, this.#limits.usedMs);
      return;
    }
    const fresh = await this.#store.take(UNUSED, id);
    if (fresh === undefined) return;
    await this.#makeRoom(USED, this.#limits.maxUsed);
    await this.#store.set(USED, id, fresh, this.#limits.usedMs);
  }

  async destroy(id: string): Promise<void> {
    await Promise.all([this.#store.delete(USED, id), this.#store.delete(UNUSED, id)]);
  }

  /** Entries come in the order in which they were first set. */
  async #makeRoom(namespace: string, max: number): Promise<void> {
    const entries = await this.#store.entries(namespace);
    for (const [id] of entries.slice(0, Math.max(0, entries.length - max + 1))) await this.#store.delete(namespace, id);
  }

  async consume(): Promise<void> {}

  async revokeByGrantId(): Promise<void> {}

  async findByUid(): Promise<undefined> {}

  async findByUserCode(): Promise<undefined> {}
}
