/**
 * Keys that callers lend to agents for one call. A key opens some of its lender's tools and never more than the lender may use
 * at that moment: it has the lender's principal and grant, so all of its documents, limits and credentials. It ends with the call, at its
 * time, or when its lender is not valid any more.
 *
 * In the state, as a salted hash, so that every replica knows it. The process that made a key answers for it without the state.
 * @module
 */
import { SwitchboardError } from '../core/errors.ts';
import { type Identity, LOCAL_IDENTITY } from '../core/identity.ts';
import type { Log } from '../core/log.ts';
import { isGone, type Owner, ownerHere, ownerLeft } from '../core/owner.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { isSecretOf, newKey, parseKey, parseStoredKey, type StoredKey, unknownKey } from './key.ts';

export interface Loan {
  lender: Identity;
  /** The lender is in this process and showed no credential: nothing of it can lose its validity. */
  inProcess: boolean;
  /** `server/agent`. */
  to: string;
  /** Names and globs of tools of the merged view. */
  tools: readonly string[];
  ttlMs: number;
  /** Claims of the key's own, beside those of its lender. */
  claims: JsonObject;
}

export interface LentKey {
  id: string;
  /** `swb_lent_<id>_<secret>`: for the agent alone. */
  key: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** A key, as this process knows it. */
interface Known {
  stored: StoredKey;
  identity: Identity;
  lender: Identity;
  inProcess: boolean;
  expiresAt: number;
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The part of the state (`src/state`) that keys are in. */
interface KeyState {
  replica: string;
  kv: {
    entries(namespace: string): Promise<[key: string, value: unknown][]>;
    get(namespace: string, key: string): Promise<unknown>;
    set(namespace: string, key: string, value: Json, expiresInMs?: number): Promise<void>;
    delete(namespace: string, key: string): Promise<boolean>;
  };
  bus: {
    publish(topic: string, message: Json): void;
    subscribe(topic: string, listener: (message: unknown) => void): () => void;
  };
}

const NAMESPACE = 'lent-keys';
const TOPIC = 'lent-keys';
/** After the `swb_` of every key. */
const MARK = 'lent_';
/** What every lent key begins with. */
export const LENT_PREFIX = `swb_${MARK}`;
/** Keys that have not ended: of one principal, and of all. */
const MAX_OF_PRINCIPAL = 200;
const MAX_KEYS = 5_000;
/** Lent on so often at most. Paths of agents are bounded anyway. */
const MAX_LOANS = 16;

/** What a key of unknown id is compared with. */
const UNKNOWN = unknownKey();

/** Whether it is spelled like a lent key: then nothing else may accept it. */
export const isLentKey = (presented: string): boolean => presented.startsWith(LENT_PREFIX);

export interface LentKeysOptions {
  state: KeyState;
  log: Log;
  /** Whether the credential behind an identity would still be accepted. Not asked about lent keys. */
  isValid(identity: Identity): boolean;
  /** A key has ended: what was opened with it is to end too. */
  onEnded?(): void;
  now?(): number;
}

export class LentKeys {
  readonly #kv: KeyState['kv'];
  readonly #bus: KeyState['bus'];
  readonly #log: Log;
  readonly #isValid: (identity: Identity) => boolean;
  readonly #onEnded: () => void;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  readonly #stopListening: () => void;
  readonly #owner: Owner;
  #version = 0;

  constructor({ state, log, isValid, onEnded = () => {}, now = Date.now }: LentKeysOptions) {
    this.#kv = state.kv;
    this.#bus = state.bus;
    this.#owner = ownerHere(state.replica);
    this.#log = log;
    this.#isValid = isValid;
    this.#onEnded = onEnded;
    this.#now = now;
    this.#stopListening = state.bus.subscribe(TOPIC, (message) => {
      if (isObject(message) && typeof message.ended === 'string') this.#forget(message.ended);
    });
  }

  /** Another number after the end of each key. */
  get version(): number {
    return this.#version;
  }

  /** Makes a key. Rejects with `SWB_QUEUE_FULL` when there are too many, `SWB_STATE` when it cannot be kept. */
  async lend({ lender, inProcess, to, tools, ttlMs, claims }: Loan): Promise<LentKey> {
    const before = lender.lent?.tools ?? [];
    this.#requireRoom(lender, before.length);
    const { key, id, stored } = newKey();
    const now = this.#now();
    const lent = lender.lent && this.#known.get(lender.lent.id);
    const expiresAt = Math.min(now + ttlMs, lent?.expiresAt ?? Number.POSITIVE_INFINITY);
    const identity: Identity = Object.freeze({
      principal: lender.principal,
      grant: lender.grant,
      claims: Object.freeze({ ...lender.claims, ...claims }),
      ...(lender.scopes ? { scopes: lender.scopes } : {}),
      lent: Object.freeze({ id, to, tools: Object.freeze([...before, tools]) }),
    });
    const { scopes, ...plain } = identity;
    // What scopes allow cannot be written down: such a key is known to this process alone.
    const record = {
      stored,
      identity: plain,
      via: lender.lent?.id ?? null,
      inProcess,
      expiresAt,
      here: !!scopes,
      owner: this.#owner,
    };
    const kept = JSON.parse(JSON.stringify(record)) as Json;
    await this.#kv.set(NAMESPACE, id, kept, Math.max(1, expiresAt - now));
    this.#known.set(id, { stored: parseStoredKey(stored) as StoredKey, identity, lender, inProcess, expiresAt });
    return { id, key: key.replace('swb_', LENT_PREFIX), expiresAt };
  }

  #requireRoom({ principal }: Identity, loans: number): void {
    if (this.#known.size >= MAX_KEYS) this.#forgetExpired();
    let own = 0;
    for (const { identity } of this.#known.values()) if (identity.principal === principal) own++;
    if (own < MAX_OF_PRINCIPAL && this.#known.size < MAX_KEYS && loans < MAX_LOANS) return;
    throw new SwitchboardError('SWB_QUEUE_FULL', 'Too many keys are lent to agents whose calls have not ended.', {
      retryAfterMs: 5_000,
    });
  }

  #forgetExpired(): void {
    for (const [id, { expiresAt }] of [...this.#known]) if (expiresAt <= this.#now()) this.#known.delete(id);
  }

  /** Ends a key everywhere. Never rejects: what cannot be deleted ends at its time. */
  async end(id: string): Promise<void> {
    this.#forget(id);
    this.#bus.publish(TOPIC, { ended: id });
    await this.#kv.delete(NAMESPACE, id).catch((error: unknown) => {
      this.#log.warn({ err: error, key: id }, 'A key that was lent could not be deleted: it ends at its time.');
    });
  }

  /**
   * Ends the keys whose process is gone: their calls ended with it. `inUse`: those of runs that go on without it. Never rejects.
   */
  async endAbandoned(inUse: ReadonlySet<string>): Promise<void> {
    try {
      for (const [id, value] of await this.#kv.entries(NAMESPACE)) {
        if (!inUse.has(id) && isObject(value) && isOwner(value.owner) && isGone(value.owner)) await this.end(id);
      }
    } catch (error) {
      this.#log.warn({ err: error }, 'Keys lent by an earlier process could not be read: they end at their time.');
    }
  }

  #forget(id: string): void {
    if (!this.#known.delete(id)) return;
    this.#version++;
    this.#onEnded();
  }

  /** The identity behind a key; undefined when it opens nothing. At once for keys that this process made. */
  verify(presented: string): Identity | undefined | Promise<Identity | undefined> {
    const key = isLentKey(presented) ? parseKey(presented.replace(MARK, '')) : undefined;
    if (!key) return undefined;
    const known = this.#known.get(key.id);
    if (known && this.#isOwn(known)) return this.#opened(known, key.secret);
    return this.#fromState(key.id).then((found) => this.#opened(found, key.secret));
  }

  #opened(known: Known | undefined, secret: string): Identity | undefined {
    const isRight = isSecretOf(known?.stored ?? UNKNOWN, secret);
    return known && isRight && this.isLive(known.identity) ? known.identity : undefined;
  }

  /** A key that another process made may have ended there since. */
  #isOwn({ lender, identity }: Known): boolean {
    return !FOREIGN.has(identity) && !FOREIGN.has(lender);
  }

  async #fromState(id: string, depth = 0): Promise<Known | undefined> {
    const record = recordOf(await this.#kv.get(NAMESPACE, id));
    if (!record || depth > MAX_LOANS) {
      this.#forget(id);
      return undefined;
    }
    const lender =
      record.via === undefined ? lenderOf(record) : (await this.#fromState(record.via, depth + 1))?.identity;
    if (!lender) return undefined;
    const before = this.#known.get(id);
    // One object for all requests: views and sessions are kept by it.
    const identity = before?.identity ?? record.identity;
    FOREIGN.add(identity);
    const known: Known = { ...record, identity, lender };
    if (this.#known.size >= MAX_KEYS) this.#forgetExpired();
    if (this.#known.size < MAX_KEYS) this.#known.set(id, known);
    return known;
  }

  /** Whether a lent key would still be accepted, as far as this process knows. */
  isLive({ lent }: Identity): boolean {
    const known = lent && this.#known.get(lent.id);
    if (!known || known.expiresAt <= this.#now()) return false;
    if (known.lender.lent) return this.isLive(known.lender);
    return known.inProcess || known.lender === LOCAL_IDENTITY || this.#isValid(known.lender);
  }

  close(): void {
    ownerLeft(this.#owner.replica);
    this.#stopListening();
  }
}

/** Identities of keys that another process made. */
const FOREIGN = new WeakSet<Identity>();

interface StoredLoan extends Pick<Known, 'stored' | 'identity' | 'inProcess' | 'expiresAt'> {
  /** The key it was lent on from. */
  via: string | undefined;
}

function recordOf(value: unknown): StoredLoan | undefined {
  if (!isObject(value) || typeof value.stored !== 'string' || typeof value.expiresAt !== 'number') return undefined;
  const stored = parseStoredKey(value.stored);
  const { identity, via, inProcess, expiresAt } = value;
  if (value.here === true) return undefined;
  if (!stored || !isObject(identity) || typeof identity.principal !== 'string' || !isObject(identity.lent))
    return undefined;
  return {
    stored,
    identity: Object.freeze({ grant: undefined, ...identity }) as unknown as Identity,
    via: typeof via === 'string' ? via : undefined,
    inProcess: inProcess === true,
    expiresAt,
  };
}

const isOwner = (value: unknown): value is Owner =>
  isObject(value) &&
  typeof value.replica === 'string' &&
  typeof value.pid === 'number' &&
  typeof value.host === 'string';

/** The lender, as an authenticator would have found it. */
function lenderOf({ identity: { principal, grant, claims } }: StoredLoan): Identity {
  return Object.freeze({ principal, grant, claims });
}
