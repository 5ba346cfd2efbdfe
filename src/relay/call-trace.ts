/**
 * The events of one request. A request has a trace only when one of them has a subscriber as it arrives: without
 * one, nothing here runs.
 * @module
 */
import { CHANNELS } from '../observe/events.ts';
import type { Inbound } from './types.ts';

let lastCall = 0;

export class CallTrace {
  readonly instance: string;
  readonly call = ++lastCall;
  readonly #method: string;
  readonly #principal: string;
  readonly #startedAt = performance.now();
  #server: string | undefined;
  #sentMethod = '';
  #queueMs = 0;

  /** Undefined without a subscriber. Publishes that the request has arrived. */
  static begin(instance: string, inbound: Inbound): CallTrace | undefined {
    const { request, decision, queued, left, finished, ask } = CHANNELS;
    const isObserved =
      request.hasSubscribers ||
      finished.hasSubscribers ||
      left.hasSubscribers ||
      queued.hasSubscribers ||
      decision.hasSubscribers ||
      ask.hasSubscribers;
    return isObserved ? new CallTrace(instance, inbound) : undefined;
  }

  private constructor(instance: string, { request, caller, view }: Inbound) {
    this.instance = instance;
    this.#method = request.method;
    this.#principal = caller.principal;
    if (!CHANNELS.request.hasSubscribers) return;
    CHANNELS.request.publish({
      instance,
      call: this.call,
      method: request.method,
      requestId: request.id,
      principal: caller.principal,
      grant: caller.identity.grant,
      era: caller.era,
      endpoint: view.server,
    });
  }

  queued(server: string, waiting: number): void {
    const { instance, call } = this;
    if (CHANNELS.queued.hasSubscribers) CHANNELS.queued.publish({ instance, call, server, waiting });
  }

  waited(ms: number): void {
    this.#queueMs += ms;
  }

  /** From now on the request is for this server; it has not left yet. */
  sending(server: string, method: string): void {
    this.#server = server;
    this.#sentMethod = method;
  }

  left(): void {
    if (!CHANNELS.left.hasSubscribers) return;
    const { instance, call } = this;
    CHANNELS.left.publish({
      instance,
      call,
      server: this.#server ?? '',
      method: this.#sentMethod,
      queueMs: this.#queueMs,
    });
  }

  ask(method: string): void {
    const { instance, call } = this;
    if (CHANNELS.ask.hasSubscribers) CHANNELS.ask.publish({ instance, call, server: this.#server, method });
  }

  finished(error: unknown): void {
    if (!CHANNELS.finished.hasSubscribers) return;
    const { instance, call } = this;
    CHANNELS.finished.publish({
      instance,
      call,
      principal: this.#principal,
      method: this.#method,
      server: this.#server,
      durationMs: performance.now() - this.#startedAt,
      queueMs: this.#queueMs,
      error,
    });
  }
}
