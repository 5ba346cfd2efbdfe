/**
 * The seam of tracing: what the relay reports of one request, so that it knows nothing of OpenTelemetry.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import type { JsonObject, RequestId } from '../../wire/jsonrpc.ts';

/** The head of the HTTP request that a client's request came in. */
export interface HttpHead {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface TracedRequest {
  readonly method: string;
  readonly id: RequestId;
  readonly params: JsonObject;
  readonly caller: Caller;
  readonly http: HttpHead | undefined;
}

/** A request to a server. */
export interface TracedSend {
  readonly server: string;
  /** The server's URL; undefined for commands. */
  readonly url: string | undefined;
  readonly transport: string | undefined;
  readonly protocolVersion: string | undefined;
  readonly method: string;
  readonly params: JsonObject;
  /** The server's own name of the tool, prompt or agent. */
  readonly name: string | undefined;
}

export interface Outcome {
  readonly error: unknown;
  /** The result of a tool says that it failed. */
  readonly toolError: boolean;
}

export interface Tracing {
  begin(request: TracedRequest): RequestTrace;
}

export interface RequestTrace {
  /** A request to a server, as part of this one. */
  send(request: TracedSend): SendTrace;
  /** `name`: what the client calls the tool or prompt, where there is one. `result`: its bytes or value, where there is one. */
  end(outcome: Outcome & { server: string | undefined; name: string | undefined; result: ResultOf }): void;
}

export type ResultOf = { readonly raw: Buffer } | { readonly value: JsonObject } | undefined;

export interface SendTrace {
  /** The params with the trace context of this request. */
  readonly params: JsonObject;
  end(outcome: Outcome): void;
}
