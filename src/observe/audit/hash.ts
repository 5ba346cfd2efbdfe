/**
 * Hashes for the audit. They are keyed (HMAC-SHA-256, RFC 2104): a plain hash of `{"pin":1234}` is guessed by trying all
 * pins, one under a key that only this installation has is not.
 * @module
 */
import { createHash, hash } from 'node:crypto';
import { canonicalStart } from '../../wire/json/canonical.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { boundedKeys } from './line.ts';

export interface ArgumentsHash {
  /** Sorted (of more than 1024, the first ones as they came); `boundedKeys` says what of very many is left. */
  argKeys: readonly string[];
  /** Undefined: there were no arguments. Begins with `~` when only their beginning was hashed. */
  argHash: string | undefined;
}

/** Of the canonical text that is hashed: more costs a call more than its audit is worth. */
const MAX_HASHED = 64 * 1024;
/** Characters of the base64url text: 132 bits. */
const SHOWN = 22;
const MAX_SESSIONS = 4096;
const BLOCK = 64;
const DIGEST = 32;
/** More top-level keys are not sorted: the line names only some anyway. */
const MAX_SORTED = 1024;
const NO_KEYS: readonly string[] = [];

export class AuditHasher {
  /** A block of the key, then room for a text; and a block of the key, then room for a digest. */
  readonly #inner: Buffer;
  readonly #outer: Buffer;
  readonly #sessions = new Map<string, string>();

  /** `key`: secret bytes, 32 of them. */
  constructor(key: Uint8Array) {
    const block = Buffer.alloc(BLOCK);
    block.set(key.length > BLOCK ? createHash('sha256').update(key).digest() : key);
    // Text in UTF-8 has at most three bytes for one of UTF-16's units.
    this.#inner = Buffer.alloc(BLOCK + 3 * MAX_HASHED);
    this.#outer = Buffer.alloc(BLOCK + DIGEST);
    for (let i = 0; i < BLOCK; i++) {
      this.#inner[i] = (block[i] as number) ^ 0x36;
      this.#outer[i] = (block[i] as number) ^ 0x5c;
    }
  }

  /**
   * Names and hash of a call's arguments. Of arguments whose canonical text is longer than 64 Ki characters only that
   * beginning is hashed, and the hash begins with `~`: different hashes are different arguments, equal ones begin alike.
   */
  arguments(args: unknown): ArgumentsHash {
    if (!isObject(args)) return { argKeys: NO_KEYS, argHash: undefined };
    const { text, whole } = canonicalStart(args, MAX_HASHED);
    const digest = this.#hmac(text);
    return { argKeys: keysOf(args), argHash: whole ? digest : `~${digest}` };
  }

  /** A name for a session that cannot be used as one. */
  session(id: string): string {
    let known = this.#sessions.get(id);
    if (known === undefined) {
      // The prefix keeps it apart from the hash of arguments, which never begin so.
      known = this.#hmac(`session ${id.slice(0, 1024)}`).slice(0, 12);
      if (this.#sessions.size === MAX_SESSIONS) this.#sessions.clear();
      this.#sessions.set(id, known);
    }
    return known;
  }

  /** `createHmac` makes a stream each time and costs eight times as much (measured on short texts). */
  #hmac(text: string): string {
    const length = this.#inner.write(text, BLOCK, 'utf8');
    // As a string of bytes: making a buffer of it costs more than the hash.
    const digest = hash('sha256', this.#inner.subarray(0, BLOCK + length), 'binary');
    this.#outer.write(digest, BLOCK, 'latin1');
    return hash('sha256', this.#outer, 'base64url').slice(0, SHOWN);
  }
}

function keysOf(args: JsonObject): readonly string[] {
  const keys = Object.keys(args);
  return boundedKeys(keys.length > MAX_SORTED ? keys : keys.sort());
}
