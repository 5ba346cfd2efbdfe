/**
 * Caches compiled schemas by their text, so that a catalog that is fetched again every minute, and tools with the same
 * schema, cost nothing. The least recently used is dropped first, and compiled again when it is needed.
 * @module
 */
import { sha256 } from '../../core/hash.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { outOfBounds } from './schema-bounds.ts';
import { Validator } from './validator.ts';

/** A schema that cannot be used, and why. */
export interface Unusable {
  fault: string;
}

export interface ValidatorLimits {
  maxSchemas: number;
  /** Characters of all their texts: compiled code takes a few times as much. */
  maxChars: number;
}

export const VALIDATOR_LIMITS: ValidatorLimits = { maxSchemas: 2_000, maxChars: 8 * 1024 * 1024 };

interface CachedValidator {
  validator: Validator | Unusable;
  chars: number;
  /** Counts uses of all: the least of them is dropped first. A use must not change the table (`core/linked-list.ts`). */
  usedAt: number;
}

export class Validators {
  readonly #limits: ValidatorLimits;
  readonly #cached = new Map<string, CachedValidator>();
  /** The hash of each owner's schema, or why it has none. An owner lives as long as its catalog, this no longer. */
  readonly #seen = new WeakMap<object, string | Unusable>();
  #chars = 0;
  #uses = 0;

  constructor(limits: ValidatorLimits = VALIDATOR_LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#cached.size;
  }

  /** `owner` identifies the schema: it never has another one. */
  get(owner: object, schema: JsonObject): Validator | Unusable {
    const seen = this.#seen.get(owner);
    if (typeof seen === 'object') return seen;
    const cached = seen === undefined ? undefined : this.#touch(seen);
    if (cached !== undefined) return cached;
    const fault = outOfBounds(schema);
    if (fault !== undefined) {
      this.#seen.set(owner, { fault });
      return { fault };
    }
    const text = JSON.stringify(schema);
    const hash = sha256(text);
    this.#seen.set(owner, hash);
    return this.#touch(hash) ?? this.#compile(hash, text);
  }

  #touch(hash: string): Validator | Unusable | undefined {
    const cached = this.#cached.get(hash);
    if (cached === undefined) return undefined;
    cached.usedAt = ++this.#uses;
    return cached.validator;
  }

  #compile(hash: string, text: string): Validator | Unusable {
    // Compiles a copy: otherwise the cache would keep the catalog that the schema came with.
    const validator = compile(JSON.parse(text) as JsonObject);
    this.#cached.set(hash, { validator, chars: text.length, usedAt: ++this.#uses });
    this.#chars += text.length;
    while (this.#cached.size > this.#limits.maxSchemas || this.#chars > this.#limits.maxChars) this.#dropOldest();
    return validator;
  }

  #dropOldest(): void {
    let oldest = '';
    let least = Number.POSITIVE_INFINITY;
    for (const [hash, { usedAt }] of this.#cached) {
      if (usedAt >= least) continue;
      oldest = hash;
      least = usedAt;
    }
    this.#chars -= this.#cached.get(oldest)?.chars ?? 0;
    this.#cached.delete(oldest);
  }
}

const MAX_FAULT_CHARS = 200;

function compile(schema: JsonObject): Validator | Unusable {
  try {
    return new Validator(schema);
  } catch (error) {
    return { fault: error instanceof Error ? error.message.slice(0, MAX_FAULT_CHARS) : 'it does not compile' };
  }
}
