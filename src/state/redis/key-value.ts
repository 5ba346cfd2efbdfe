/**
 * Keys and values in Redis: each change is one script, so it is whole, and one of all replicas makes it.
 * @module
 */
import {
  checkNamespace,
  encodeValue,
  type JsonValue,
  type KeyValue,
  namespaceFull,
  type StateLimits,
} from '../state.ts';
import type { Client, RedisConnection } from './connection.ts';

interface Scripts {
  swbKeyValue(...keysAndValues: (string | number)[]): Promise<unknown>;
}

/** Of what is kept more may be lost by giving up than by waiting: approvals, servers, runs. */
const WAIT_MS = 5_000;

export interface RedisKeyValueOptions {
  connection: RedisConnection;
  prefix: string;
  limits: StateLimits;
  /** Milliseconds since the epoch. Default: the server's. */
  clock?: (() => number) | undefined;
}

export class RedisKeyValue implements KeyValue {
  readonly #connection: RedisConnection;
  readonly #prefix: string;
  readonly #limits: StateLimits;
  readonly #clock: (() => number) | undefined;

  constructor({ connection, prefix, limits, clock }: RedisKeyValueOptions) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#limits = limits;
    this.#clock = clock;
  }

  async get(namespace: string, key: string): Promise<JsonValue | undefined> {
    return parsed(await this.#run('get', namespace, JSON.stringify(key)));
  }

  async set(namespace: string, key: string, value: JsonValue, expiresInMs?: number): Promise<void> {
    await this.#put('set', namespace, key, value, expiresInMs);
  }

  setIfAbsent(namespace: string, key: string, value: JsonValue, expiresInMs?: number): Promise<boolean> {
    return this.#put('set-if-absent', namespace, key, value, expiresInMs);
  }

  async take(namespace: string, key: string): Promise<JsonValue | undefined> {
    return parsed(await this.#run('take', namespace, JSON.stringify(key)));
  }

  async delete(namespace: string, key: string): Promise<boolean> {
    return (await this.take(namespace, key)) !== undefined;
  }

  async entries(namespace: string, prefix = ''): Promise<[string, JsonValue][]> {
    // A beginning that ends within a character is spelled otherwise than in a key that has all of it.
    const beginning = prefix.isWellFormed() ? JSON.stringify(prefix).slice(0, -1) : '"';
    const found = (await this.#run('entries', namespace, beginning)) as string[];
    const entries: [string, JsonValue][] = [];
    for (let at = 0; at < found.length; at += 2) {
      const key = JSON.parse(found[at] as string) as string;
      if (key.startsWith(prefix)) entries.push([key, JSON.parse(found[at + 1] as string) as JsonValue]);
    }
    return entries;
  }

  async #put(
    op: 'set' | 'set-if-absent',
    namespace: string,
    key: string,
    value: JsonValue,
    expiresInMs: number | undefined,
  ): Promise<boolean> {
    const text = encodeValue(namespace, key, value, this.#limits);
    const { maxNamespaceBytes } = this.#limits;
    const done = await this.#run(op, namespace, JSON.stringify(key), text, maxNamespaceBytes, expiresInMs ?? '');
    if (done === 'full') throw namespaceFull(this.#limits);
    return done === 'set';
  }

  #run(op: string, namespace: string, key: string, ...more: (string | number)[]): Promise<unknown> {
    checkNamespace(namespace);
    // One hash tag: a script of a cluster reaches the keys of one slot.
    const keys = `${this.#prefix}{kv:${namespace}}:`;
    const now = this.#clock?.() ?? '';
    const send = (client: Client): Promise<unknown> =>
      (client as unknown as Scripts).swbKeyValue(
        `${keys}values`,
        `${keys}order`,
        `${keys}expiry`,
        `${keys}sums`,
        op,
        now,
        key,
        ...more,
      );
    return this.#connection.run(send, undefined, WAIT_MS);
  }
}

const parsed = (text: unknown): JsonValue | undefined =>
  typeof text === 'string' ? (JSON.parse(text) as JsonValue) : undefined;
