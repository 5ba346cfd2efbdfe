/**
 * One request on its way to an upstream, as an adapter sees it, and what the upstream may request of the client.
 * @module
 */
import type { JsonObject, Notification } from '../wire/jsonrpc.ts';
import type { AgentRunRef } from './agent-call.ts';
import type { Caller } from './caller.ts';

/**
 * Requests of a server to a client. The last four are about tasks of the client's, which it made of earlier requests
 * (2025-11-25 basic/utilities/tasks).
 */
export type AskMethod =
  | 'elicitation/create'
  | 'sampling/createMessage'
  | 'roots/list'
  | 'tasks/get'
  | 'tasks/result'
  | 'tasks/list'
  | 'tasks/cancel';

/** Input an upstream needs from the client in the middle of a call. */
export interface Ask {
  method: AskMethod;
  params?: JsonObject;
  /** Aborts when the upstream withdraws the request. */
  signal?: AbortSignal;
}

/** A key for this gateway, lent to an agent for one call. */
export interface LentAccess {
  /** The merged MCP endpoint, over streamable HTTP. */
  readonly url: string;
  /** A bearer token. */
  readonly key: string;
  /** Milliseconds since the epoch; it ends earlier with the call. */
  readonly expiresAt: number;
  /** Names and globs of the tools it is for. */
  readonly tools: readonly string[];
}

/** One request of a client on its way to an upstream. */
export interface Call {
  readonly caller: Caller;
  /**
   * Aborted when the client cancels or leaves, or time runs out; `signal.reason` is the error the client receives.
   * Created on first use: hot paths use {@link onAbort}, which costs nothing until it is needed.
   */
  readonly signal: AbortSignal;
  readonly aborted: boolean;
  /** Calls `listener` once when the call is aborted (at once if it already is). Returns a way to stop listening. */
  onAbort(listener: (reason: Error) => void): () => void;
  /** Whether the client asked for progress. An adapter needs no progress machinery upstream when it did not. */
  readonly wantsProgress: boolean;
  /** `Mcp-Param-…` headers of the client's own request, to be sent on unchanged where the upstream is modern HTTP. */
  readonly paramHeaders: Readonly<Record<string, string>> | undefined;
  /**
   * Sends a notification that belongs to this call. Progress carries no `progressToken` here: the relay stamps the
   * client's own. Progress restarts the call's timeout, up to its ceiling.
   */
  notify(notification: Notification): void;
  /**
   * A sign of life of the server that is nothing to tell the client: the call's time limit starts again, up to its
   * ceiling, as it does with progress.
   */
  alive?(): void;
  /** Milliseconds the server may be silent; undefined: without limit, or not known. */
  readonly silenceMs?: number | undefined;
  /**
   * The server has ended the stream of the reply and wants to be polled for the rest after `retryMs` milliseconds. The
   * stream of a client that can resume it ends likewise; for other clients nothing changes.
   */
  pause?(retryMs: number): void;
  /**
   * Asks the client and waits for its answer (the `result` object). Rejects with `SWB_ASK_REFUSED` when the client did
   * not declare the capability or cannot be reached; the adapter then declines towards the upstream.
   */
  ask(ask: Ask): Promise<JsonObject>;
  /**
   * The adapter calls it just before it hands the request to a connected transport: from then on the request may have an
   * effect at the server. A call that ends without it never left, and counts against no limit.
   */
  left?(): void;
  /**
   * The run of an agent outlives its client, and may outlive this process (`agent-call.ts`, "Runs that outlive the gateway").
   * Absent: it ends with its reader.
   */
  readonly lasting?: boolean;
  /** Of a lasting call: what the server calls the run. Again, where a run goes on as another one. */
  began?(run: AgentRunRef): void;
  /**
   * Of `agents/call`: a key for this gateway that the agent may use while the call lasts. Given to adapters alone that say
   * they have a place for it (`Adapter.agents.takesKeys`); one that finds none for this agent rejects with `SWB_NOT_SUPPORTED` before
   * it sends anything. It is a credential: it must be in no message, log or result.
   */
  readonly lent?: LentAccess | undefined;
  /** True when the client declared what this ask needs, so that an adapter can choose another way beforehand. */
  canAsk(method: AskMethod): boolean;
}
