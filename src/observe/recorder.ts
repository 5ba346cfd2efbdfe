/**
 * The last calls of a gateway, put together from its events: for pages and commands that show calls as they happen. It listens
 * while an operator looks and for a while after, so that other calls cost nothing.
 *
 * Values of arguments are kept only while an operator has switched that on, for a limited time.
 * @module
 */
import { errorCodeOf } from '../core/errors.ts';
import { shortenTo } from '../core/text.ts';
import type { Era } from '../wire/eras.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { type ConcludedEvent, type EventMap, type EventName, subscribe } from './events.ts';

/** A moment of a call: milliseconds since its beginning, and what happened. */
export interface CallStep {
  readonly ms: number;
  readonly what: 'arrived' | 'decision' | 'queued' | 'left' | 'ask' | 'concluded' | 'finished';
  readonly detail: string;
}

export interface RecordedCall {
  readonly call: number;
  /** ISO 8601. */
  readonly at: string;
  method: string;
  principal: string;
  grant: string | undefined;
  era: Era | undefined;
  /** The server's own endpoint it came to; undefined: the merged one. */
  endpoint: string | undefined;
  server: string | undefined;
  section: string | undefined;
  /** The server's own name for it. */
  name: string | undefined;
  namespaced: string | undefined;
  decision: 'allow' | 'deny' | 'approve' | 'shadow' | undefined;
  policy: string | undefined;
  rule: string | undefined;
  shadow: readonly string[] | undefined;
  /** `running` until it has been answered. */
  outcome: 'running' | 'ok' | 'tool-error' | 'error' | 'cancelled' | 'timeout' | 'denied' | 'pending';
  errorCode: string | number | undefined;
  durationMs: number | undefined;
  queueMs: number;
  steps: CallStep[];
  /** As people may see them; only where values were recorded. */
  shownArguments: string | undefined;
  /** Counts changes of this record. */
  version: number;
}

const MAX_CALLS = 1_000;
const MAX_STEPS = 40;
/** It goes on so long after the last one who looked has left. */
const LINGER_MS = 15 * 60_000;
/** Methods of protocol upkeep say nothing about calls. */
const UPKEEP = new Set(['ping', 'initialize', 'server/discover', 'logging/setLevel']);

export interface RecorderOptions {
  instance: string;
  /** The arguments as people may see them, as text. */
  shown(event: ConcludedEvent): string;
  lingerMs?: number;
}

export class CallRecorder {
  readonly #options: RecorderOptions;
  readonly #calls = new Map<number, RecordedCall>();
  readonly #starts = new WeakMap<RecordedCall, number>();
  /** As the client sent them, for a request that is explained or repeated. They leave this class for that alone. */
  readonly #arguments = new WeakMap<RecordedCall, JsonObject>();
  readonly #listeners = new Set<(call: RecordedCall) => void>();
  #stops: (() => void)[] = [];
  #linger: NodeJS.Timeout | undefined;
  #valuesUntil = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  get recording(): boolean {
    return this.#stops.length > 0;
  }

  /** Until when values of arguments are recorded, in milliseconds since the epoch; undefined: they are not. */
  get valuesUntil(): number | undefined {
    return Date.now() < this.#valuesUntil ? this.#valuesUntil : undefined;
  }

  /** Records values for so long from now; 0 ends it and forgets what was recorded of them. */
  recordValues(ms: number): void {
    this.#valuesUntil = Date.now() + ms;
    if (ms > 0) return;
    for (const call of this.#calls.values()) {
      this.#arguments.delete(call);
      call.shownArguments = undefined;
    }
  }

  /** Oldest first. */
  list(): RecordedCall[] {
    return [...this.#calls.values()];
  }

  get(call: number): RecordedCall | undefined {
    return this.#calls.get(call);
  }

  argumentsOf(call: RecordedCall): JsonObject | undefined {
    return this.#arguments.get(call);
  }

  /** Calls `listener` with each call that is new or has changed. Recording begins, and goes on for a while after the function it returns. */
  follow(listener: (call: RecordedCall) => void): () => void {
    this.#listeners.add(listener);
    clearTimeout(this.#linger);
    if (this.#stops.length === 0) this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearTimeout(this.#linger);
      this.#linger = setTimeout(() => this.#stop(), this.#options.lingerMs ?? LINGER_MS).unref();
    };
  }

  close(): void {
    clearTimeout(this.#linger);
    this.#stop();
    this.#listeners.clear();
    this.#calls.clear();
  }

  #stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
    // What is still running will not be seen to end.
    for (const [id, call] of this.#calls) if (call.outcome === 'running') this.#calls.delete(id);
  }

  #start(): void {
    const on = <N extends EventName>(name: N, listener: (event: EventMap[N]) => void): void =>
      void this.#stops.push(subscribe(name, listener, this.#options.instance));

    on('request', ({ call, method, principal, grant, era, endpoint }) => {
      if (call === undefined || UPKEEP.has(method) || method.startsWith('notifications/')) return;
      this.#add(call, { method, principal, grant, era, endpoint });
    });
    on('decision', (event) => {
      const { effect, policy, rule } = event;
      const because = policy === undefined ? effect : `${effect}, by ${rule ?? ''} of ${policy}`;
      this.#change(event.call, 'decision', because, (call) => {
        subjectInto(call, event);
        call.decision = effect;
        call.policy = policy;
        call.rule = rule;
      });
    });
    on('queued', ({ call, server, waiting }) =>
      this.#change(call, 'queued', `waits for a place at ${server}, ${waiting} waiting`, (record) => {
        record.server ??= server;
      }),
    );
    on('left', ({ call, server, queueMs }) =>
      this.#change(call, 'left', `sent to ${server}`, (record) => {
        record.server ??= server;
        record.queueMs = queueMs;
      }),
    );
    on('ask', ({ call, method, server }) =>
      this.#change(call, 'ask', `${server ?? 'the server'} asks: ${method}`, () => {}),
    );
    on('concluded', (event) =>
      this.#change(event.call, 'concluded', `${event.verdict}, ${event.outcome}`, (call) => {
        subjectInto(call, event);
        call.namespaced = shortenTo(event.namespaced, 200);
        call.decision = event.verdict;
        call.policy = event.policy;
        call.rule = event.rule;
        call.shadow = event.shadow;
        call.errorCode = event.errorCode;
        // A call that was answered with a question goes on as another request.
        if (event.outcome !== 'ok') call.outcome = event.outcome;
        if (this.valuesUntil === undefined) return;
        call.shownArguments = this.#options.shown(event);
        if (event.arguments) this.#arguments.set(call, event.arguments);
      }),
    );
    on('finished', ({ call, server, about, durationMs, queueMs, error }) =>
      this.#change(call, 'finished', error === undefined ? 'answered' : `failed: ${errorCodeOf(error)}`, (record) => {
        record.server ??= server ?? about;
        record.durationMs = durationMs;
        record.queueMs = queueMs;
        if (error !== undefined) record.errorCode ??= errorCodeOf(error);
        if (record.outcome === 'running') record.outcome = error === undefined ? 'ok' : 'error';
      }),
    );
  }

  #add(call: number, of: Pick<RecordedCall, 'method' | 'principal' | 'grant' | 'era' | 'endpoint'>): void {
    const record: RecordedCall = {
      call,
      at: new Date().toISOString(),
      ...of,
      server: of.endpoint,
      section: undefined,
      name: undefined,
      namespaced: undefined,
      decision: undefined,
      policy: undefined,
      rule: undefined,
      shadow: undefined,
      outcome: 'running',
      errorCode: undefined,
      durationMs: undefined,
      queueMs: 0,
      steps: [{ ms: 0, what: 'arrived', detail: of.method }],
      shownArguments: undefined,
      version: 0,
    };
    const oldest = this.#calls.keys().next().value;
    if (this.#calls.size >= MAX_CALLS && oldest !== undefined) this.#calls.delete(oldest);
    this.#calls.set(call, record);
    this.#starts.set(record, performance.now());
    this.#tell(record);
  }

  #change(id: number | undefined, what: CallStep['what'], detail: string, change: (call: RecordedCall) => void): void {
    const call = id === undefined ? undefined : this.#calls.get(id);
    if (!call) return;
    const ms = performance.now() - (this.#starts.get(call) ?? 0);
    if (call.steps.length < MAX_STEPS) call.steps.push({ ms: Math.round(ms * 100) / 100, what, detail });
    change(call);
    this.#tell(call);
  }

  #tell(call: RecordedCall): void {
    call.version++;
    for (const listener of this.#listeners) listener(call);
  }
}

/** Names come from servers: bounded. */
function subjectInto(
  call: RecordedCall,
  { server, section, name }: Pick<ConcludedEvent, 'server' | 'section' | 'name'>,
): void {
  call.server = server;
  call.section = section;
  call.name = shortenTo(name, 200);
}
