/**
 * Which replicas of the gateway are alive on one state, and where each is reached by the others. Every one says so again
 * and again; one that stops is gone after three times that long. While the state is away nothing changes: what was known
 * stays.
 * @module
 */
import { Listeners } from '../core/listeners.ts';
import type { Log } from '../core/log.ts';
import { isObject } from '../wire/jsonrpc.ts';
import type { ReplicaId } from './replica.ts';
import type { JsonValue, State } from './state.ts';

const NAMESPACE = 'replicas';
const TOPIC = 'replicas';
const EVERY_MS = 2_000;
const MISSED = 3;
const MAX_REPLICAS = 256;

export interface ReplicasOptions {
  state: Pick<State, 'replica' | 'kv' | 'bus'>;
  log: Log;
  /** How often it says that it is alive, in milliseconds. */
  everyMs?: number | undefined;
}

/** Where a replica is reached by the others. */
export interface ReplicaAddress {
  host: string;
  port: number;
}

interface Known {
  address: ReplicaAddress | undefined;
  /** On the clock of `performance`. */
  seenAt: number;
}

export class Replicas {
  readonly #state: ReplicasOptions['state'];
  readonly #log: Log;
  readonly #everyMs: number;
  readonly #others = new Map<ReplicaId, Known>();
  readonly #listeners: Listeners<[]>;
  #address: ReplicaAddress | undefined;
  #started: Promise<void> | undefined;
  #beating: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;
  #stateWasAway = false;
  /** Until then one whose entry is missing is taken for alive. */
  #graceUntil = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor({ state, log, everyMs = EVERY_MS }: ReplicasOptions) {
    this.#state = state;
    this.#log = log;
    this.#everyMs = everyMs;
    this.#listeners = new Listeners(log);
  }

  /** How many there are, this one included. */
  get count(): number {
    return this.#others.size + 1;
  }

  /** Those that are alive beside this one. */
  get others(): readonly ReplicaId[] {
    return [...this.#others.keys()];
  }

  /** Where another one is reached; undefined when it is none that is alive, or serves no other. */
  addressOf(replica: ReplicaId): ReplicaAddress | undefined {
    return this.#others.get(replica)?.address;
  }

  /** `listener` is called when one has come or gone. */
  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Makes this one known. Resolves when the others are known to it, or the state does not answer. */
  start(address?: ReplicaAddress): Promise<void> {
    this.#started ??= this.#start(address);
    return this.#started;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#stopListening?.();
    if (this.#started === undefined) return;
    await this.#beating;
    const { kv, bus, replica } = this.#state;
    await kv.delete(NAMESPACE, replica).catch(() => false);
    bus.publish(TOPIC, { gone: replica });
  }

  async #start(address: ReplicaAddress | undefined): Promise<void> {
    this.#address = address;
    const { bus, replica } = this.#state;
    this.#stopListening = bus.subscribe(TOPIC, (message, from) => {
      if (from === replica) return;
      if (isObject(message) && typeof message.gone === 'string') this.#gone(message.gone);
      else void this.#look();
    });
    await this.#beat();
    bus.publish(TOPIC, null);
  }

  #beat(): Promise<void> {
    this.#beating = this.#say().then(() => {
      if (this.#closed) return;
      this.#timer = setTimeout(() => void this.#beat(), this.#everyMs);
      this.#timer.unref();
    });
    return this.#beating;
  }

  async #say(): Promise<void> {
    const { kv, replica } = this.#state;
    try {
      const record: JsonValue = this.#address ? { host: this.#address.host, port: this.#address.port } : {};
      await kv.set(NAMESPACE, replica, record, MISSED * this.#everyMs);
    } catch (error) {
      this.#log.debug({ err: error }, 'This replica could not say that it is alive.');
    }
    await this.#look();
  }

  async #look(): Promise<void> {
    try {
      const entries = await this.#state.kv.entries(NAMESPACE);
      this.#seen(entries);
    } catch {
      this.#stateWasAway = true;
    }
  }

  #seen(entries: [ReplicaId, JsonValue][]): void {
    const now = performance.now();
    // While the state was away the others could not say that they are alive either.
    if (this.#stateWasAway) this.#graceUntil = now + MISSED * this.#everyMs;
    this.#stateWasAway = false;
    let changed = false;
    for (const [replica, record] of entries.slice(0, MAX_REPLICAS)) {
      if (replica === this.#state.replica) continue;
      changed ||= !this.#others.has(replica);
      this.#others.set(replica, { address: addressIn(record), seenAt: now });
    }
    for (const [replica, { seenAt }] of this.#others) {
      if (seenAt < now && now >= this.#graceUntil) changed = this.#others.delete(replica) || changed;
    }
    if (changed) this.#listeners.emit();
  }

  #gone(replica: ReplicaId): void {
    if (this.#others.delete(replica)) this.#listeners.emit();
  }
}

function addressIn(record: JsonValue): ReplicaAddress | undefined {
  if (!isObject(record) || typeof record.host !== 'string' || !Number.isInteger(record.port)) return undefined;
  return { host: record.host, port: Number(record.port) };
}
