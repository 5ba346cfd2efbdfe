/**
 * Responses that go on without a connection (`"background": true` in the agent's `request`): one whose stream breaks off is followed
 * again from its last event, one that is not read to its end is cancelled by its id, and one of a call that outlives the gateway is left
 * to the next process, with the number of the event that was read last.
 * @module
 */
import type { Call } from '../../src/core/call.ts';
import { pause, within } from '../../src/core/deadline.ts';
import { isShutdown, SwitchboardError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { Reader, ResponsesApi } from './api.ts';

const LOOK_EVERY_MS = 1_000;
/** Connections in a row without an event. */
const MAX_LOST = 4;
/** How long the id of a response may take that is to be cancelled. */
const ID_MS = 5_000;
/** The adapter passes its place in the events to the call no more often. */
const TELL_EVERY_MS = 3_000;

export interface BackgroundOptions {
  api: ResponsesApi;
  log: Log;
  call: Call;
  thread: string | undefined;
  /** Those that are read or being cancelled, for the upstream to end when it is closed. */
  running: Set<BackgroundResponse>;
  onEvent(event: JsonObject): void;
  /** Where the call is in what is said, for the next process. */
  place(): JsonObject;
}

/** A response that an earlier process began, and the number of the last event it read. */
export interface KnownResponse {
  id: string;
  after: number | undefined;
}

/** Sends the request that starts a response. */
type Begin = (reader: Reader, heard: (event: JsonObject) => void) => Promise<JsonObject>;

export class BackgroundResponse {
  readonly #options: BackgroundOptions;
  readonly #ended = Promise.withResolvers<JsonObject>();
  /** Resolves when the id is known, or will never be. */
  readonly #known = Promise.withResolvers<void>();
  readonly #stop = new AbortController();
  #id: string | undefined;
  #after: number | undefined;
  #lost = 0;
  #toldAt = 0;
  #hasLeft = false;
  #settled = false;
  #abandoning: Promise<void> | undefined;

  constructor(options: BackgroundOptions, known?: KnownResponse) {
    this.#options = options;
    this.#id = known?.id;
    this.#after = known?.after;
  }

  /** Reads to the end; without `begin`, the response that is known. Rejects at once when the call is aborted. */
  async read(begin: Begin | undefined): Promise<JsonObject> {
    const { call, running } = this.#options;
    if (call.aborted) throw call.signal.reason;
    const off = call.onAbort((reason) => {
      if (call.lasting && this.#id !== undefined && isShutdown(reason)) this.#letGo(reason);
      else void this.abandon(reason);
    });
    running.add(this);
    this.#follow(begin)
      .finally(() => this.#known.resolve())
      .then(
        (response) => {
          this.#settled = true;
          this.#ended.resolve(response);
        },
        (error: Error) => void this.abandon(error),
      );
    try {
      return await this.#ended.promise;
    } finally {
      off();
      // One that is being cancelled still needs the connection.
      void Promise.resolve(this.#abandoning).then(() => running.delete(this));
    }
  }

  /** Rejects {@link read} with this error at once, then cancels the response at the server. Resolves when that is done. Never rejects. */
  async abandon(reason: Error): Promise<void> {
    if (!this.#settled) {
      // The server may be lost, and the response be found again when that is back.
      if (this.#options.call.lasting) this.#tell();
      this.#settled = true;
      this.#ended.reject(reason);
      this.#abandoning = this.#cancel(reason);
    }
    await this.#abandoning;
  }

  async #cancel(reason: Error): Promise<void> {
    const { api, call, log } = this.#options;
    // The id comes with the first event: until then there is nothing to name in a request to cancel.
    if (this.#id === undefined && this.#hasLeft) await within(this.#known.promise, ID_MS, () => undefined);
    this.#stop.abort(reason);
    const response = this.#id;
    if (response === undefined) return;
    await api.cancel(response, call.caller.identity).catch((error: unknown) => {
      log.debug({ server: api.name, response, error }, 'cancelling a response failed');
    });
  }

  /** The gateway ends: the next process goes on after the last event. */
  #letGo(reason: Error): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#tell();
    this.#ended.reject(reason);
    this.#stop.abort(reason);
  }

  async #follow(begin: Begin | undefined): Promise<JsonObject> {
    const { api, call } = this.#options;
    const reader = this.#reader();
    const heard = (event: JsonObject): void => this.#heard(event);
    for (let first = begin; ; first = undefined) {
      try {
        const response = first
          ? await first(reader, heard)
          : await api.follow(reader, this.#id ?? '', this.#after, heard);
        if (!goesOn(response)) return response;
        this.#learn(response);
      } catch (error) {
        const isLost = error instanceof SwitchboardError && error.code === 'SWB_UPSTREAM_UNAVAILABLE';
        if (!isLost || this.#id === undefined || this.#settled || ++this.#lost >= MAX_LOST) throw error;
      }
      call.alive?.();
      await pause(reader, LOOK_EVERY_MS);
    }
  }

  #heard(event: JsonObject): void {
    const { call, onEvent } = this.#options;
    this.#lost = 0;
    // The last event is read again where its stream breaks off behind it.
    const isLast = isObject(event.response) && !goesOn(event.response);
    if (typeof event.sequence_number === 'number' && !isLast) this.#after = event.sequence_number;
    this.#learn(event.response);
    if (this.#settled) return;
    onEvent(event);
    if (call.lasting && Date.now() - this.#toldAt >= TELL_EVERY_MS) this.#tell();
  }

  #learn(response: unknown): void {
    if (this.#id !== undefined || !isObject(response) || typeof response.id !== 'string') return;
    this.#id = response.id;
    this.#known.resolve();
    if (this.#options.call.lasting && !this.#settled) this.#tell();
  }

  /** What the next process needs, where the call outlives this one. */
  #tell(): void {
    const { call, thread, place } = this.#options;
    if (this.#id === undefined) return;
    this.#toldAt = Date.now();
    // Without a number the events are read from the first one again.
    const after: JsonObject = this.#after === undefined ? {} : { after: this.#after, ...place(), continues: true };
    call.began?.({ responseId: this.#id, ...(thread === undefined ? {} : { threadId: thread }), ...after });
  }

  /** The call, but for its abort: the stream is read on until the response can be cancelled. */
  #reader(): Reader {
    const { call } = this.#options;
    const { signal } = this.#stop;
    return {
      caller: call.caller,
      alive: () => call.alive?.(),
      left: () => {
        this.#hasLeft = true;
        call.left?.();
      },
      onAbort: (listener) => {
        const stop = (): void => listener(signal.reason as Error);
        if (signal.aborted) stop();
        else signal.addEventListener('abort', stop, { once: true });
        return () => signal.removeEventListener('abort', stop);
      },
    };
  }
}

const GOES_ON: ReadonlySet<string> = new Set(['in_progress', 'queued']);

const goesOn = ({ status }: JsonObject): boolean => GOES_ON.has(String(status));
