/**
 * The events and spans of one request. A request has a trace only when one of its events has a subscriber as it arrives,
 * or tracing is on: otherwise nothing here runs.
 * @module
 */
import type { Caller } from '../core/caller.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Reply } from '../core/upstream.ts';
import type { Member } from '../federation/types.ts';
import { CHANNELS } from '../observe/events.ts';
import type { RequestTrace, SendTrace, Tracing } from '../observe/traces/types.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import type { CallResult, Inbound } from './types.ts';

let lastCall = 0;

export class CallTrace {
  readonly instance: string;
  readonly call = ++lastCall;
  readonly #method: string;
  readonly #caller: Caller;
  readonly #name: string | undefined;
  readonly #span: RequestTrace | undefined;
  readonly #startedAt = performance.now();
  #about: string | undefined;
  #toolError = false;
  #server: string | undefined;
  #sentMethod = '';
  #queueMs = 0;

  /** Undefined without a subscriber and without tracing. Publishes that the request has arrived. */
  static begin(instance: string, inbound: Inbound, tracing?: Tracing): CallTrace | undefined {
    const { request, decision, queued, left, returned, finished, ask } = CHANNELS;
    const isObserved =
      tracing !== undefined ||
      request.hasSubscribers ||
      finished.hasSubscribers ||
      left.hasSubscribers ||
      returned.hasSubscribers ||
      queued.hasSubscribers ||
      decision.hasSubscribers ||
      ask.hasSubscribers;
    return isObserved ? new CallTrace(instance, inbound, tracing) : undefined;
  }

  private constructor(instance: string, { request, caller, view, http }: Inbound, tracing: Tracing | undefined) {
    this.instance = instance;
    this.#method = request.method;
    this.#caller = caller;
    this.#name = nameIn(request.method, request.params);
    if (tracing) {
      const { method, id, params = {} } = request;
      this.#span = tracing.begin({ method, id, params, caller, http });
    }
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

  /** What the request names exists, and is this server's. */
  resolved(server: string): void {
    this.#about = server;
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

  /** A request is handed to the server's connection. Undefined where its end is neither counted nor traced. */
  asking(member: Member, method: string, params: JsonObject): SentRequest | undefined {
    if (!this.#span && !CHANNELS.returned.hasSubscribers) return undefined;
    return new SentRequest(this, this.#span, member, method, params);
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

  /** The last reply says whether the tool failed. */
  replied(toolError: boolean): void {
    this.#toolError = toolError;
  }

  finished(error: unknown, result?: CallResult): void {
    const name = this.#about === undefined ? undefined : this.#name;
    const about = this.#about ?? awayIn(error);
    const toolError = this.#toolError && error === undefined;
    this.#span?.end({ error, toolError, server: this.#server ?? about, name, result });
    if (!CHANNELS.finished.hasSubscribers) return;
    const { instance, call } = this;
    CHANNELS.finished.publish({
      instance,
      call,
      principal: this.#caller.principal,
      caller: this.#caller,
      method: this.#method,
      server: this.#server,
      about,
      name,
      toolError,
      durationMs: performance.now() - this.#startedAt,
      queueMs: this.#queueMs,
      error,
    });
  }
}

/** One request to a server, from when it is handed over until its reply. */
export class SentRequest {
  readonly params: JsonObject;
  readonly #trace: CallTrace;
  readonly #span: SendTrace | undefined;
  readonly #member: Member;
  readonly #method: string;
  readonly #name: string | undefined;
  readonly #startedAt = performance.now();
  #ended = false;

  constructor(trace: CallTrace, request: RequestTrace | undefined, member: Member, method: string, params: JsonObject) {
    this.#trace = trace;
    this.#member = member;
    this.#method = method;
    this.#name = nameIn(method, params);
    const { name: server, upstream, config } = member;
    this.#span = request?.send({
      server,
      url: 'url' in config.target ? config.target.url : undefined,
      transport: upstream?.transport,
      protocolVersion: upstream?.protocolVersion,
      method,
      params,
      name: this.#name,
    });
    this.params = this.#span?.params ?? params;
  }

  answered(reply: Reply): void {
    const toolError = isToolError(reply);
    this.#trace.replied(toolError);
    this.#end(undefined, toolError);
  }

  failed(error: unknown): void {
    this.#end(error, false);
  }

  #end(error: unknown, toolError: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#span?.end({ error, toolError });
    if (!CHANNELS.returned.hasSubscribers) return;
    const { name: server, upstream } = this.#member;
    CHANNELS.returned.publish({
      instance: this.#trace.instance,
      call: this.#trace.call,
      server,
      method: this.#method,
      name: this.#name,
      transport: upstream?.transport,
      protocolVersion: upstream?.protocolVersion,
      durationMs: performance.now() - this.#startedAt,
      toolError,
      error,
    });
  }
}

/** The server that a request could not reach: of one that has never been connected no name is known, and its failures are still its own. */
function awayIn(error: unknown): string | undefined {
  if (!(error instanceof SwitchboardError) || error.code !== 'SWB_UPSTREAM_UNAVAILABLE') return undefined;
  const { server } = error.data;
  return typeof server === 'string' ? server : undefined;
}

/** What a request calls the tool, prompt or agent it is about. */
function nameIn(method: string, params: JsonObject | undefined): string | undefined {
  const name =
    method === 'tools/call' || method === 'prompts/get'
      ? params?.name
      : method === 'agents/call'
        ? params?.agent
        : undefined;
  return typeof name === 'string' ? name : undefined;
}

function isToolError(reply: Reply): boolean {
  if ('value' in reply) return reply.value.isError === true;
  return 'members' in reply && reply.members?.isError === true;
}
