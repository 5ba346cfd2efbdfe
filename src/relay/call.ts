/**
 * One call on its way through: its time limit, its way back to the client, and its end. Adapters see it as {@link Call};
 * the relay adds who may end it and when.
 *
 * Invariants: a call is aborted at most once, with the error its client receives; after `settle` no deadline and no
 * listener of it remains, and later notifications are dropped.
 * @module
 */
import type { AgentRunRef } from '../core/agent-call.ts';
import type { Ask, AskMethod, Call, LentAccess } from '../core/call.ts';
import type { Caller } from '../core/caller.ts';
import { SwitchboardError } from '../core/errors.ts';
import { passesLogLevel } from '../core/log-level.ts';
import { type Mask, maskedNotification } from '../core/mask.ts';
import type { Route } from '../federation/types.ts';
import { NotificationOrder, type Screened } from '../policy/decision/notification-order.ts';
import type { PolicyDecision } from '../policy/decision/policy-decision.ts';
import type { JsonObject, Notification, RequestId } from '../wire/jsonrpc.ts';
import { asDeclared, declares, requiredFor, unsupported } from './asks/capabilities.ts';
import type { CallTrace } from './call-trace.ts';
import { type Deadline, unwatch, watch } from './deadlines.ts';
import type { Slot, UpstreamQueue } from './queue/upstream-queue.ts';
import type { Channel } from './types.ts';

/** How long a request may take upstream, from when it leaves the queue. */
export interface TimeLimits {
  /** Starts again with each progress notification. */
  timeoutMs: number;
  /** The ceiling that progress cannot extend. */
  maxTimeoutMs: number;
  /** The server, for the message. */
  name: string;
}

/** Carries an input request to the client and returns its result. */
export type Asker = (ask: Ask) => Promise<JsonObject>;

/** Respells what belongs to a call on its client's side, where ids differ from the server's. */
export interface Translation {
  /** Params of the request, for the server. */
  params(params: JsonObject): JsonObject;
  notification(sent: Notification): Notification;
  ask(ask: Ask, asker: Asker): Promise<JsonObject>;
}

type AbortListener = (reason: Error) => void;

export class RelayCall implements Call, Deadline {
  /** Replaced where the gateway follows a task in the client's place: then it declares the extension. */
  caller: Caller;
  paramHeaders: Readonly<Record<string, string>> | undefined;
  /** The place in the upstream's queue, given back while a person is asked. */
  slot: Slot | undefined;
  /** The queue for a new place afterwards; undefined while nothing runs upstream. */
  queue: UpstreamQueue | undefined;
  translation: Translation | undefined;
  /** Undefined: no policy binds the caller, or the decision was made about something else, such as a task. */
  decision: PolicyDecision | undefined;
  /** Publishes the events of the request; undefined without a subscriber. */
  trace: CallTrace | undefined;
  /** Screens notifications of a call without a decision of its own. */
  screen: ((sent: Notification) => Screened | Promise<Screened>) | undefined;
  /** The capabilities that an ask needed and the client did not declare. */
  undeclared: JsonObject | undefined;
  /** Takes the credentials of the server it is sent to out of what that says. */
  mask: Mask | undefined;
  /** `_meta` of the client's request: it may say which agents led to it (`agents/path.ts`). */
  meta: unknown;
  /** Ceiling of a call that outlives its client, in place of the server's own; undefined for others. */
  ceilingMs: number | undefined;
  /** The agent that is called. */
  agent: Pick<Route, 'member' | 'original'> | undefined;
  /** The tool that is called, where its calls last. */
  tool: Pick<Route, 'member' | 'original'> | undefined;
  /** Hears what the server calls the run of a lasting call. */
  onBegan: ((of: { server: string; key: string; isTool?: true }, ref: AgentRunRef) => void) | undefined;
  /** A key that the agent may use while the call lasts. */
  lent: LentAccess | undefined;
  /** Of a call that outlives its client: hears which key was lent for it. */
  onLent: ((keyId: string) => void) | undefined;
  /** Carries asks to the client; without one every ask is refused. */
  asker: Asker | undefined;
  // Deadline
  dueAt: number | undefined;
  previous: Deadline | undefined;
  next: Deadline | undefined;
  #channel: Channel | undefined;
  #progressToken: RequestId | undefined;
  #controller: AbortController | undefined;
  #reason: Error | undefined;
  #listeners: (AbortListener | undefined)[] | undefined;
  #settled = false;
  #limits: TimeLimits | undefined;
  #startedAt = 0;
  #asking = 0;
  #order: NotificationOrder | undefined;

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

  get progressToken(): RequestId | undefined {
    return this.#progressToken;
  }

  get wantsProgress(): boolean {
    return this.#progressToken !== undefined;
  }

  get lasting(): boolean {
    return this.ceilingMs !== undefined;
  }

  began(ref: AgentRunRef): void {
    const { agent, tool } = this;
    if (agent) this.onBegan?.({ server: agent.member.name, key: agent.original }, ref);
    else if (tool) this.onBegan?.({ server: tool.member.name, key: tool.original, isTool: true }, ref);
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

  onAbort(listener: AbortListener): () => void {
    if (this.#reason) {
      listener(this.#reason);
      return doNothing;
    }
    if (this.#settled) return doNothing;
    this.#listeners ??= [];
    const listeners = this.#listeners;
    const index = listeners.push(listener) - 1;
    return () => {
      listeners[index] = undefined;
      // A long call may be listened to many times, one after the other.
      while (listeners.length > 0 && listeners.at(-1) === undefined) listeners.pop();
    };
  }

  /** Ends the call for its client with this error. Does nothing once it is aborted or settled. */
  abort(reason: Error): void {
    if (this.#reason || this.#settled) return;
    this.#reason = reason;
    this.leave();
    const listeners = this.#listeners;
    this.#listeners = undefined;
    this.#controller?.abort(reason);
    if (listeners) for (const listener of listeners) if (listener) callSafely(listener, reason);
  }

  /** The call is over: its result is known, or its client is gone. */
  settle(): void {
    this.#settled = true;
    this.leave();
    this.#listeners = undefined;
    this.#channel = undefined;
  }

  /** The upstream is done with the call: the time limit ends and the place in the queue is free. */
  leave(): void {
    this.dueAt = undefined;
    unwatch(this);
    this.#limits = undefined;
    this.slot?.release();
    this.slot = undefined;
    this.queue = undefined;
  }

  /** Starts the time limit: from now (the call leaves the queue) to the reply. */
  startClock(limits: TimeLimits): void {
    if (this.#settled || this.#reason) return;
    this.#limits = limits;
    this.#startedAt = performance.now();
    this.dueAt = this.#startedAt + limits.timeoutMs;
    watch(this);
  }

  /** Progress proves that work goes on: the limit starts again, but never beyond the ceiling. */
  #restartClock(): void {
    const limits = this.#limits;
    if (!limits || this.#asking > 0) return;
    this.dueAt = Math.min(performance.now() + limits.timeoutMs, this.#startedAt + limits.maxTimeoutMs);
  }

  expire(): void {
    const limits = this.#limits;
    if (!limits) return;
    const seconds = Math.round((performance.now() - this.#startedAt) / 100) / 10;
    this.abort(
      new SwitchboardError('SWB_CALL_TIMEOUT', `Server '${limits.name}' did not answer within ${seconds} s.`, {
        data: { server: limits.name },
      }),
    );
  }

  get silenceMs(): number | undefined {
    return this.#limits?.timeoutMs;
  }

  alive(): void {
    if (!this.#settled && !this.#reason) this.#restartClock();
  }

  left(): void {
    this.decision?.left();
    this.trace?.left();
  }

  notify(notification: Notification): void {
    if (this.#settled || this.#reason) return;
    if (notification.method === 'notifications/progress') {
      this.#restartClock();
      const token = this.#progressToken;
      if (token === undefined) return;
      this.#deliver({ ...notification, params: { ...notification.params, progressToken: token } });
      return;
    }
    if (notification.method === 'notifications/message' && !passesLogLevel(this.caller, notification.params)) return;
    const said = this.mask ? maskedNotification(notification, this.mask) : notification;
    this.#deliver(this.translation ? this.translation.notification(said) : said);
  }

  #deliver(notification: Notification): void {
    const deliver = (sent: Notification): void => this.#channel?.notify(sent);
    if (this.decision?.screensNotifications) this.decision.notify(notification, deliver);
    else if (this.screen) {
      this.#order ??= new NotificationOrder();
      this.#order.pass(this.screen(notification), deliver);
    } else this.#channel?.notify(notification);
  }

  /** Resolves when the notifications that `screen` looks at are delivered; undefined when none waits. */
  get pendingNotifications(): Promise<void> | undefined {
    return this.#order?.pending;
  }

  pause(retryMs: number): void {
    if (!this.#settled && !this.#reason) this.#channel?.pause?.(retryMs);
  }

  canAsk(method: AskMethod): boolean {
    return this.asker !== undefined && declares(this.caller.capabilities, { method });
  }

  async ask(ask: Ask): Promise<JsonObject> {
    if (this.#reason) throw this.#reason;
    this.trace?.ask(ask.method);
    const declared = declares(this.caller.capabilities, ask);
    if (!declared) this.undeclared = { ...this.undeclared, ...requiredFor(ask) };
    if (!declared) throw new SwitchboardError('SWB_ASK_REFUSED', unsupported(ask), { data: { unsupported: true } });
    if (!this.asker) throw new SwitchboardError('SWB_ASK_REFUSED', 'The client cannot be asked during this request.');
    this.#beginAsking();
    try {
      const own = asDeclared(this.caller.capabilities, ask);
      return await (this.translation ? this.translation.ask(own, this.asker) : this.asker(own));
    } finally {
      await this.#endAsking();
    }
  }

  /** While a person is asked, the call neither runs out of time nor holds its place in the queue. */
  #beginAsking(): void {
    if (this.#asking++ > 0) return;
    this.dueAt = undefined;
    this.slot?.release();
    this.slot = undefined;
  }

  /** The call goes on, with a new place where one can be had and without one otherwise, since it runs already. */
  async #endAsking(): Promise<void> {
    if (--this.#asking > 0 || this.#settled || this.#reason) return;
    const { queue } = this;
    const slot = await placeIn(queue, this);
    const over = this.#settled || this.#reason || this.queue !== queue;
    // While it waited for its place it may have ended, or asked again: the last ask takes the place.
    if (over || this.#asking > 0 || this.slot) slot?.release();
    else this.slot = slot;
    if (!over && this.#asking === 0 && this.#limits) {
      this.#startedAt = performance.now();
      this.dueAt = this.#startedAt + this.#limits.timeoutMs;
    }
  }

  /** A suspended call has no channel; a resumed one has that of the request that resumed it. */
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

/** What one listener throws keeps none of the others from learning of the end, and no other call from its own. */
function callSafely(listener: AbortListener, reason: Error): void {
  try {
    listener(reason);
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}

function doNothing(): void {}
