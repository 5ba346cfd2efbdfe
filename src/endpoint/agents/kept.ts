/**
 * What clients of other protocols than MCP may come back to, by principal: kept with the gateway's state, so that it is there
 * after a restart and in every replica. Another principal's does not exist.
 *
 * Bounded three ways: in time, in number for each principal (the oldest go first), and in the size of one. What cannot be
 * kept in the state is kept by this process for as long as there is room.
 * @module
 */
import { hash } from 'node:crypto';
import type { Log } from '../../core/log.ts';
import type { JsonValue, KeyValue } from '../../state/state.ts';

export interface KeptOptions {
  kv: KeyValue;
  namespace: string;
  keepMs: number;
  /** Most of one principal. */
  most: number;
  log: Log;
}

/** Of one value, as JSON. Values of the state have a bound. */
export const MAX_KEPT_BYTES = 512 * 1024;
/** Of what one principal keeps, together. */
const MAX_PRINCIPAL_BYTES = 2 * 1024 * 1024;
/** What one principal may add before it is counted again. */
const COUNT_AFTER = { values: 20, bytes: 512 * 1024 } as const;
/** Values that only this process has, and principals whose additions are counted. */
const MAX_HERE = 100;
const MAX_PRINCIPALS = 10_000;

export class Kept {
  readonly #options: KeptOptions;
  /** Those that are too large for the state, or that it did not take. */
  readonly #here = new Map<string, JsonValue>();
  /** What was added since the last count, by principal. */
  readonly #added = new Map<string, { values: number; bytes: number }>();

  constructor(options: KeptOptions) {
    this.#options = options;
  }

  /** Rejects with `SWB_STATE` when the state cannot be read. */
  async get(principal: string, id: string): Promise<JsonValue | undefined> {
    const key = keyOf(principal, id);
    return this.#here.get(key) ?? this.#options.kv.get(this.#options.namespace, key);
  }

  /**
   * Resolves when it is kept. `short` is kept in the state in place of a value that is too large for it. Never rejects: what
   * the state does not take is this process's alone, and the log says so.
   */
  async set(principal: string, id: string, value: JsonValue, short?: (bytes: number) => JsonValue): Promise<void> {
    const { kv, namespace, keepMs, log } = this.#options;
    const key = keyOf(principal, id);
    const bytes = Buffer.byteLength(JSON.stringify(value));
    const isLarge = bytes > MAX_KEPT_BYTES;
    if (isLarge) this.#keepHere(key, value);
    else this.#here.delete(key);
    if (isLarge && !short) return;
    const stored = isLarge && short ? short(bytes) : value;
    try {
      await this.#makeRoom(principal, isLarge ? 1_000 : bytes);
      await kv.set(namespace, key, stored, keepMs);
    } catch (error) {
      log.warn({ err: error, namespace }, 'What an agent answered could not be kept: a restart forgets it.');
      if (!isLarge) this.#keepHere(key, value);
    }
  }

  async delete(principal: string, id: string): Promise<void> {
    const key = keyOf(principal, id);
    this.#here.delete(key);
    await this.#options.kv.delete(this.#options.namespace, key);
  }

  /** The oldest first. Rejects with `SWB_STATE` when the state cannot be read. */
  async all(principal: string): Promise<JsonValue[]> {
    const prefix = prefixOf(principal);
    const found = new Map(await this.#options.kv.entries(this.#options.namespace, prefix));
    for (const [key, value] of this.#here) if (key.startsWith(prefix)) found.set(key, value);
    return [...found.values()];
  }

  #keepHere(key: string, value: JsonValue): void {
    this.#here.delete(key);
    dropFirst(this.#here, MAX_HERE);
    this.#here.set(key, value);
  }

  /** Counting reads all that the principal has, so it is done now and then. */
  async #makeRoom(principal: string, bytes: number): Promise<void> {
    const added = this.#added.get(principal) ?? { values: COUNT_AFTER.values, bytes: 0 };
    added.values++;
    added.bytes += bytes;
    this.#added.delete(principal);
    dropFirst(this.#added, MAX_PRINCIPALS);
    this.#added.set(principal, added);
    if (added.values <= COUNT_AFTER.values && added.bytes <= COUNT_AFTER.bytes) return;
    added.values = 0;
    added.bytes = 0;
    const { kv, namespace, most } = this.#options;
    const entries = await kv.entries(namespace, prefixOf(principal));
    let total = 0;
    const sizes = entries.map(([, value]) => Buffer.byteLength(JSON.stringify(value)));
    for (const size of sizes) total += size;
    let count = entries.length;
    for (const [index, [key]] of entries.entries()) {
      if (count <= most - COUNT_AFTER.values && total <= MAX_PRINCIPAL_BYTES - COUNT_AFTER.bytes) break;
      await kv.delete(namespace, key);
      count--;
      total -= sizes[index] ?? 0;
    }
  }
}

/** Principals and ids are texts of any length, and keys of the state are not. */
export const digest = (text: string): string => hash('sha256', text, 'base64url').slice(0, 22);

const prefixOf = (principal: string): string => `${digest(principal)}:`;

const keyOf = (principal: string, id: string): string => prefixOf(principal) + digest(id);

/** Makes room for one more. */
function dropFirst<T>(map: Map<string, T>, most: number): void {
  for (const key of map.keys()) {
    if (map.size < most) return;
    map.delete(key);
  }
}
