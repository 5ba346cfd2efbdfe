/**
 * Calls that came in on the topics of tools, until each is answered once: by a response on the caller's topic.
 *
 * A call goes on while the gateway is not connected to the broker; its response is kept for a while and published on the
 * next connection. Nothing is called again.
 * @module
 */
import { SwitchboardError } from '../../../core/errors.ts';
import { type Linked, LinkedList } from '../../../core/linked-list.ts';
import type { InFlight } from '../../../relay/types.ts';
import type { Notification } from '../../../wire/jsonrpc.ts';
import { type BrokerConnection, type PublishOptions, TOO_LARGE } from '../../../wire/mqtt/index.ts';
import { isLevel, streamTopic } from '../../../wire/mqtt/tool-topics.ts';
import type { ReturnAddress } from './call-message.ts';
import { errorOf, failed, outcomeOf } from './response.ts';

/** Calls at one time. More are refused: a client that may use the topics could fill the gateway otherwise. */
const MAX_RUNNING = 4_096;
/** Responses that wait for a connection. */
const MAX_HELD = 1_024;
const MAX_HELD_BYTES = 32 * 1024 * 1024;
/** Longer than this, no requester waits for a response. */
const HELD_MS = 60_000;

export interface RunningCallsOptions {
  namespace: string;
  /** Undefined while there is none. */
  connection(): BrokerConnection | undefined;
  /** A response could not be published. */
  refused(what: string): void;
}

interface Held {
  from: ReturnAddress;
  payload: string;
  at: number;
}

export class RunningCalls {
  readonly #options: RunningCallsOptions;
  readonly #running = new LinkedList<RunningCall>();
  #held: Held[] = [];
  #heldBytes = 0;

  constructor(options: RunningCallsOptions) {
    this.#options = options;
  }

  /** Whether this very call is running: the broker may deliver a message twice. */
  has({ callId, topic }: ReturnAddress): boolean {
    for (const { from } of this.#running) if (from.callId === callId && from.topic === topic) return true;
    return false;
  }

  /** Starts a call. `expirySeconds`: the caller waits no longer. */
  start(
    tool: string,
    from: ReturnAddress,
    expirySeconds: number | undefined,
    begin: (call: RunningCall) => InFlight,
  ): void {
    const call = new RunningCall(tool, from);
    try {
      if (this.#running.size >= MAX_RUNNING) {
        throw new SwitchboardError('SWB_QUEUE_FULL', `The gateway has ${MAX_RUNNING} calls of this kind in progress.`);
      }
      const inFlight = begin(call);
      this.#running.append(call);
      if (expirySeconds !== undefined) call.expireAfter(expirySeconds, inFlight);
      inFlight.result.then(
        (result) => this.#end(call, () => outcomeOf(result)),
        (error: unknown) => this.#end(call, () => failed(errorOf(error))),
      );
    } catch (error) {
      this.#answer(call, failed(errorOf(error)));
    }
  }

  /** Sends progress of a call as a message of its stream. */
  progressed(call: RunningCall, { method, params = {} }: Notification): void {
    const broker = this.#options.connection();
    if (method !== 'notifications/progress' || !broker || !isLevel(call.from.callId)) return;
    const { message, progressToken: _ours, ...data } = params;
    const said = typeof message === 'string' ? { content: message } : {};
    this.#stream(broker, call, { type: 'partial', ...said, data });
  }

  #stream(broker: BrokerConnection, call: RunningCall, members: object): void {
    const { tool, from } = call;
    const payload = JSON.stringify({ call_id: from.callId, seq: ++call.streamed, ...members });
    broker.publish(streamTopic(this.#options.namespace, tool, from.callId), payload, { qos: 0 });
  }

  #end(call: RunningCall, outcome: () => string): void {
    if (!this.#running.remove(call)) return;
    call.ended();
    let members: string;
    try {
      members = outcome();
    } catch (error) {
      members = failed(errorOf(error));
    }
    const broker = this.#options.connection();
    if (call.streamed > 0 && broker) this.#stream(broker, call, { type: 'done' });
    this.#answer(call, members);
  }

  #answer({ from, startedAt }: RunningCall, members: string): void {
    const elapsed = Math.round(performance.now() - startedAt);
    this.#publish(from, `{"call_id":${JSON.stringify(from.callId)},${members},"elapsed_ms":${elapsed}}`);
  }

  #publish(from: ReturnAddress, payload: string): void {
    const broker = this.#options.connection();
    if (!broker) {
      this.#hold({ from, payload, at: performance.now() });
      return;
    }
    const { correlation } = from;
    const options: PublishOptions = {
      properties: { contentType: 'application/json', ...(correlation ? { correlationData: correlation } : {}) },
    };
    broker.publish(from.topic, payload, options, {
      published: (failure, reasonCode) => {
        if (!failure) return;
        if (reasonCode === TOO_LARGE) this.#replace(from, payload);
        // The connection was lost before the broker took it. A second response to one call changes nothing.
        else if (reasonCode === 0) this.#hold({ from, payload, at: performance.now() });
        else this.#options.refused(`a response on '${from.topic}': ${failure.message}`);
      },
    });
  }

  /** The broker does not take a response of this size. */
  #replace(from: ReturnAddress, payload: string): void {
    if (payload.length < 1_024) return;
    const error = new SwitchboardError('SWB_REPLY_TOO_LARGE', 'The result is larger than the broker takes.');
    this.#publish(from, `{"call_id":${JSON.stringify(from.callId)},${failed(errorOf(error))}}`);
  }

  #hold(held: Held): void {
    const isFull = this.#held.length >= MAX_HELD || this.#heldBytes + held.payload.length > MAX_HELD_BYTES;
    if (isFull) return;
    this.#held.push(held);
    this.#heldBytes += held.payload.length;
  }

  /** There is a connection again. */
  connected(): void {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    const since = performance.now() - HELD_MS;
    for (const { from, payload, at } of held) if (at > since) this.#publish(from, payload);
  }

  get size(): number {
    return this.#running.size;
  }
}

export class RunningCall implements Linked<RunningCall> {
  previous: RunningCall | undefined;
  next: RunningCall | undefined;
  readonly tool: string;
  readonly from: ReturnAddress;
  readonly startedAt = performance.now();
  /** Messages of its stream so far. */
  streamed = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(tool: string, from: ReturnAddress) {
    this.tool = tool;
    this.from = from;
  }

  expireAfter(seconds: number, inFlight: InFlight): void {
    const ms = Math.min(seconds * 1_000, 2 ** 31 - 1);
    this.#timer = setTimeout(() => inFlight.cancel('The message of the call has expired.'), ms);
    this.#timer.unref();
  }

  ended(): void {
    clearTimeout(this.#timer);
  }
}
