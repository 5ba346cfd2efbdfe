/**
 * One call on its way through: its clock, its way back to the client, and its end. What adapters see of it is
 * {@link Call}; what the relay adds is who may stop it and when.
 *
 * Invariants: a call is aborted at most once, with the error its client gets; after `settle` nothing of it runs on (no
 * timer, no listener), and later notifications go nowhere.
 * @module
 */
import type { Ask, AskMethod, Call } from '../core/call.ts';
import type { Caller } from '../core/caller.ts';
import { SwitchboardError } from '../core/errors.ts';
import { passesLogLevel } from '../core/log-level.ts';
import type { JsonObject, Notification, RequestId } from '../wire/jsonrpc.ts';
import { asDeclared, declares, requiredFor } from './asks/capabilities.ts';
import type { PolicyDecision } from './gate/admission.ts';
import { InOrder, type Seen } from './gate/in-order.ts';
import type { Slot, UpstreamQueue } from './queue/upstream-queue.ts';
import type { Channel } from './types.ts';

export interface Clock {
  timeoutMs: number;
  maxTimeoutMs: number;
  /** The server's, for the message. */
  name: string;
}

export type Asker = (ask: Ask) => Promise<JsonObject>;

/** How what belongs to a call is spelled on its client's side, where that differs from the server's. */
export interface Translation {
  /** Params of the request, on their way to the server. */
  params(params: JsonObject): JsonObject;
  notification(sent: Notification): Notification;
  ask(ask: Ask, asker: Asker): Promise<JsonObject>;
}

export class RelayCall implements Call {
  readonly caller: Caller;
  paramHeaders: Readonly<Record<string, string>> | undefined;
  #channel: Channel | undefined;
  #progressToken: RequestId | undefined;
  #asker: Asker | undefined;
  #controller: AbortController | undefined;
  #reason: Error | undefined;
  #listeners: Set<(reason: Error) => void> | undefined;
  #settled = false;
  #timer: NodeJS.Timeout | undefined;
  #clock: Clock | undefined;
  #started = 0;
  #asking = 0;
  /** The place in the upstream's queue, given back while a person is thinking. */
  slot: Slot | undefined;
  /** Where a new place is had afterwards; undefined while nothing runs upstream. */
  queue: UpstreamQueue | undefined;
  translation: Translation | undefined;
  /** What it was let in with; undefined where there is nothing to keep to. */
  admission: PolicyDecision | undefined;
  /** How its notifications may be seen, where it was let in with something else. */
  screen: ((sent: Notification) => Seen | Promise<Seen>) | undefined;
  #notes: InOrder | undefined;
  /** What the client would have had to declare to be asked what it was not asked. */
  undeclared: JsonObject | undefined;

  constructor(
    caller: Caller,
    channel: Channel,
    progressToken: RequestId | undefined,
    paramHeaders?: Readonly<Record<string, string>>,
  ) {
    this.caller = caller;
    this.paramHeaders = paramHeaders;
    this.#channel = channel;
    this.#progressToken = progressToken;
  }

  get wantsProgress(): boolean {
    return this.#progressToken !== undefined;
  }

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  get reason(): Error | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  onAbort(listener: (reason: Error) => void): () => void {
    if (this.#reason) {
      listener(this.#reason);
      return nothing;
    }
    if (this.#settled) return nothing;
    this.#listeners ??= new Set();
    this.#listeners.add(listener);
    return () => this.#listeners?.delete(listener);
  }

  /** Ends the call for its client with this error. Does nothing once it is aborted or settled. */
  abort(reason: Error): void {
    if (this.#reason || this.#settled) return;
    this.#reason = reason;
    this.leave();
    const listeners = this.#listeners;
    this.#listeners = undefined;
    this.#controller?.abort(reason);
    if (listeners) for (const listener of listeners) listener(reason);
  }

  /** The call is over: its reply is known, or nobody waits for it. */
  settle(): void {
    this.#settled = true;
    this.leave();
    this.#listeners = undefined;
    this.#channel = undefined;
  }

  /** The upstream is done with it: the clock stops and the place in the queue is free. */
  leave(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#clock = undefined;
    this.slot?.release();
    this.slot = undefined;
    this.queue = undefined;
  }

  /** Starts the time limit: from now (the call leaves the queue) to the reply. */
  startClock(clock: Clock): void {
    if (this.#settled || this.#reason) return;
    this.#clock = clock;
    this.#started = performance.now();
    this.#arm(clock.timeoutMs);
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#expire(), ms);
  }

  /** Progress proves that work goes on: the limit starts again, but never beyond the ceiling. */
  #restartClock(): void {
    const clock = this.#clock;
    if (!clock || this.#asking > 0) return;
    const left = clock.maxTimeoutMs - (performance.now() - this.#started);
    if (left >= clock.timeoutMs) this.#timer?.refresh();
    else this.#arm(Math.max(0, left));
  }

  #expire(): void {
    const clock = this.#clock;
    if (!clock) return;
    const seconds = Math.round((performance.now() - this.#started) / 100) / 10;
    this.abort(
      new SwitchboardError('SWB_CALL_TIMEOUT', `Server '${clock.name}' did not answer within ${seconds} s.`, {
        data: { server: clock.name },
      }),
    );
  }

  left(): void {
    this.admission?.left();
  }

  notify(notification: Notification): void {
    if (this.#settled || this.#reason) return;
    if (notification.method === 'notifications/progress') {
      this.#restartClock();
      const token = this.#progressToken;
      if (token === undefined) return;
      this.#say({ ...notification, params: { ...notification.params, progressToken: token } });
      return;
    }
    if (notification.method === 'notifications/message' && !passesLogLevel(this.caller, notification.params)) return;
    this.#say(this.translation ? this.translation.notification(notification) : notification);
  }

  #say(notification: Notification): void {
    if (this.admission?.screensNotes) this.admission.note(notification, (seen) => this.#channel?.notify(seen));
    else if (this.screen) this.notes.pass(this.screen(notification), (seen) => this.#channel?.notify(seen));
    else this.#channel?.notify(notification);
  }

  /** Its notifications that are screened. */
  get notes(): InOrder {
    this.#notes ??= new InOrder();
    return this.#notes;
  }

  pause(retryMs: number): void {
    if (!this.#settled && !this.#reason) this.#channel?.pause?.(retryMs);
  }

  canAsk(method: AskMethod): boolean {
    return this.#asker !== undefined && declares(this.caller.capabilities, { method });
  }

  /** Who carries questions to the client; without one every ask is refused. */
  set asker(asker: Asker) {
    this.#asker = asker;
  }

  async ask(ask: Ask): Promise<JsonObject> {
    if (this.#reason) throw this.#reason;
    const declared = declares(this.caller.capabilities, ask);
    if (!declared) this.undeclared = { ...this.undeclared, ...requiredFor(ask) };
    if (!this.#asker || !declared) {
      throw new SwitchboardError('SWB_ASK_REFUSED', `The client did not declare what '${ask.method}' needs.`);
    }
    this.#beginAsking();
    try {
      const put = asDeclared(this.caller.capabilities, ask);
      return await (this.translation ? this.translation.ask(put, this.#asker) : this.#asker(put));
    } finally {
      await this.#endAsking();
    }
  }

  /** While a person thinks, the call neither runs out of time nor holds its place in the queue. */
  #beginAsking(): void {
    if (this.#asking++ > 0) return;
    clearTimeout(this.#timer);
    this.slot?.release();
    this.slot = undefined;
  }

  /** Back to work. Where no place can be had the answer goes on all the same: the call runs, and only it has waited. */
  async #endAsking(): Promise<void> {
    if (--this.#asking > 0 || this.#settled || this.#reason) return;
    const { queue } = this;
    const slot = await placeIn(queue, this);
    const over = this.#settled || this.#reason || this.queue !== queue;
    // While it waited for its place it may have ended, or asked again: the last answer takes the place.
    if (over || this.#asking > 0 || this.slot) slot?.release();
    else this.slot = slot;
    if (!over && this.#asking === 0 && this.#clock) {
      this.#started = performance.now();
      this.#arm(this.#clock.timeoutMs);
    }
  }

  /** A parked call has nobody to talk to; a resumed one talks to the request that resumed it. */
  attach(channel: Channel | undefined, progressToken: RequestId | undefined): void {
    if (this.#settled) return;
    this.#channel = channel;
    this.#progressToken = progressToken;
  }
}

/** A new place, or undefined where none can be had. */
async function placeIn(queue: UpstreamQueue | undefined, call: RelayCall): Promise<Slot | undefined> {
  try {
    return await queue?.acquire(call);
  } catch {
    return undefined;
  }
}

function nothing(): void {}
