/**
 * One run on a thread, from its POST to its end. Always on a thread: only there can a run be cancelled, resumed, or be
 * ended by the server when the connection goes (`on_disconnect` is ignored elsewhere, measured).
 *
 * Invariants: the POST is sent once; a run that is not seen to its end is cancelled, whatever the reason; the promise
 * settles at once when the call is aborted, without waiting for the server.
 * @module
 */

import type { Call } from '../../src/core/call.ts';
import { isShutdown, SwitchboardError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { type SseEvent, SseParser } from '../../src/wire/sse.ts';
import { type Following, follow } from '../shared/follow.ts';
import type { WholeReply } from '../shared/origin.ts';
import { type BodySink, collector, type HttpExchange, type HttpHead } from '../shared/origin.ts';
import { type LanggraphApi, parseJson } from './api.ts';
import { agentFailure, cancelledElsewhere, notLanggraph } from './failure.ts';
import { type Interrupt, readInterrupt } from './interrupts.ts';
import { nameOf, type Pieces, type SpokenPlace } from './progress.ts';

/** Limit of all events of a run together, in multiples of `maxReplyBytes`: the state is sent again after every step. */
export const MAX_STREAM_REPLIES = 64;
const CONTROL_TIMEOUT_MS = 5_000;
const MOST_INTERRUPTS = 100;
const INTERRUPT = Buffer.from('"__interrupt__"');
/** How often at most the place in the events is reported for the next process. */
export const TELL_EVERY_MS = 3_000;
/** Before the first event: what `Last-Event-ID` is for all of them. */
const BEFORE_ALL = '-1';

export interface RunRequest {
  agent: string;
  /** The server's id of the thread. */
  thread: string;
  body: JsonObject;
  /** Receives `messages` and `custom` events, and `updates` of subgraphs where they are streamed; without it none are requested. */
  pieces: Pieces | undefined;
  /** Receives the id of a run that another process may read on, and this process's place in its events. */
  began?(runId: string, place: StreamPlace | undefined): void;
  /** An error for a status other than 2xx. */
  refused(reply: WholeReply): Promise<Error> | Error;
  /** What the client sent, to be kept out of error texts. */
  sent: unknown;
}

/** A place in the events of a run, from which another process reads on. */
export interface StreamPlace {
  /** The id of the last event that was read. */
  after: string;
  said: SpokenPlace;
}

/** A run that is read at the server, of this process or of an earlier one. */
export interface FollowedRun {
  /** It goes on at the server without this process. */
  readonly isLeft: boolean;
  /** Rejects what follows it with this error at once, then cancels it at the server. Resolves when that is done. Never rejects. */
  abandon(reason: Error): Promise<void>;
  /** The same for a server that was lost: what can be found again there is left to it. */
  lost(reason: Error): Promise<void>;
  /** Resolves when nothing of it is left to be done at the server. Never rejects. */
  over(): Promise<void>;
}

export interface RunEnd {
  runId: string;
  /** The final state; undefined when there is none. */
  values: unknown;
  /** What the run waits for. Empty and `stopped`: a breakpoint. */
  interrupts: Interrupt[];
  stopped: boolean;
}

export class Run implements FollowedRun {
  readonly #api: LanggraphApi;
  readonly #log: Log;
  readonly #request: RunRequest;
  readonly #ended = Promise.withResolvers<RunEnd>();
  readonly #parser: SseParser;
  readonly #checks = new AbortController();
  #exchange: HttpExchange | undefined;
  #runId: string | undefined;
  #bytes = 0;
  /** The last state, parsed when the run has ended. */
  #values: Buffer | JsonObject | undefined;
  readonly #interrupts: Interrupt[] = [];
  #stopped = false;
  #failure: Error | undefined;
  #settled = false;
  #following: Following | undefined;
  #cancelling: Promise<void> | undefined;
  #call: Call | undefined;
  /** The id of the last event, of a run whose events another process can read on. */
  #after: string | undefined;
  #toldAt = 0;
  isLeft = false;

  constructor(api: LanggraphApi, log: Log, request: RunRequest) {
    this.#api = api;
    this.#log = log;
    this.#request = request;
    this.#parser = new SseParser({ onEvent: (event) => this.#event(event) }, api.maxReplyBytes);
  }

  /** Runs to the end. Rejects with the call's own reason when it is aborted. */
  async follow(call: Call): Promise<RunEnd> {
    if (call.aborted) throw call.signal.reason;
    const { thread, body, pieces } = this.#request;
    const isResumable = call.lasting === true && pieces !== undefined;
    if (isResumable) this.#after = BEFORE_ALL;
    this.#exchange = this.#api.stream(
      `/threads/${thread}/runs/stream`,
      {
        ...body,
        stream_mode: modesOf(pieces !== undefined, body.stream_subgraphs === true),
        // A run that may be read on by another process goes on without a reader.
        on_disconnect: call.lasting ? 'continue' : 'cancel',
        // The server keeps the events. It costs it memory, so only where they may be read again.
        ...(isResumable ? { stream_resumable: true } : {}),
      },
      (head) => this.#receive(head),
      (error) => void this.abandon(error),
      () => call.left?.(),
    );
    this.#call = call;
    const off = call.onAbort(
      (reason) => void (isShutdown(reason) && call.lasting ? this.letGo(reason) : this.abandon(reason)),
    );
    this.#following = follow(call, () => this.#isGoingOn());
    try {
      return await this.#ended.promise;
    } finally {
      off();
      this.#following.stop();
    }
  }

  async over(): Promise<void> {
    if (!this.#exchange) return;
    await this.#ended.promise.catch(() => {});
    await this.#cancelling;
  }

  /** Rejects {@link follow} with this error; the run goes on at the server. */
  letGo(reason: Error): void {
    if (this.#settled) return;
    this.#tell();
    this.#settled = true;
    this.isLeft = true;
    this.#ended.reject(reason);
    this.#checks.abort(reason);
    this.#exchange?.abort(reason);
  }

  /** A silent run may be in a long step, or in the server's queue. */
  async #isGoingOn(): Promise<boolean> {
    if (this.#settled || this.#runId === undefined) return false;
    const status = await this.#status(this.#runId);
    return status === 'running' || status === 'pending';
  }

  /** Its stream is gone with the server. */
  lost(reason: Error): Promise<void> {
    return this.abandon(reason);
  }

  async abandon(reason: Error): Promise<void> {
    if (this.#settled) return;
    this.#settled = true;
    this.#cancelling = this.#cancel(reason);
    await this.#cancelling;
  }

  async #cancel(reason: Error): Promise<void> {
    this.#ended.reject(reason);
    this.#checks.abort(reason);
    // Closing the stream cancels too (`on_disconnect`), and is all there is before the run has an id.
    this.#exchange?.abort(reason);
    if (this.#runId === undefined) return;
    const { thread } = this.#request;
    await cancelRun(this.#api, this.#log, `/threads/${thread}/runs/${this.#runId}`, this.#runId);
  }

  #receive(head: HttpHead): BodySink {
    if (head.status !== 200) {
      return this.#whole((body) => this.#refuse({ ...head, body }));
    }
    this.#runId = runIdOf(head.headers['content-location']);
    this.#tell();
    if (!head.headers['content-type']?.startsWith('text/event-stream')) {
      return this.#whole(() => this.abandon(notLanggraph(this.#api.name)));
    }
    const maxBytes = this.#api.maxReplyBytes * MAX_STREAM_REPLIES;
    return {
      data: (chunk) => {
        this.#bytes += chunk.length;
        this.#following?.heard();
        if (this.#bytes > maxBytes) {
          void this.abandon(
            new SwitchboardError('SWB_REPLY_TOO_LARGE', `The agent's events are over ${maxBytes} bytes in total.`),
          );
          return;
        }
        try {
          if (!this.#settled) this.#parser.push(chunk);
        } catch (error) {
          void this.abandon(error as Error);
        }
      },
      end: () => void this.#finish(),
      error: (error) => void this.abandon(this.#api.failure(error)),
    };
  }

  /** What the next process needs, where the call outlives this one. */
  #tell(): void {
    if (this.#runId === undefined || !this.#call?.lasting) return;
    const said = this.#request.pieces?.place;
    // The joiner holds text back, so another process could not go on from here: the place reported before stays.
    if (!said && this.#toldAt > 0) return;
    this.#toldAt = Date.now();
    this.#request.began?.(this.#runId, said && this.#after !== undefined ? { after: this.#after, said } : undefined);
  }

  /** An event was read whole. */
  #passed(id: string | undefined): void {
    if (id === undefined || this.#after === undefined || this.#settled) return;
    this.#after = id;
    if (Date.now() - this.#toldAt >= TELL_EVERY_MS) this.#tell();
  }

  #whole(done: (body: Buffer) => Promise<void>): BodySink {
    const abandon = (error: Error): void => void this.abandon(error);
    return collector(this.#api.maxReplyBytes, (body) => void done(body), abandon, abandon);
  }

  async #refuse(reply: WholeReply): Promise<void> {
    try {
      await this.abandon(await this.#request.refused(reply));
    } catch (error) {
      await this.abandon(error as Error);
    }
  }

  #event({ event, data, id }: SseEvent): void {
    if (this.#settled) return;
    const { mode, path } = nameOf(event);
    switch (mode) {
      case 'metadata':
        if (this.#runId === undefined) {
          this.#runId = runIdIn(parseJson(data, this.#api.name));
          this.#tell();
        }
        break;
      case 'values':
        // The state of a subgraph is not the graph's.
        if (path === undefined) {
          this.#state(data);
          this.#request.pieces?.ended();
        }
        break;
      case 'messages':
      case 'custom':
      case 'updates':
        this.#request.pieces?.piece(mode, parseJson(data, this.#api.name), path);
        break;
      case 'error':
        this.#failure = agentFailure(this.#request.agent, parseJson(data, this.#api.name), this.#request.sent);
        break;
    }
    this.#passed(id);
  }

  /**
   * An interrupt is a `values` event of its own, one for each branch that waits, without state (measured; the Python
   * server puts it beside the state). An empty list of them is a breakpoint.
   */
  #state(data: Buffer): void {
    if (!data.includes(INTERRUPT)) {
      this.#values = data;
      return;
    }
    const values = parseJson(data, this.#api.name);
    if (!isObject(values) || !Array.isArray(values.__interrupt__)) {
      this.#values = data;
      return;
    }
    const { __interrupt__: interrupts, ...state } = values;
    this.#stopped = true;
    for (const interrupt of interrupts.map(readInterrupt)) {
      const known = interrupt.id !== undefined && this.#interrupts.some(({ id }) => id === interrupt.id);
      if (!known && this.#interrupts.length < MOST_INTERRUPTS) this.#interrupts.push(interrupt);
    }
    if (Object.keys(state).length > 0) this.#values = state;
  }

  /** Checks how the run ended: its stream ends in the same way when another client cancels it. */
  async #finish(): Promise<void> {
    if (this.#settled) return;
    try {
      if (this.#failure) throw this.#failure;
      const runId = this.#runId;
      if (runId === undefined) throw notLanggraph(this.#api.name);
      if (!this.#stopped) await this.#checkStatus(runId);
      const values = this.#values instanceof Buffer ? parseJson(this.#values, this.#api.name) : this.#values;
      this.#settle({ runId, values, interrupts: this.#interrupts, stopped: this.#stopped });
    } catch (error) {
      // An `error` event is the end of a run; only one that may still go on is cancelled.
      if (error === this.#failure) this.#fail(error as Error);
      else await this.abandon(error as Error);
    }
  }

  async #checkStatus(runId: string): Promise<void> {
    const { agent } = this.#request;
    switch (await this.#status(runId)) {
      case 'success':
        return;
      case 'interrupted':
        throw cancelledElsewhere(agent);
      case 'error':
        throw new SwitchboardError('SWB_AGENT_FAILED', `Agent '${agent}' failed without saying why.`);
      case 'timeout':
        throw new SwitchboardError('SWB_AGENT_FAILED', `Agent '${agent}' ran out of its server's time.`);
      case 'running':
      case 'pending':
        throw new SwitchboardError(
          'SWB_UPSTREAM_UNAVAILABLE',
          `Server '${this.#api.name}' broke off while agent '${agent}' was running; the run is cancelled.`,
        );
      default:
        throw notLanggraph(this.#api.name);
    }
  }

  async #status(runId: string): Promise<unknown> {
    const { thread } = this.#request;
    const signal = AbortSignal.any([this.#checks.signal, AbortSignal.timeout(CONTROL_TIMEOUT_MS)]);
    const run = await this.#api.json('GET', `/threads/${thread}/runs/${runId}`, undefined, signal);
    return isObject(run) ? run.status : undefined;
  }

  #settle(end: RunEnd): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#ended.resolve(end);
  }

  #fail(error: Error): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#ended.reject(error);
  }
}

const modesOf = (pieces: boolean, subgraphs: boolean): string[] => [
  'values',
  ...(pieces ? ['messages-tuple', 'custom'] : []),
  ...(pieces && subgraphs ? ['updates'] : []),
];

/** `Content-Location: /threads/{thread}/runs/{run}`, there before the first event. */
function runIdOf(location: unknown): string | undefined {
  return typeof location === 'string' ? /\/runs\/([\w-]{1,64})(?:[/?]|$)/.exec(location)?.[1] : undefined;
}

function runIdIn(metadata: unknown): string | undefined {
  const id = isObject(metadata) ? metadata.run_id : undefined;
  return typeof id === 'string' && /^[\w-]{1,64}$/.test(id) ? id : undefined;
}

/** Never rejects. */
export async function cancelRun(api: LanggraphApi, log: Log, path: string, run: string): Promise<void> {
  try {
    // Without `wait`: both versions read any value of it as true, `0` included (measured), and then wait for the end.
    await api.reply('POST', `${path}/cancel`, undefined, AbortSignal.timeout(CONTROL_TIMEOUT_MS));
  } catch (error) {
    log.debug({ server: api.name, run, error }, 'cancelling a run failed');
  }
}
