/**
 * The vault: tokens by principal, server, issuer and resource, encrypted, in the state. Nothing of an entry but the name of
 * its server can be read without a key. Entries of one principal and server replace each other: there is one login.
 * @module
 */
import { createHash } from 'node:crypto';
import type { Log } from '../../core/log.ts';
import { Leases } from './leases.ts';
import type { Storage } from './storage.ts';
import type { VaultKeys } from './vault-keys.ts';

const TOKENS = 'vault';
const CLIENTS = 'vault-clients';
const PENDING = 'vault-logins';

/** What is kept of one login. */
export interface StoredLogin {
  readonly principal: string;
  /** The grant the principal had when it logged in; the login ends with it. */
  readonly grant: string | undefined;
  readonly server: string;
  /** The address of the server it was made for: it is shown to no other. */
  readonly url: string;
  readonly issuer: string;
  readonly resource: string | undefined;
  readonly accessToken: string;
  readonly tokenType: 'Bearer' | 'DPoP';
  readonly refreshToken: string | undefined;
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly expiresAt: number | undefined;
  readonly client: StoredClient;
  /** What the client was registered for. */
  readonly redirectUri: string;
  /** What a refresh and a revocation need of the issuer's metadata. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The private key the token is bound to, as a JWK. */
  readonly dpopKey: Readonly<Record<string, unknown>> | undefined;
}

/** A client registered with an issuer. */
export interface StoredClient {
  readonly client_id: string;
  readonly client_secret?: string | undefined;
  readonly client_secret_expires_at?: number | undefined;
  readonly token_endpoint_auth_method?: string | undefined;
  /** What it may ask for; undefined where that is not known. */
  readonly scope?: string | undefined;
}

const hash = (...parts: readonly (string | undefined)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64url');

/** What follows the place of a login that was encrypted anew. */
const OF_KEY = /\.[0-9a-f]{8}$/;

/** Every entry of a principal for a server begins with it. */
const prefixOf = (server: string, principal: string): string => `${server}\n${hash(principal)}\n`;

export class Vault {
  readonly #kv: Storage;
  readonly #keys: VaultKeys;
  readonly #leases: Leases;
  readonly #log: Log;

  constructor(kv: Storage, keys: VaultKeys, log: Log) {
    this.#kv = kv;
    this.#leases = new Leases(kv);
    this.#keys = keys;
    this.#log = log;
  }

  async login(principal: string, server: string): Promise<StoredLogin | undefined> {
    const found = await this.#entries(prefixOf(server, principal));
    return newest(found.filter((login) => login.principal === principal && login.server === server));
  }

  /** All of them; undefined principal: everybody's. */
  async logins(principal?: string): Promise<StoredLogin[]> {
    const all = await this.#entries('');
    return principal === undefined ? all : all.filter((login) => login.principal === principal);
  }

  async keep(login: StoredLogin): Promise<void> {
    const prefix = prefixOf(login.server, login.principal);
    const key = prefix + hash(login.issuer, login.resource);
    await this.#put(TOKENS, key, login);
    for (const [other] of await this.#kv.entries(TOKENS, prefix)) {
      if (other !== key) await this.#kv.delete(TOKENS, other);
    }
  }

  /**
   * Encrypts anew what was not encrypted with the first key. A reader finds each entry at any time, and what is stored or forgotten
   * meanwhile stays as it is then. Returns how many were, and how many could not be: they are in use, or no key opens them.
   */
  async sealAnew(): Promise<{ anew: number; left: number }> {
    const counts = { anew: 0, left: 0 };
    for (const namespace of [TOKENS, CLIENTS]) {
      for (const [key, sealed] of await this.#kv.entries(namespace)) {
        const opened = typeof sealed === 'string' ? this.#keys.open(sealed, `${namespace}\n${key}`) : undefined;
        if (opened && !opened.byOldKey) continue;
        const isDone = opened !== undefined && (await this.#sealedAnew(namespace, key, sealed, opened.text));
        counts[isDone ? 'anew' : 'left']++;
      }
    }
    return counts;
  }

  async #sealedAnew(namespace: string, key: string, sealed: unknown, text: string): Promise<boolean> {
    const value = JSON.parse(text) as StoredLogin;
    if (namespace === CLIENTS) {
      await this.#put(CLIENTS, key, value);
      return true;
    }
    const release = await this.#leases.take(value.server, value.principal);
    if (!release) return false;
    try {
      // It has two places until the old one is taken away; a login that is made meanwhile is the newer one.
      const next = `${key.replace(OF_KEY, '')}.${this.#keys.id}`;
      await this.#put(TOKENS, next, value);
      const taken = await this.#kv.take(TOKENS, key);
      if (taken === sealed) return true;
      if (typeof taken === 'string') await this.#kv.setIfAbsent(TOKENS, key, taken);
      await this.#kv.delete(TOKENS, next);
      return true;
    } finally {
      await release();
    }
  }

  /** Returns what was there. */
  async forget(principal: string, server: string): Promise<StoredLogin | undefined> {
    const login = await this.login(principal, server);
    for (const [key] of await this.#kv.entries(TOKENS, prefixOf(server, principal))) {
      await this.#kv.delete(TOKENS, key);
    }
    return login;
  }

  /** The client that was registered with an issuer for these redirect addresses. */
  client(issuer: string, redirectUri: string): Promise<StoredClient | undefined> {
    return this.#get(CLIENTS, hash(issuer, redirectUri));
  }

  keepClient(issuer: string, redirectUri: string, client: StoredClient): Promise<void> {
    return this.#put(CLIENTS, hash(issuer, redirectUri), client);
  }

  forgetClient(issuer: string, redirectUri: string): Promise<boolean> {
    return this.#kv.delete(CLIENTS, hash(issuer, redirectUri));
  }

  /** A login that has begun; `state` itself is kept nowhere. */
  async keepPending(state: string, pending: object, expiresInMs: number): Promise<void> {
    await this.#put(PENDING, hash(state), pending, expiresInMs);
  }

  pending<T>(state: string): Promise<T | undefined> {
    return this.#get(PENDING, hash(state));
  }

  async pendingCount(): Promise<number> {
    return (await this.#kv.entries(PENDING)).length;
  }

  /** To exactly one caller of all replicas. */
  async takePending<T>(state: string): Promise<T | undefined> {
    const key = hash(state);
    return this.#opened<T>(PENDING, key, await this.#kv.take(PENDING, key));
  }

  async #entries(prefix: string): Promise<StoredLogin[]> {
    const logins: StoredLogin[] = [];
    for (const [key, value] of await this.#kv.entries(TOKENS, prefix)) {
      const login = this.#opened<StoredLogin>(TOKENS, key, value);
      if (login) logins.push(login);
    }
    return logins;
  }

  async #get<T>(namespace: string, key: string): Promise<T | undefined> {
    return this.#opened<T>(namespace, key, await this.#kv.get(namespace, key));
  }

  #put(namespace: string, key: string, value: object, expiresInMs?: number): Promise<void> {
    const sealed = this.#keys.seal(JSON.stringify(value), `${namespace}\n${key}`);
    return this.#kv.set(namespace, key, sealed, expiresInMs);
  }

  #opened<T>(namespace: string, key: string, sealed: unknown): T | undefined {
    if (typeof sealed !== 'string') return undefined;
    const opened = this.#keys.open(sealed, `${namespace}\n${key}`);
    if (!opened) {
      this.#log.warn({}, 'An entry of the vault does not open with the keys there are: it is as if it were not there.');
      return undefined;
    }
    const value = JSON.parse(opened.text) as T;
    // Tokens are sealed anew when they are renewed: doing it here could put an old one over a new one.
    if (opened.byOldKey && namespace === CLIENTS) {
      void this.#put(namespace, key, value as object).catch((err: unknown) =>
        this.#log.warn({ err }, 'An entry of the vault was not sealed anew.'),
      );
    }
    return value;
  }
}

const newest = (logins: readonly StoredLogin[]): StoredLogin | undefined =>
  logins.toSorted((one, other) => other.since - one.since)[0];
