/**
 * The last calls of all replicas, for an operator who looks at those of one. While one looks, each replica sends the others what
 * changes of its calls over the bus: without values of arguments, and no more of them at a time than a page can show.
 * @module
 */
import type { CallRecorder, RecordedCall } from '../../observe/recorder.ts';
import { type ReplicaId, routeOf } from '../../state/replica.ts';
import type { JsonValue, State } from '../../state/state.ts';
import { isObject } from '../../wire/jsonrpc.ts';

/** A call as the stream and the API show it. */
export interface CallJson extends Omit<RecordedCall, 'steps'> {
  /** `<replica>.<call>`: the number alone is that of one replica. */
  id: string;
  replica: ReplicaId;
}

export interface SharedCallsOptions {
  recorder: CallRecorder;
  replica: ReplicaId;
  /** Undefined: there are no other replicas. */
  bus: State['bus'] | undefined;
}

const TOPIC = 'admin-calls';
/** A replica whose operator follows calls repeats its wish this often; after three times that long without one it is sent nothing. */
const WANT_MS = 5_000;
const WANTED_MS = 3 * WANT_MS;
const SEND_MS = 300;
/** At a time; what changed besides is sent with its next change. */
const MAX_SENT = 100;
/** Of all other replicas. */
const MAX_OTHERS = 1_000;

export class SharedCalls {
  readonly #recorder: CallRecorder;
  readonly #replica: ReplicaId;
  readonly #bus: State['bus'] | undefined;
  readonly #others = new Map<string, CallJson>();
  readonly #followers = new Set<(call: CallJson) => void>();
  /** Replicas in which an operator looks, with when that was said last. */
  readonly #wantedBy = new Map<ReplicaId, number>();
  readonly #changed = new Map<number, RecordedCall>();
  readonly #stopListening: (() => void) | undefined;
  #stopSending: (() => void) | undefined;
  #wanting: NodeJS.Timeout | undefined;

  constructor({ recorder, replica, bus }: SharedCallsOptions) {
    this.#recorder = recorder;
    this.#replica = replica;
    this.#bus = bus;
    this.#stopListening = bus?.subscribe(TOPIC, (message, from) => {
      if (from !== replica && isObject(message)) this.#heard(message, from);
    });
  }

  close(): void {
    this.#stopListening?.();
    this.#stopSending?.();
    clearInterval(this.#wanting);
    this.#followers.clear();
  }

  json({ steps: _, ...call }: RecordedCall): CallJson {
    return { ...call, id: `${this.#replica}.${call.call}`, replica: this.#replica };
  }

  /** A call of this replica by its id, or by its number. */
  get(id: string): RecordedCall | undefined {
    const replica = routeOf(id);
    if (replica !== undefined && replica !== this.#replica) return undefined;
    return this.#recorder.get(Number(replica === undefined ? id : id.slice(replica.length + 1)));
  }

  /** Oldest first. */
  list(): CallJson[] {
    const own = this.#recorder.list().map((call) => this.json(call));
    return [...this.#others.values(), ...own].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.call - b.call));
  }

  /** Calls `listener` with each call of any replica that is new or has changed, until the function it returns is called. */
  follow(listener: (call: CallJson) => void): () => void {
    const stop = this.#recorder.follow((call) => listener(this.json(call)));
    this.#followers.add(listener);
    if (this.#bus && this.#followers.size === 1) {
      const want = (): void => this.#bus?.publish(TOPIC, { want: true });
      want();
      this.#wanting = setInterval(want, WANT_MS).unref();
    }
    return () => {
      stop();
      this.#followers.delete(listener);
      if (this.#followers.size === 0) clearInterval(this.#wanting);
    };
  }

  /** As {@link CallRecorder.recordValues}, in every replica. */
  recordValues(ms: number): void {
    this.#recorder.recordValues(ms);
    this.#bus?.publish(TOPIC, { values: ms });
  }

  #heard({ want, calls, values }: { [key: string]: unknown }, from: ReplicaId): void {
    if (want === true) this.#wanted(from);
    if (typeof values === 'number') this.#recorder.recordValues(values);
    if (!Array.isArray(calls) || this.#followers.size === 0) return;
    for (const call of calls as CallJson[]) {
      this.#others.set(call.id, call);
      const oldest = this.#others.keys().next().value;
      if (this.#others.size > MAX_OTHERS && oldest !== undefined) this.#others.delete(oldest);
      for (const follower of this.#followers) follower(call);
    }
  }

  #wanted(from: ReplicaId): void {
    const isNew = !this.#wantedBy.has(from);
    this.#wantedBy.set(from, performance.now());
    if (isNew) for (const call of this.#recorder.list().slice(-MAX_SENT)) this.#changed.set(call.call, call);
    if (this.#stopSending) return;
    const stop = this.#recorder.follow((call) => this.#changed.set(call.call, call));
    const timer = setInterval(() => this.#send(), SEND_MS).unref();
    this.#stopSending = () => {
      clearInterval(timer);
      stop();
      this.#changed.clear();
      this.#wantedBy.clear();
      this.#stopSending = undefined;
    };
  }

  #send(): void {
    const now = performance.now();
    for (const [replica, at] of this.#wantedBy) if (now - at > WANTED_MS) this.#wantedBy.delete(replica);
    if (this.#wantedBy.size === 0) {
      this.#stopSending?.();
      return;
    }
    if (this.#changed.size === 0) return;
    const calls = [...this.#changed.values()].slice(-MAX_SENT).map((call) => {
      const { shownArguments: _, ...shown } = this.json(call);
      return shown;
    });
    this.#changed.clear();
    this.#bus?.publish(TOPIC, { calls: JSON.parse(JSON.stringify(calls)) as JsonValue });
  }
}
