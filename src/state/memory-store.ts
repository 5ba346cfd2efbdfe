/**
 * State that ends with the process.
 * @module
 */
import {
  checkNamespace,
  encodeValue,
  type JsonValue,
  namespaceFull,
  STATE_LIMITS,
  type StateLimits,
  type StateStore,
} from './store.ts';

interface Namespace {
  /** JSON text, so that nobody shares an object with the store. */
  texts: Map<string, string>;
  bytes: number;
}

export class MemoryStore implements StateStore {
  readonly #limits: StateLimits;
  readonly #namespaces = new Map<string, Namespace>();

  constructor(limits: StateLimits = STATE_LIMITS) {
    this.#limits = limits;
  }

  async get(namespace: string, key: string): Promise<JsonValue | undefined> {
    const text = this.#namespace(namespace).texts.get(key);
    return text === undefined ? undefined : (JSON.parse(text) as JsonValue);
  }

  async set(namespace: string, key: string, value: JsonValue): Promise<void> {
    const space = this.#namespace(namespace);
    const text = encodeValue(key, value, this.#limits);
    const bytes = space.bytes - sizeOf(key, space.texts.get(key)) + sizeOf(key, text);
    if (bytes > this.#limits.maxNamespaceBytes) throw namespaceFull(this.#limits);
    space.texts.set(key, text);
    space.bytes = bytes;
  }

  async delete(namespace: string, key: string): Promise<boolean> {
    const space = this.#namespace(namespace);
    space.bytes -= sizeOf(key, space.texts.get(key));
    return space.texts.delete(key);
  }

  async entries(namespace: string): Promise<[string, JsonValue][]> {
    return [...this.#namespace(namespace).texts].map(([key, text]) => [key, JSON.parse(text) as JsonValue]);
  }

  #namespace(name: string): Namespace {
    checkNamespace(name);
    let space = this.#namespaces.get(name);
    if (space === undefined) {
      space = { texts: new Map(), bytes: 0 };
      this.#namespaces.set(name, space);
    }
    return space;
  }
}

const sizeOf = (key: string, text: string | undefined): number =>
  text === undefined ? 0 : Buffer.byteLength(key) + Buffer.byteLength(text) + 8;
