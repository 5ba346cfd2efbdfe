/**
 * Runs that another process of the gateway began: what they are known by, what they still say, and how they end. The server keeps a run
 * and the state of its thread, so both can be read at any time (`GET …/runs/{run}`, `GET …/state`). Where it keeps the events too
 * (`stream_resumable`), those behind the last one that was read are replayed (`GET …/stream` with `Last-Event-ID`, measured on both lines).
 *
 * Invariants: text is sent from the events of the run's own stream alone, once and in order; how the run ends is asked of the server; the
 * run is cancelled there when its call is aborted, its server is disconnected, or how it stands cannot be read; it is left where the
 * gateway ends or the server is lost, and where it has ended already.
 * @module
 */
import type { AgentRunRef } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { pause } from '../../src/core/deadline.ts';
import { isShutdown, SwitchboardError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { type SseEvent, SseParser } from '../../src/wire/sse.ts';
import { follow } from '../shared/follow.ts';
import type { BodySink, HttpExchange, HttpHead } from '../shared/origin.ts';
import { patiently } from '../shared/patience.ts';
import { type LanggraphApi, parseJson } from './api.ts';
import { agentFailure, cancelledElsewhere, httpFailure, notLanggraph } from './failure.ts';
import { type Interrupt, readInterrupt } from './interrupts.ts';
import { nameOf, type Pieces, type SpokenPlace } from './progress.ts';
import {
  cancelRun,
  type FollowedRun,
  MAX_STREAM_REPLIES,
  type RunEnd,
  type StreamPlace,
  TELL_EVERY_MS,
} from './run.ts';
import type { ThreadId } from './threads.ts';

const POLL_MS = 1_000;
const LOOK_TIMEOUT_MS = 5_000;
const MOST_INTERRUPTS = 100;
/** Statuses of runs. */
const ENDED: ReadonlySet<unknown> = new Set(['success', 'interrupted', 'error', 'timeout']);
/** Of a stream that broke off and whose run has ended meanwhile. */
const MAX_REREADS = 2;
/** What can be a header: ids of events are numbers, and of Redis in the Python server. */
const EVENT_ID = /^[\x21-\x7e]{1,128}$/;

/** `place`: how far this process has read the run's events; the next one reads on from there. */
export const refOf = (thread: ThreadId, runId: string, place?: StreamPlace): AgentRunRef => ({
  runId,
  threadId: thread.server,
  thread: { ...thread },
  ...(place ? { ...place, continues: true } : {}),
});

/** What {@link refOf} made. */
export function readRef(ref: unknown): { runId: string; thread: ThreadId; place: StreamPlace | undefined } {
  const { runId, thread, after, said } = isObject(ref) ? ref : {};
  if (typeof runId !== 'string' || !isObject(thread) || typeof thread.server !== 'string') {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'run must be what the call was told when it began.');
  }
  const isPlace = typeof after === 'string' && EVENT_ID.test(after) && isObject(said);
  const place = isPlace ? { after, said: said as unknown as SpokenPlace } : undefined;
  return { runId, thread: thread as unknown as ThreadId, place };
}

const UNREAD = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'The rest of the stream is not read.');

export interface AttachedOptions {
  api: LanggraphApi;
  log: Log;
  agent: string;
  runId: string;
  thread: ThreadId;
  /** Undefined: what it says is not sent, or cannot be read on. */
  after: string | undefined;
  pieces: Pieces | undefined;
}

export class AttachedRun implements FollowedRun {
  readonly #options: AttachedOptions;
  readonly #path: string;
  readonly #ended = Promise.withResolvers<RunEnd>();
  readonly #stop = new AbortController();
  #call: Call | undefined;
  #after: string | undefined;
  #bytes = 0;
  #toldAt = 0;
  /** `#bytes` when the server said that the run is over and its stream was silent. */
  #silentAt: number | undefined;
  /** The stream has nothing more to give, although its server did not end it. */
  #isSpent = false;
  /** The run is over at the server, or unknown there: there is nothing to be cancelled. */
  #hasEnded = false;
  #failure: Error | undefined;
  #exchange: HttpExchange | undefined;
  #settled = false;
  #cancelling: Promise<void> | undefined;
  isLeft = false;

  constructor(options: AttachedOptions) {
    this.#options = options;
    this.#path = `/threads/${options.thread.server}/runs/${options.runId}`;
    this.#after = options.after;
  }

  /** Waits for the end of the run. Rejects at once with the call's own reason when it is aborted. */
  async follow(call: Call): Promise<RunEnd> {
    this.#call = call;
    const off = call.onAbort(
      (reason) => void (isShutdown(reason) && call.lasting ? this.letGo(reason) : this.abandon(reason)),
    );
    // Aborted before it began: the run has been left or is being cancelled by the same rule.
    if (this.#settled) return this.#ended.promise;
    const following = follow(call, () => this.#isGoingOn());
    this.#untilEnded(call, following.heard).then(
      (end) => {
        this.#settled = true;
        this.#ended.resolve(end);
      },
      (error: Error) => void this.abandon(error),
    );
    try {
      return await this.#ended.promise;
    } finally {
      off();
      following.stop();
    }
  }

  /** Rejects {@link follow} with this error; the run goes on at the server, and a later call reads on where this one was. */
  letGo(reason: Error): void {
    if (this.#settled) return;
    this.#tell();
    this.isLeft = true;
    this.#settle(reason);
  }

  lost(reason: Error): Promise<void> {
    const { thread, runId, pieces } = this.#options;
    const hasPlace = pieces?.place !== undefined && this.#after !== undefined;
    // The place reported before lies behind what was sent since. Without one the next attach of this process sends no text.
    if (!this.#settled && !hasPlace && this.#call?.lasting) this.#call.began?.(refOf(thread, runId));
    this.letGo(reason);
    return this.over();
  }

  async abandon(reason: Error): Promise<void> {
    if (!this.#settled) {
      const { api, log, runId } = this.#options;
      this.#settle(reason);
      if (!this.#hasEnded) this.#cancelling = cancelRun(api, log, this.#path, runId);
    }
    await this.#cancelling;
  }

  async over(): Promise<void> {
    await this.#ended.promise.catch(() => {});
    await this.#cancelling;
  }

  #settle(reason: Error): void {
    this.#settled = true;
    this.#ended.reject(reason);
    this.#stop.abort(reason);
    this.#exchange?.abort(reason);
  }

  /** Reports the place, from which the next process reads on. */
  #tell(): void {
    const { thread, runId, pieces } = this.#options;
    const said = pieces?.place;
    if (!this.#call?.lasting || !said || this.#after === undefined) return;
    this.#toldAt = Date.now();
    this.#call.began?.(refOf(thread, runId, { after: this.#after, said }));
  }

  async #untilEnded(call: Call, heard: () => void): Promise<RunEnd> {
    const { api, agent } = this.#options;
    for (let rereads = 0; ; ) {
      const isRead = this.#after === undefined || (await this.#listen(this.#after, heard));
      const status = await this.#patiently(call, () => this.#status());
      // The stream broke off, and the server may still have the rest of it.
      if (this.#hasEnded && !isRead && this.#after !== undefined && rereads++ < MAX_REREADS) {
        await pause(call, POLL_MS);
        continue;
      }
      switch (status) {
        case 'success':
        case 'interrupted':
          return this.#patiently(call, () => this.#end(status));
        case 'error':
          throw this.#failure ?? new SwitchboardError('SWB_AGENT_FAILED', `Agent '${agent}' failed.`);
        case 'timeout':
          throw new SwitchboardError('SWB_AGENT_FAILED', `Agent '${agent}' ran out of its server's time.`);
        case 'running':
        case 'pending':
          break;
        default:
          throw notLanggraph(api.name);
      }
      call.alive?.();
      await pause(call, POLL_MS);
    }
  }

  #patiently<T>(call: Call, look: () => Promise<T>): Promise<T> {
    return patiently(call, () => this.#settled, look);
  }

  async #status(): Promise<unknown> {
    const { api, agent } = this.#options;
    const reply = await api.reply('GET', this.#path, undefined, this.#inTime());
    if (reply.status === 404) {
      this.#hasEnded = true;
      throw new SwitchboardError(
        'SWB_AGENT_FAILED',
        `Server '${api.name}' does not know this run of '${agent}' any more.`,
      );
    }
    if (reply.status !== 200) throw httpFailure(api.name, reply);
    const run = parseJson(reply.body, api.name);
    const status = isObject(run) ? run.status : undefined;
    if (ENDED.has(status)) this.#hasEnded = true;
    return status;
  }

  /**
   * Whether the run of a silent stream goes on. Where it is over its last events may still be on their way: a stream that is silent until
   * the next such answer is ended, as it has nothing more to give.
   */
  async #isGoingOn(): Promise<boolean> {
    const status = await this.#status();
    const goesOn = status === 'running' || status === 'pending';
    const isSilent = this.#silentAt === this.#bytes;
    this.#silentAt = goesOn ? undefined : this.#bytes;
    if (goesOn || !isSilent) return true;
    this.#isSpent = true;
    this.#exchange?.abort(UNREAD);
    return false;
  }

  async #end(status: string): Promise<RunEnd> {
    const { api, agent, runId, thread } = this.#options;
    const state = await api.json('GET', `/threads/${thread.server}/state`, undefined, this.#inTime());
    const { values, tasks, next } = isObject(state) ? state : ({} as JsonObject);
    const interrupts: Interrupt[] = (Array.isArray(tasks) ? tasks : [])
      .flatMap((task) => (isObject(task) && Array.isArray(task.interrupts) ? task.interrupts : []))
      .slice(0, MOST_INTERRUPTS)
      .map(readInterrupt);
    const waits = interrupts.length > 0 || (Array.isArray(next) && next.length > 0);
    // LangGraph gives a cancelled run the status `interrupted` as well; it has no interrupts.
    if (status === 'interrupted' && interrupts.length === 0) throw cancelledElsewhere(agent);
    return { runId, values, interrupts, stopped: waits };
  }

  #inTime(): AbortSignal {
    return AbortSignal.any([this.#stop.signal, AbortSignal.timeout(LOOK_TIMEOUT_MS)]);
  }

  /** Reads the stream until it ends or fails. Resolves with whether it was read to its end. Never rejects: the result has the whole text. */
  #listen(after: string, heard: () => void): Promise<boolean> {
    const { api } = this.#options;
    this.#silentAt = undefined;
    return new Promise((resolve) => {
      const broken = (): void => resolve(this.#isSpent);
      const receive = (head: HttpHead): BodySink => {
        const isStream = head.status === 200 && head.headers['content-type']?.startsWith('text/event-stream') === true;
        const parser = new SseParser({ onEvent: (event) => this.#event(event) }, api.maxReplyBytes);
        if (!isStream) {
          // A server error (5xx) may be gone the next time; any other refusal is final.
          if (head.status < 500) this.#after = undefined;
          this.#exchange?.abort(UNREAD);
        }
        return {
          data: (chunk) => {
            if (this.#settled || this.#after === undefined) return;
            heard();
            try {
              this.#bytes += chunk.length;
              if (this.#bytes > api.maxReplyBytes * MAX_STREAM_REPLIES) this.#after = undefined;
              else parser.push(chunk);
            } catch {
              this.#after = undefined;
            }
            if (this.#after === undefined) this.#exchange?.abort(UNREAD);
          },
          end: () => resolve(isStream),
          error: broken,
        };
      };
      this.#exchange = api.readOn(`${this.#path}/stream`, after, receive, broken);
    });
  }

  #event({ event, data, id }: SseEvent): void {
    const { api, agent, pieces } = this.#options;
    if (this.#settled || this.#after === undefined) return;
    if (id !== undefined && !follows(this.#after, id)) {
      // The server counts its events anew, as after a restart: what lies between is lost.
      this.#after = undefined;
      return;
    }
    const { mode, path } = nameOf(event);
    switch (mode) {
      case 'values':
        if (path === undefined) pieces?.ended();
        break;
      case 'messages':
      case 'custom':
      case 'updates':
        pieces?.piece(mode, parseJson(data, api.name), path);
        break;
      case 'error':
        this.#failure = agentFailure(agent, parseJson(data, api.name), undefined);
        break;
    }
    if (id === undefined) return;
    this.#after = id;
    if (Date.now() - this.#toldAt >= TELL_EVERY_MS) this.#tell();
  }
}

/** Where ids are numbers (the JavaScript server) they are consecutive. */
const follows = (before: string, id: string): boolean =>
  !/^-?\d+$/.test(before) || !/^\d+$/.test(id) || Number(id) === Number(before) + 1;
