/**
 * State that ends with the process and is shared with no other.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { Listeners } from '../../core/listeners.ts';
import type { Log } from '../../core/log.ts';
import { newReplicaId, type ReplicaId } from '../replica.ts';
import {
  type Bus,
  type BusListener,
  checkNamespace,
  EVENT_LIMITS,
  type EventLog,
  encodeValue,
  type JsonValue,
  type KeyValue,
  type LoggedEvent,
  namespaceFull,
  STATE_LIMITS,
  type State,
  type StateLimits,
} from '../state.ts';
import { MemoryCounters } from './counters.ts';

export function memoryState(log: Log, limits: Partial<StateLimits> = {}): State {
  const replica = newReplicaId();
  const secrets = new Map<string, Buffer>();
  return {
    replica,
    kv: new MemoryKeyValue(limits),
    counters: new MemoryCounters({ log, ...limits }),
    events: new MemoryEventLog(),
    bus: new MemoryBus(replica, log),
    async secret(name) {
      const known = secrets.get(name) ?? randomBytes(32);
      secrets.set(name, known);
      return known;
    },
    async close() {},
  };
}

interface Entry {
  /** JSON text, so that no caller shares an object with the store. */
  text: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export class MemoryKeyValue implements KeyValue {
  readonly #limits: StateLimits;
  readonly #namespaces = new Map<string, Map<string, Entry>>();

  constructor(limits: Partial<StateLimits> = {}) {
    this.#limits = { ...STATE_LIMITS, ...limits };
  }

  async get(namespace: string, key: string): Promise<JsonValue | undefined> {
    return parsed(this.#alive(namespace).get(key));
  }

  async set(namespace: string, key: string, value: JsonValue, expiresInMs = Number.POSITIVE_INFINITY): Promise<void> {
    const text = encodeValue(namespace, key, value, this.#limits);
    const entries = this.#alive(namespace);
    let bytes = sizeOf(key, text);
    for (const [other, entry] of entries) if (other !== key) bytes += sizeOf(other, entry.text);
    if (bytes > this.#limits.maxNamespaceBytes) throw namespaceFull(this.#limits);
    entries.set(key, { text, expiresAt: Date.now() + expiresInMs });
  }

  async setIfAbsent(namespace: string, key: string, value: JsonValue, expiresInMs?: number): Promise<boolean> {
    if (this.#alive(namespace).has(key)) return false;
    await this.set(namespace, key, value, expiresInMs);
    return true;
  }

  async take(namespace: string, key: string): Promise<JsonValue | undefined> {
    const entries = this.#alive(namespace);
    const entry = entries.get(key);
    entries.delete(key);
    return parsed(entry);
  }

  async delete(namespace: string, key: string): Promise<boolean> {
    return this.#alive(namespace).delete(key);
  }

  async entries(namespace: string, prefix = ''): Promise<[string, JsonValue][]> {
    const found = [...this.#alive(namespace)].filter(([key]) => key.startsWith(prefix));
    return found.map(([key, { text }]) => [key, JSON.parse(text) as JsonValue]);
  }

  #alive(namespace: string): Map<string, Entry> {
    checkNamespace(namespace);
    const entries = this.#namespaces.get(namespace) ?? new Map<string, Entry>();
    this.#namespaces.set(namespace, entries);
    const now = Date.now();
    for (const [key, { expiresAt }] of entries) if (expiresAt <= now) entries.delete(key);
    return entries;
  }
}

const parsed = (entry: Entry | undefined): JsonValue | undefined =>
  entry === undefined ? undefined : (JSON.parse(entry.text) as JsonValue);

const sizeOf = (key: string, text: string): number => Buffer.byteLength(key) + Buffer.byteLength(text) + 8;

export class MemoryEventLog implements EventLog {
  readonly #topics = new Map<string, (LoggedEvent & { at: number })[]>();
  #id = 0;

  async append(topic: string, event: JsonValue): Promise<number> {
    const kept = this.#topics.get(topic) ?? [];
    this.#topics.set(topic, kept);
    const at = Date.now();
    kept.push({ id: ++this.#id, event: structuredClone(event), at });
    while (kept.length > EVENT_LIMITS.perTopic || (kept[0]?.at ?? at) <= at - EVENT_LIMITS.keepMs) kept.shift();
    return this.#id;
  }

  async read(topic: string, after: number): Promise<{ events: LoggedEvent[]; complete: boolean }> {
    const kept = this.#topics.get(topic) ?? [];
    const events = kept.filter(({ id }) => id > after).map(({ id, event }) => ({ id, event: structuredClone(event) }));
    return { events, complete: after === 0 || kept.some(({ id }) => id === after) };
  }
}

/** The subscriptions of this process. A listener that fails is logged and disturbs no other. */
export class MemoryBus implements Bus {
  readonly #replica: ReplicaId;
  readonly #log: Log;
  readonly #topics = new Map<string, Listeners<Parameters<BusListener>>>();

  constructor(replica: ReplicaId, log: Log) {
    this.#replica = replica;
    this.#log = log;
  }

  publish(topic: string, message: JsonValue): void {
    const own = structuredClone(message);
    queueMicrotask(() => this.deliver(topic, own, this.#replica));
  }

  subscribe(topic: string, listener: BusListener): () => void {
    const listeners = this.#topics.get(topic) ?? new Listeners(this.#log);
    this.#topics.set(topic, listeners);
    const remove = listeners.add(listener);
    return () => {
      remove();
      if (listeners.size === 0) this.#topics.delete(topic);
    };
  }

  /** Within a process none is missed. */
  onGap(): () => void {
    return () => {};
  }

  deliver(topic: string, message: JsonValue, from: ReplicaId): void {
    this.#topics.get(topic)?.emit(message, from);
  }
}
