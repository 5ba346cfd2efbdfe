import { beforeEach, describe, expect, it } from 'vitest';
import { normaliseMetadata, redirectTarget } from './client-metadata.ts';
import { signingKey } from './keys.ts';
import { REGISTRATION_LIMITS, Registrations } from './registrations.ts';
import type { BridgeStore, Json } from './store.ts';

/** As the gateway's, with how long each entry lives. */
class Kept implements BridgeStore {
  readonly spaces = new Map<string, Map<string, { value: Json; expiresInMs: number | undefined }>>();

  #space(namespace: string) {
    const space = this.spaces.get(namespace) ?? new Map();
    this.spaces.set(namespace, space);
    return space;
  }

  get = async (namespace: string, key: string): Promise<Json | undefined> => this.#space(namespace).get(key)?.value;

  set = async (namespace: string, key: string, value: Json, expiresInMs?: number): Promise<void> =>
    void this.#space(namespace).set(key, { value, expiresInMs });

  async setIfAbsent(namespace: string, key: string, value: Json, expiresInMs?: number): Promise<boolean> {
    if (this.#space(namespace).has(key)) return false;
    await this.set(namespace, key, value, expiresInMs);
    return true;
  }

  async take(namespace: string, key: string): Promise<Json | undefined> {
    const value = await this.get(namespace, key);
    this.#space(namespace).delete(key);
    return value;
  }

  delete = async (namespace: string, key: string): Promise<boolean> => this.#space(namespace).delete(key);

  entries = async (namespace: string): Promise<[string, Json][]> =>
    [...this.#space(namespace)].map(([key, { value }]) => [key, value]);
}

let store: Kept;
beforeEach(() => {
  store = new Kept();
});

describe('registrations of clients', () => {
  const limits = { ...REGISTRATION_LIMITS, maxUnused: 3, maxUsed: 2 } as unknown as typeof REGISTRATION_LIMITS;

  it('that a flood adds push out unused ones, and no used one', async () => {
    const clients = new Registrations(store, limits);
    await clients.upsert('used', { client_name: 'used' } as never);
    await clients.used('used');
    for (let index = 0; index < 10; index++) await clients.upsert(`flood-${index}`, {});
    expect((await store.entries('oauth-clients-new')).map(([id]) => id)).toEqual(['flood-7', 'flood-8', 'flood-9']);
    expect(await clients.find('used')).toEqual({ client_name: 'used' });
    expect(await clients.find('flood-0')).toBeUndefined();
  });

  it('expire after a day unused, and long after the last use', async () => {
    const clients = new Registrations(store, limits);
    await clients.upsert('a', {});
    expect(store.spaces.get('oauth-clients-new')?.get('a')?.expiresInMs).toBe(REGISTRATION_LIMITS.unusedMs);
    await clients.used('a');
    await clients.used('a');
    expect(store.spaces.get('oauth-clients')?.get('a')?.expiresInMs).toBe(REGISTRATION_LIMITS.usedMs);
    await clients.used('never registered');
    expect(await clients.find('never registered')).toBeUndefined();
  });

  it('are bounded in number though they are used, and in size', async () => {
    const clients = new Registrations(store, limits);
    for (const id of ['a', 'b', 'c']) {
      await clients.upsert(id, {});
      await clients.used(id);
    }
    expect((await store.entries('oauth-clients')).map(([id]) => id)).toEqual(['b', 'c']);
    await expect(clients.upsert('d', { client_name: 'x'.repeat(9_000) } as never)).rejects.toMatchObject({
      error: 'invalid_client_metadata',
    });
  });
});

describe('metadata of a client', () => {
  it('has one form, whatever it asks for', () => {
    const metadata: Record<string, unknown> = {
      redirect_uris: ['app.example:/callback', 'http://[::1]:1/callback', 'https://app.example/callback'],
      token_endpoint_auth_method: 'private_key_jwt',
      grant_types: ['implicit'],
      scope: 'x',
    };
    normaliseMetadata(metadata, { assertions: false });
    expect(metadata).toMatchObject({
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
    });
    expect(metadata.scope).toBeUndefined();
    normaliseMetadata(metadata, { assertions: true });
    expect(metadata.grant_types).toContain('urn:ietf:params:oauth:grant-type:jwt-bearer');
  });

  it.each([
    ['cursor://host/path', 'app', 'cursor://', 'cursor:'],
    ['http://localhost:8787/callback', 'loopback', 'localhost:8787', 'http://localhost:8787'],
    ['http://[::1]:8787/callback', 'loopback', '[::1]:8787', 'http:'],
    ['https://xn--80ak6aa92e.com/callback', 'web', 'xn--80ak6aa92e.com', 'https://xn--80ak6aa92e.com'],
    ['https://аррӏе.com/callback', 'web', 'xn--80ak6aa92e.com', 'https://xn--80ak6aa92e.com'],
  ])('with the redirect URI %s leads to %s %s', (uri, kind, name, source) => {
    expect(redirectTarget(uri)).toEqual({ kind, name, source });
  });
});

it('the signing key is the same for one secret, and another for another', () => {
  const [one, same, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 1), Buffer.alloc(32, 2)].map(signingKey);
  expect(one).toEqual(same);
  expect(one?.kid).not.toBe(other?.kid);
});
