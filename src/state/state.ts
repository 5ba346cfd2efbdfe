/**
 * What the gateway remembers and what replicas share, behind four interfaces: keys and values, counters, an event log
 * and a bus. Every implementation passes `cases.ts`. Methods are asynchronous, except where a synchronous result saves
 * the hot path a promise ({@link Counters}).
 * @module
 */
import { SwitchboardError } from '../core/errors.ts';
import type { ReplicaId } from './replica.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

export interface State {
  /** This process, for as long as it lives. */
  readonly replica: ReplicaId;
  readonly kv: KeyValue;
  readonly counters: Counters;
  readonly events: EventLog;
  readonly bus: Bus;
  /** 32 random bytes of this name: made once, then the same after a restart and in every replica. */
  secret(name: string): Promise<Buffer>;
  /** Writes what is not written yet. Never rejects. */
  close(): Promise<void>;
}

/**
 * JSON values by namespace and key. A namespace is lower-case letters, digits and hyphens, 64 at most; a key is any text
 * of 1024 characters at most. Every method rejects with `SWB_STATE` when its arguments are out of these bounds, or when
 * the state cannot be read or written.
 */
export interface KeyValue {
  get(namespace: string, key: string): Promise<JsonValue | undefined>;
  /** Durable when it resolves. With `expiresInMs` the entry is gone after that time. */
  set(namespace: string, key: string, value: JsonValue, expiresInMs?: number): Promise<void>;
  /** As {@link set}, unless the key has a value. Returns true to exactly one caller of all replicas. */
  setIfAbsent(namespace: string, key: string, value: JsonValue, expiresInMs?: number): Promise<boolean>;
  /** Removes the entry and returns its value, to exactly one caller of all replicas; durable when it resolves. */
  take(namespace: string, key: string): Promise<JsonValue | undefined>;
  /** As {@link take}, without the value: whether this caller removed it. */
  delete(namespace: string, key: string): Promise<boolean>;
  /** The entries whose key begins with `prefix`, in the order their keys were first set. */
  entries(namespace: string, prefix?: string): Promise<[key: string, value: JsonValue][]>;
}

/** One counter that a call takes from. */
export interface CounterUse {
  /** Names what is counted. The window belongs to the name: another window is another counter. */
  readonly key: string;
  readonly windowMs: number;
  /** False: windows of the calendar, from multiples of `windowMs` since 1970-01-01T00:00Z. */
  readonly sliding: boolean;
  readonly max: number;
  /** What this call adds. Never negative. */
  readonly amount: number;
  /**
   * The principal whose session is counted. All its counters of sessions take half of the places at most, and what it takes
   * is no loss to others.
   */
  readonly sessionOf?: string;
}

/** What was taken. The first of the two methods decides, every later call does nothing. */
export interface Reservation {
  readonly granted: true;
  /** The call has left: what was taken stays taken. */
  commit(): void;
  /** The call never left: gives back what still counts. A window that has ended takes nothing back. Never throws. */
  rollback(): void;
}

/** Nothing was taken. */
export interface Refusal<Use extends CounterUse = CounterUse> {
  readonly granted: false;
  /** The use that refuses longest. */
  readonly use: Use;
  /**
   * `reached`: the window is used up. `too-much`: the amount alone exceeds `max`, so waiting does not help. `full`: no
   * further counter can be kept, and what cannot be counted is not allowed.
   */
  readonly why: 'reached' | 'too-much' | 'full';
  /** When the same uses fit again if nothing else is taken meanwhile, in milliseconds since the epoch. */
  readonly resetsAt: number | undefined;
  readonly retryAfterMs: number | undefined;
}

export interface CounterReading<Use extends CounterUse = CounterUse> {
  /** The refusal {@link Counters.reserve} would return now. */
  readonly refusal: Refusal<Use> | undefined;
  /** Per use. `endsAt`: when nothing of it counts any more; undefined when nothing counts now. */
  readonly counts: readonly { readonly use: Use; readonly used: number; readonly endsAt: number | undefined }[];
}

/**
 * Counters with a maximum per window, exact over all replicas. `now` is in milliseconds since the epoch. A result is
 * returned at once where the implementation can, and as a promise where it has to wait for another replica; a promise
 * rejects with `SWB_STATE` when the counters stay locked.
 */
export interface Counters {
  /** Takes all of the uses, or none. */
  reserve<Use extends CounterUse>(
    uses: readonly Use[],
    now?: number,
  ): Reservation | Refusal<Use> | Promise<Reservation | Refusal<Use>>;
  /** What {@link reserve} would find. Takes nothing. */
  read<Use extends CounterUse>(uses: readonly Use[], now?: number): CounterReading<Use> | Promise<CounterReading<Use>>;
}

export interface LoggedEvent {
  /** Grows within a topic. */
  readonly id: number;
  readonly event: JsonValue;
}

/** Events by topic, of which the newest are kept ({@link EVENT_LIMITS}). */
export interface EventLog {
  /** Resolves with the event's id. */
  append(topic: string, event: JsonValue): Promise<number>;
  /**
   * The events after this id (0: all), oldest first. `complete` is false when the event of this id is no longer kept, so
   * that others after it may be missing.
   */
  read(topic: string, after: number): Promise<{ events: LoggedEvent[]; complete: boolean }>;
}

export const EVENT_LIMITS = { perTopic: 1_000, keepMs: 60 * 60_000 } as const;

export type BusListener = (message: JsonValue, from: ReplicaId) => void;

/**
 * Messages to the subscribers of that moment, in any replica, the publisher's own included: at most once, in order,
 * soon. What must not be missed is in {@link KeyValue}; a message says that it has changed. Topics are names
 * (`approvals`), `replica:<id>` or `session:<id>`.
 */
export interface Bus {
  publish(topic: string, message: JsonValue): void;
  /** Returns a function that ends the subscription. */
  subscribe(topic: string, listener: BusListener): () => void;
  /**
   * Calls the listener when messages may have been missed, so that what they speak of has to be read again. Returns a
   * function that ends it.
   */
  onGap(listener: () => void): () => void;
}

export interface StateLimits {
  /** Most bytes of one namespace, as JSON. */
  maxNamespaceBytes: number;
  /** Most bytes of one value, as JSON. */
  maxValueBytes: number;
  /** Most counters kept at one time; half as many again where counters of one principal's sessions take half. */
  maxCounters: number;
}

export const STATE_LIMITS: StateLimits = {
  maxNamespaceBytes: 16 * 1024 * 1024,
  maxValueBytes: 1024 * 1024,
  maxCounters: 100_000,
};

const MAX_KEY_LENGTH = 1024;
const NAMESPACE = /^[a-z][a-z0-9-]{0,63}$/;

export function checkNamespace(namespace: string): void {
  if (!NAMESPACE.test(namespace)) {
    throw new SwitchboardError('SWB_STATE', 'A state namespace is lower-case letters, digits and hyphens, 64 at most.');
  }
}

/** Returns the value's JSON text; throws `SWB_STATE` when namespace, key or value are out of bounds. */
export function encodeValue(namespace: string, key: string, value: JsonValue, limits: StateLimits): string {
  checkNamespace(namespace);
  if (key.length > MAX_KEY_LENGTH) {
    throw new SwitchboardError('SWB_STATE', `A key of the state has at most ${MAX_KEY_LENGTH} characters.`);
  }
  const text = JSON.stringify(value);
  if (Buffer.byteLength(text) > limits.maxValueBytes) {
    throw new SwitchboardError('SWB_STATE', `A value of the state has at most ${limits.maxValueBytes} bytes.`);
  }
  return text;
}

export function namespaceFull(limits: StateLimits): SwitchboardError {
  return new SwitchboardError('SWB_STATE', `A namespace of the state holds at most ${limits.maxNamespaceBytes} bytes.`);
}
