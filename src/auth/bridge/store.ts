/**
 * What the bridge keeps, and for how long: the records of the provider over a key-value store. Codes and refresh tokens are kept as
 * hashes, so that who reads the store can use none of them.
 * @module
 */
import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import { sha256 } from '../../core/hash.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The part of `KeyValue` that the bridge uses. */
export interface BridgeStore {
  get(namespace: string, key: string): Promise<Json | undefined>;
  set(namespace: string, key: string, value: Json, expiresInMs?: number): Promise<void>;
  setIfAbsent(namespace: string, key: string, value: Json, expiresInMs?: number): Promise<boolean>;
  take(namespace: string, key: string): Promise<Json | undefined>;
  delete(namespace: string, key: string): Promise<boolean>;
  entries(namespace: string, prefix?: string): Promise<[key: string, value: Json][]>;
}

/** Models that are kept. What is none of them (sessions: every authorization begins anew) lives as long as its request. */
const KEPT: Readonly<Record<string, string>> = {
  AuthorizationCode: 'oauth-codes',
  RefreshToken: 'oauth-refresh',
  Grant: 'oauth-grants',
  Interaction: 'oauth-requests',
  ReplayDetection: 'oauth-replays',
};

/** No record of a person's login is larger, and a request's parameters are to fit. */
const MAX_RECORD_BYTES = 32 * 1024;

/** The provider's records of one model. `clients` keeps registrations, with bounds of its own. */
export const adapterOver =
  (store: BridgeStore, clients: Adapter) =>
  (model: string): Adapter =>
    model === 'Client' ? clients : new StoredModel(store, KEPT[model]);

class StoredModel implements Adapter {
  readonly #store: BridgeStore;
  readonly #namespace: string | undefined;

  constructor(store: BridgeStore, namespace: string | undefined) {
    this.#store = store;
    this.#namespace = namespace;
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void> {
    if (this.#namespace === undefined) return;
    const { jti: _, ...record } = payload;
    const text = JSON.stringify(record);
    if (text.length > MAX_RECORD_BYTES) throw new errors.InvalidRequest('the request is too large');
    await this.#store.set(this.#namespace, keyOf(id), JSON.parse(text) as Json, Math.max(1, expiresIn) * 1_000);
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    if (this.#namespace === undefined) return undefined;
    const record = await this.#store.get(this.#namespace, keyOf(id));
    return record === undefined ? undefined : { ...(record as AdapterPayload), jti: id };
  }

  /** Exactly one request of all replicas may use a code or a refresh token. */
  async consume(id: string): Promise<void> {
    if (this.#namespace === undefined) return;
    const key = keyOf(id);
    const record = (await this.#store.get(this.#namespace, key)) as AdapterPayload | undefined;
    if (record === undefined) throw new errors.InvalidGrant('it is not valid any more');
    const leftMs = Math.max(1, (record.exp ?? 0) * 1_000 - Date.now());
    if (!(await this.#store.setIfAbsent('oauth-used', key, true, leftMs + 60_000))) {
      throw new errors.InvalidGrant('it was used already');
    }
    const consumed = { ...record, consumed: Math.floor(Date.now() / 1_000) };
    await this.#store.set(this.#namespace, key, consumed as unknown as Json, leftMs);
  }

  async destroy(id: string): Promise<void> {
    if (this.#namespace !== undefined) await this.#store.delete(this.#namespace, keyOf(id));
  }

  /** Nothing to do: the grant itself goes, and no code or refresh token is accepted without it. */
  async revokeByGrantId(): Promise<void> {}

  async findByUid(): Promise<undefined> {}

  async findByUserCode(): Promise<undefined> {}
}

const keyOf = (id: string): string => sha256(id);
