/**
 * Sends one request to a server: limits, the place in the server's queue, the time limit, and the request itself.
 * @module
 */
import { untilAborted, within } from '../core/deadline.ts';
import { SwitchboardError } from '../core/errors.ts';
import { maskedError, maskedReply } from '../core/mask.ts';
import type { Reply } from '../core/upstream.ts';
import type { Member } from '../federation/types.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { maskingKey } from './agents/lending.ts';
import type { RelayCall, TimeLimits } from './call.ts';
import type { SentRequest } from './call-trace.ts';
import { maskOf } from './mask-of.ts';
import { type Division, type QueueLoad, UpstreamQueue } from './queue/upstream-queue.ts';

/** One request to a server. */
export interface UpstreamRequest {
  member: Member;
  method: string;
  /** Under the server's own names; the adapter may change them. */
  params: JsonObject;
  /** Undefined: the server's own queue and time limits. */
  options?: SendOptions;
}

/** The queue a request waits in and its time limits; undefined members: no queue, no limit. */
export interface SendOptions {
  queue: UpstreamQueue | undefined;
  limits: TimeLimits | undefined;
}

export class Sending {
  readonly #queues = new WeakMap<Member, UpstreamQueue>();
  readonly #division: Division | undefined;

  /** `division`: among how many replicas the places of servers are divided. */
  constructor(division: Division | undefined) {
    this.#division = division;
  }

  /** There may be more places for calls of this server than before. */
  divided(member: Member): void {
    this.#queues.get(member)?.admit();
  }

  /**
   * Sends one request: reserves limits, waits for a place in the queue, starts the time limit, and gives the place back
   * when the reply is there. Rejects with `SwitchboardError` or `UpstreamError`.
   */
  async send(call: RelayCall, { member, method, params, options }: UpstreamRequest): Promise<Reply> {
    call.trace?.sending(member.name, method);
    // Builtin tools have no queue or time limit of their own: the servers they call have.
    if (member.builtin) {
      // The client may have gone while policy was deciding, or while another replica was asked about limits.
      if (call.reason) throw call.reason;
      const reserving = call.decision?.reserve();
      if (reserving) {
        await reserving;
        if (call.reason) throw call.reason;
      }
      // A client that gives up now has used the limit (`connectServer` is connecting already).
      call.left();
      return member.require().request(method, params, call);
    }
    const { decision } = call;
    const reserving = decision?.reserve();
    if (reserving) await reserving;
    let sent: SentRequest | undefined;
    try {
      call.queue = options ? options.queue : this.#queueOf(member);
      if (call.queue) {
        const slot = call.queue.acquire(call);
        if (slot instanceof Promise) {
          const since = performance.now();
          call.trace?.queued(member.name, call.queue.waiting);
          call.slot = await slot;
          const waitedMs = performance.now() - since;
          if (decision) decision.queueMs += waitedMs;
          call.trace?.waited(waitedMs);
        } else {
          call.slot = slot;
        }
      }
      if (call.reason) throw call.reason;
      // The server may have ended while the call waited for its place.
      if (member.returning) await returned(call, member);
      const upstream = member.require();
      const limits = options ? options.limits : limitsOf(call, member);
      if (limits) call.startClock(limits);
      call.mask = call.lent ? maskingKey(maskOf(member), call.lent) : maskOf(member);
      sent = call.trace?.asking(member, method, params);
      const reply = maskedReply(await upstream.request(method, sent?.params ?? params, call), method, call.mask);
      sent?.answered(reply);
      return reply;
    } catch (error) {
      sent?.failed(error);
      decision?.failed(error);
      const shown = maskedError(error, call.mask ?? maskOf(member));
      // Programs find out which server failed without reading the sentence.
      if (shown instanceof SwitchboardError) shown.data.server ??= member.name;
      throw shown;
    } finally {
      call.leave();
    }
  }

  /** How the queue of a server is used now; undefined where no call has needed it yet. */
  load(member: Member): QueueLoad | undefined {
    return this.#queues.get(member)?.load();
  }

  #queueOf(member: Member): UpstreamQueue {
    let queue = this.#queues.get(member);
    if (!queue) {
      queue = new UpstreamQueue(member.name, member.config, this.#division);
      this.#queues.set(member, queue);
    }
    return queue;
  }
}

/** Waits until a server that ends after its answers is connected again, or could not be: no longer than a call may take. */
export async function returned(call: RelayCall, { returning, config }: Member): Promise<void> {
  if (!returning) return;
  await untilAborted(
    within(returning, config.timeoutMs, () => {}),
    call,
  );
}

/** A call that outlives its client has a ceiling of its own. */
const limitsOf = ({ ceilingMs }: RelayCall, { name, config }: Member): TimeLimits =>
  ceilingMs === undefined
    ? config
    : { name, timeoutMs: config.timeoutMs, maxTimeoutMs: Math.max(config.maxTimeoutMs, ceilingMs) };
