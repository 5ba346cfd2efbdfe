/**
 * A session with one server over one link: gives requests their ids, knows which calls are in flight, and routes every
 * message of the server that is not a reply. Of legacy servers it is the protocol's session; of modern ones, which have
 * none, only the list of what is in flight.
 *
 * Where a message of the server goes:
 * - on a request's own stream: that call;
 * - progress elsewhere: the call with its token, or who created the task it belongs to;
 * - a question about a task elsewhere: the call that waits for the task's result, or another of who created the task;
 * - any other question elsewhere: the only call in flight, or any of several of the one caller who has some in flight; when
 *   callers differ it is refused, as it cannot be known whose client to ask;
 * - log messages elsewhere: the only call in flight, the only caller, or all callers;
 * - changes: the listeners; anything unknown: the session's owner, or all callers where it has none.
 * @module
 */

import type { Call } from '../../../src/core/call.ts';
import { RPC, SwitchboardError } from '../../../src/core/errors.ts';
import { LinkedList } from '../../../src/core/linked-list.ts';
import type { Log } from '../../../src/core/log.ts';
import type { Reply } from '../../../src/core/upstream.ts';
import { type Envelope, META } from '../../../src/wire/envelope.ts';
import type { Outline } from '../../../src/wire/json/outline.ts';
import {
  isObject,
  isRequestId,
  type JsonObject,
  type Notification,
  notification,
  type RequestId,
} from '../../../src/wire/jsonrpc.ts';
import type { Pieces } from '../../../src/wire/pieces.ts';
import { relatedTaskOf } from '../../../src/wire/tasks.ts';
import { type ClientResponse, isAsk, OpenAsks, UNKNOWN_ASKER } from './asks.ts';
import { parseMessage } from './frames.ts';
import type { ServerHandshake } from './handshake.ts';
import { LogLevels } from './levels.ts';
import type { Link, LinkEvents, ResponseHandler, Sent } from './link.ts';
import { requestOwn } from './own-request.ts';
import { asksForProgress, callerEnvelope, stampMeta } from './params.ts';
import { PendingCall, type PendingHost } from './pending.ts';
import { progressTokenOf, SessionTasks, taskCallOf } from './tasks.ts';

/** Answers on their way to the server at one time. Over HTTP each has a connection of its own. */
const MAX_ANSWERING = 128;

/** What the sessions of one upstream share. */
export interface SessionHost {
  /** The server's name in the configuration, for messages. */
  readonly name: string;
  readonly envelope: Envelope;
  readonly log: Log;
  /** A client's request was answered. */
  answered: boolean;
  /** Unique among all requests of this upstream, retries included. */
  nextId(): number;
  /** List changes, resource updates, and the end of subscriptions. True when the notification was one of those. */
  changed(notification: Notification): boolean;
  /** Anything else that belongs to no call. */
  onNotification(notification: Notification, callerKey: string | undefined): void;
  /** The session's link is lost. */
  lost(session: UpstreamSession, reason: Error, hadCalls: boolean): void;
}

export class UpstreamSession implements LinkEvents, PendingHost {
  readonly link: Link;
  /** The caller whose session it is; undefined when callers share it. */
  readonly owner: string | undefined;
  readonly levels = new LogLevels();
  readonly #host: SessionHost;
  readonly #calls = new LinkedList<PendingCall>();
  readonly #asks = new OpenAsks();
  #answering = 0;
  readonly #tasks = new SessionTasks();
  #handshake: ServerHandshake | undefined;

  constructor(link: Link, host: SessionHost, owner: string | undefined) {
    this.link = link;
    this.owner = owner;
    this.#host = host;
    link.events = this;
  }

  get name(): string {
    return this.#host.name;
  }

  /** What the server answered when the session was opened. Requests of clients come only after that. */
  get handshake(): ServerHandshake {
    if (!this.#handshake) throw new Error('The session is not open yet.');
    return this.#handshake;
  }

  set handshake(handshake: ServerHandshake) {
    this.#handshake = handshake;
  }

  get modern(): boolean {
    return this.#handshake?.era === 'modern';
  }

  /** Calls in flight. */
  get busy(): number {
    return this.#calls.size;
  }

  /**
   * Sends a client's request. Rejects with `SessionGone` when it provably did not run for want of a session. `failed` may
   * find another reply where there is none, and decides what the request is rejected with.
   */
  request(
    method: string,
    params: JsonObject,
    call: Call,
    headers?: Readonly<Record<string, string>>,
    failed?: (error: Error) => Promise<Reply>,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const id = this.#host.nextId();
      const progress = asksForProgress(params, call.wantsProgress);
      const task = this.modern ? undefined : taskCallOf(id, call.caller, params);
      const answered = task
        ? (reply: Reply): void => {
            this.#tasks.replied(reply, task);
            resolve(reply);
          }
        : resolve;
      const pending = new PendingCall(
        this,
        id,
        call,
        progress,
        answered,
        failed ? (error) => resolve(failed(error)) : reject,
      );
      if (method === 'tasks/result' && typeof params.taskId === 'string') {
        pending.waitsFor = params.taskId;
        pending.token = progressTokenOf(params);
      }
      pending.listens = method === 'subscriptions/listen';
      const envelope = this.modern
        ? callerEnvelope(call.caller, this.handshake.protocolVersion, this.#host.envelope)
        : undefined;
      stampMeta(params, envelope, id, progress);
      this.#calls.append(pending);
      pending.started(this.link.send({ jsonrpc: '2.0', id, method, params }, pending, headers));
    });
  }

  /** A request of the gateway's own with a lasting stream: its handler receives what comes on it. */
  subscribe(method: string, params: JsonObject, handler: Omit<ResponseHandler, 'id'>): { id: number; sent: Sent } {
    const id = this.#host.nextId();
    this.#stampOwn(params, id);
    return { id, sent: this.link.send({ jsonrpc: '2.0', id, method, params }, { ...handler, id }) };
  }

  /** A request of the gateway's own. Resolves with the bytes of the result. `capabilities`: of modern, in place of its own. */
  requestOwn(method: string, params: JsonObject, signal: AbortSignal, capabilities?: JsonObject): Promise<Buffer> {
    const id = this.#host.nextId();
    this.#stampOwn(params, id, capabilities);
    return requestOwn(this.link, {
      message: { jsonrpc: '2.0', id, method, params },
      name: this.name,
      signal,
      dropped: () => this.#withdraw(id, 'The request took too long.'),
    });
  }

  #stampOwn(params: JsonObject, id: number, clientCapabilities = this.#host.envelope.clientCapabilities): void {
    if (!this.modern) return;
    const { protocolVersion } = this.handshake;
    stampMeta(params, { ...this.#host.envelope, protocolVersion, clientCapabilities }, id, false);
  }

  /** Fails every call in flight at once. */
  fail(reason: Error): void {
    for (const pending of [...this.#calls]) pending.end(reason);
  }

  /** Ends the session: its calls at once, then what the server holds for it. Bounded; never rejects. */
  close(reason: Error): Promise<void> {
    this.fail(reason);
    return this.link.close(reason);
  }

  // Of the link

  lost(reason: Error, hadCalls: boolean): void {
    this.#host.lost(this, reason, hadCalls);
  }

  // Of pending calls

  answered(): void {
    this.#host.answered = true;
  }

  ended(pending: PendingCall): void {
    this.#calls.remove(pending);
    if (this.#asks.size > 0) this.#asks.end(pending.call);
  }

  cancelled(pending: PendingCall, reason: Error): void {
    this.#withdraw(pending.id, reason.message);
  }

  #withdraw(requestId: number, reason: string): void {
    // Modern HTTP: closing the stream is the cancellation, and no message is expected (patterns/cancellation).
    if (this.modern && this.link.ownStreams) return;
    void this.link.post(notification('notifications/cancelled', { requestId, reason }));
  }

  /** A message of the server's, on the stream of this call or on none. */
  serverMessage(frame: Pieces, outline: Outline, pending?: PendingCall): void {
    const message = outline.deep ? undefined : parseMessage(frame);
    if (!message) {
      this.#host.log.debug(
        { server: this.name },
        'the server sent a message that is not well-formed, or nested too deep',
      );
      return;
    }
    const { method, params } = message;
    if (this.#tasks.isNew && this.#isAboutTask(method, params)) {
      setImmediate(() => this.#received(outline.id, method, params, pending));
    } else {
      this.#received(outline.id, method, params, pending);
    }
  }

  #isAboutTask(method: string, params: JsonObject | undefined): boolean {
    if (method === 'notifications/progress') return this.#callOf(params?.progressToken) === undefined;
    return method === 'notifications/tasks/status' || relatedTaskOf(params) !== undefined;
  }

  #received(id: unknown, method: string, params: JsonObject | undefined, pending: PendingCall | undefined): void {
    if (id !== undefined && id !== null) this.#asked(id, method, params, pending);
    else this.#notified(notification(method, params), pending);
  }

  #notified(sent: Notification, pending: PendingCall | undefined): void {
    switch (sent.method) {
      case 'notifications/progress': {
        const token = sent.params?.progressToken;
        const call = this.#callOf(token);
        const ofTask = call ? undefined : this.#tasks.progress(sent);
        const waiting = this.#waitingFor(ofTask?.taskId);
        // One call that became a task and waits for it, unknown to its client.
        if (waiting && waiting.token !== undefined && waiting.token === ofTask?.token) waiting.report(sent);
        else if (ofTask) this.#host.onNotification(ofTask.notification, ofTask.callerKey);
        else (pending ?? call)?.report(sent);
        return;
      }
      case 'notifications/cancelled':
        this.#asks.withdraw(sent.params?.requestId);
        this.#subscriptionEnded(sent.params?.requestId);
        this.#host.changed(sent);
        return;
      case 'notifications/message':
        if (pending) pending.call.notify(sent);
        else this.#logged(sent);
        return;
      default: {
        const subscriber = pending?.listens ? pending : this.#subscriberOf(sent);
        if (subscriber) subscriber.call.notify(sent);
        else if (this.#host.changed(sent)) return;
        else if (pending) pending.call.notify(sent);
        else this.#host.onNotification(sent, this.owner);
      }
    }
  }

  /** The call in flight under this id of ours. */
  #callOf(id: unknown): PendingCall | undefined {
    for (const pending of this.#calls) if (pending.id === id) return pending;
    return undefined;
  }

  /** The client's own subscription a notification belongs to, where all streams share one connection (stdio). */
  #subscriberOf({ params }: Notification): PendingCall | undefined {
    const id = this.modern && isObject(params?._meta) ? params._meta[META.subscriptionId] : undefined;
    const call = id === undefined ? undefined : this.#callOf(Number(id));
    return call?.listens ? call : undefined;
  }

  /** On stdio a server ends a subscription by cancelling its request (2026-07-28 patterns/subscriptions). */
  #subscriptionEnded(requestId: unknown): void {
    const call = this.modern ? this.#callOf(Number(requestId)) : undefined;
    if (call?.listens) call.end(new SwitchboardError('SWB_CANCELLED', `Server '${this.name}' ended the subscription.`));
  }

  #logged(sent: Notification): void {
    const calls = this.#callsOfOneCaller();
    const [only] = calls;
    if (calls.length === 1 && only?.call.caller.logLevel !== undefined) only.call.notify(sent);
    else this.#host.onNotification(sent, this.owner ?? only?.call.caller.key);
  }

  /** The calls in flight when they are all one caller's, otherwise none. */
  #callsOfOneCaller(): PendingCall[] {
    const calls = [...this.#calls];
    const key = calls[0]?.call.caller.key;
    return calls.every(({ call }) => call.caller.key === key) ? calls : [];
  }

  #asked(id: unknown, method: string, params: JsonObject | undefined, pending: PendingCall | undefined): void {
    // Modern servers must not send requests, and there is no way to answer one (2026-07-28 patterns).
    if (!isRequestId(id) || this.modern) {
      this.#host.log.debug({ server: this.name, method }, 'the server sent a request that cannot be answered');
      return;
    }
    if (method === 'ping') {
      this.#answer(id, { result: {} });
    } else if (isAsk(method)) {
      const asking = pending ?? this.#askerFor(relatedTaskOf(params));
      if (!asking) this.#answer(id, UNKNOWN_ASKER);
      else
        void this.#asks
          .put(id, method, params, asking.call, this.owner !== undefined)
          .then((answer) => this.#answer(id, answer));
    } else {
      this.#answer(id, { error: { code: RPC.methodNotFound, message: 'Method not found' } });
    }
  }

  /** The call a question outside any request's stream is for. */
  #askerFor(taskId: string | undefined): PendingCall | undefined {
    const waiting = this.#waitingFor(taskId);
    const owner = this.#tasks.ownerOf(taskId);
    if (waiting || owner === undefined) return waiting ?? this.#callsOfOneCaller().at(-1);
    // Another caller must not be asked, not even when it is the only one with a call in flight.
    return [...this.#calls].findLast(({ call }) => call.caller.key === owner);
  }

  /** A call that waits for this task's result. */
  #waitingFor(taskId: string | undefined): PendingCall | undefined {
    if (taskId === undefined) return undefined;
    return [...this.#calls].findLast(({ waitsFor }) => waitsFor === taskId);
  }

  #answer(id: RequestId, answer: ClientResponse): void {
    if (this.#answering >= MAX_ANSWERING) {
      this.#host.log.debug({ server: this.name }, 'the server sends requests faster than it takes answers: left out');
      return;
    }
    this.#answering++;
    void this.link.post({ jsonrpc: '2.0', id, ...answer }).finally(() => this.#answering--);
  }
}
