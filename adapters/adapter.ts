/**
 * The contract between the gateway and the servers behind it. Everything behind an adapter looks like MCP: an adapter
 * makes one kind of server (real MCP, Mastra, LangGraph, …) an {@link Upstream}, and the relay knows no other shape.
 *
 * Rules every adapter keeps, checked by the shared suite in `cases.ts`:
 * - it imports nothing of `src` but `wire`;
 * - it never sends a run-creating request twice;
 * - it cancels upstream by the protocol's own means when a call is aborted, and then settles the call;
 * - 2xx is not success: error bodies become errors; no stack, prompt, credential or address of the upstream is in them;
 * - every read is bounded (bytes, time, pages).
 * @module
 */
import type { LookupFunction } from 'node:net';
import type { Envelope, Implementation } from '../src/wire/envelope.ts';
import type { Era } from '../src/wire/eras.ts';
import type { Sightings } from '../src/wire/json/scan.ts';
import type { JsonObject, Notification } from '../src/wire/jsonrpc.ts';

export type UpstreamKind = 'mcp' | 'mastra' | 'langgraph' | 'builtin';

export type CatalogKind = 'tools' | 'prompts' | 'resources' | 'templates' | 'agents';

export const CATALOG_KINDS: readonly CatalogKind[] = ['tools', 'prompts', 'resources', 'templates', 'agents'];

/** The principal of callers who hold no grant: the local user. No grant can have this name. */
export const LOCAL_PRINCIPAL = 'local';

/** Who is asking. Made once per request (modern) or per session (legacy) at the edge and passed inwards. */
export interface Caller {
  /** The key of upstream isolation and of queue fairness: the session (legacy), the grant or local user (modern). */
  readonly key: string;
  /** Who the caller is, for logs and policy: `local`, or the name of a grant. */
  readonly principal: string;
  readonly era: Era;
  readonly protocolVersion: string;
  readonly capabilities: JsonObject;
  readonly clientInfo: Implementation | undefined;
  /** Modern: the level of this request. Legacy: the session's, once set. Undefined: send no log messages. */
  readonly logLevel: string | undefined;
  /** Legacy session id; undefined for modern callers. */
  readonly sessionId: string | undefined;
}

/**
 * What a server may ask of a client. The last four are about tasks of the client's own, which it made of earlier
 * questions (2025-11-25 basic/utilities/tasks).
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
  /** Aborts when the upstream withdraws the question. */
  signal?: AbortSignal;
}

/** One request on its way through, as the adapter sees it. */
export interface Call {
  readonly caller: Caller;
  /**
   * Aborted when the client cancels or leaves, or time runs out; `signal.reason` is the error the client will get.
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
   * The server has ended the stream of the reply and wants to be polled for the rest in `retryMs`. A client whose own
   * stream can be taken up again is let go in the same way; for others nothing changes.
   */
  pause?(retryMs: number): void;
  /**
   * Asks the client and waits for its answer (the `result` object). Rejects with `SWB_ASK_REFUSED` when the client did
   * not declare the capability or cannot be reached; the adapter then declines towards the upstream.
   */
  ask(ask: Ask): Promise<JsonObject>;
  /**
   * The request is on its way to the server and may have an effect there: said by whoever hands it to a connected
   * transport, just before. A call that ends without it never left, and counts against no limit.
   */
  left?(): void;
  /** True when the client declared what this ask needs, so that an adapter can choose another way beforehand. */
  canAsk(method: AskMethod): boolean;
}

/**
 * The answer to a request. `raw` is the JSON text of the `result` member exactly as the upstream sent it (its era is
 * the upstream's); `seen` is what a scan saw in it, where there was one, and saves the relay another. `value` is a
 * result the adapter made (neutral: no `resultType`; the relay adds what an era requires). `inputRequired` is a modern
 * upstream's interim result, with its bytes where there are any (the retry arrives as a new request whose params carry
 * `inputResponses` and `requestState`).
 */
export type Reply =
  | { raw: Buffer; seen?: Sightings }
  | { value: JsonObject }
  | { inputRequired: JsonObject; raw?: Buffer };

/** One thing a server offers. */
export interface Entry {
  /** `name` of tools, prompts and agents, `uri` of resources, `uriTemplate` of templates. */
  key: string;
  value: JsonObject;
  /** The bytes as sent, when there were any: what is passed on loses nothing. */
  raw?: Buffer;
}

export interface Catalog {
  entries: Entry[];
  /** Freshness the upstream stated (modern). */
  ttlMs?: number;
  cacheScope?: 'public' | 'private';
}

/** Which changes a listener wants to hear of. */
export interface ListenFilter {
  lists?: boolean;
  /** Original URIs. */
  resources?: readonly string[];
}

export type Change = { type: 'list'; kind: CatalogKind } | { type: 'resource'; uri: string; params: JsonObject };

export interface Subscription {
  close(): void;
}

/** A connected server. Closing is final: a reconnect makes a new one. */
export interface Upstream {
  readonly kind: UpstreamKind;
  /** For people: `stdio`, `streamable-http`, `sse`, `http`, `in-process`. */
  readonly transport: string;
  readonly era: Era;
  /** Negotiated MCP revision, or the version of the server's own API. */
  readonly protocolVersion: string;
  /** MCP ServerCapabilities, as the upstream declared them, or as the adapter derives them. */
  readonly capabilities: JsonObject;
  readonly serverInfo: Implementation | undefined;
  readonly instructions: string | undefined;
  /** The whole list (pages are walked here, bounded). Kinds the upstream does not offer give an empty list. */
  catalog(kind: CatalogKind, signal: AbortSignal): Promise<Catalog>;
  /**
   * One MCP request under the upstream's own names: `tools/call`, `prompts/get`, `resources/read`,
   * `completion/complete`, `agents/call`, `agents/describe`, and any other method the upstream may know.
   * `params` belongs to the adapter: it may be changed. Rejects with `SwitchboardError` or `UpstreamError`.
   */
  request(method: string, params: JsonObject, call: Call): Promise<Reply>;
  /** Hears of changes. Failure to subscribe is not an error: the adapter tries again or polls, with backoff. */
  listen(filter: ListenFilter, onChange: (change: Change) => void): Subscription;
  /** A notification from a client for the upstream (`notifications/roots/list_changed`, unknown ones). Best effort. */
  notify?(notification: Notification, caller: Caller): void;
  /** The caller is gone for good: free what is held for it (its upstream session, its child process). */
  release?(callerKey: string): void;
  /** Rejects when the upstream is not answering. */
  ping(signal: AbortSignal): Promise<void>;
  /** Ends everything: streams, sessions (DELETE), children (whole process group). Never rejects; bounded in time. */
  close(): Promise<void>;
}

export type Target =
  | {
      transport: 'stdio';
      command: string;
      args: readonly string[];
      env: Readonly<Record<string, string>>;
      cwd: string | undefined;
    }
  | { transport: 'http' | 'sse' | 'auto'; url: string; headers: Readonly<Record<string, string>> };

/** Where connections may go. Given for servers connected at run time; absent for those the operator configured. */
export interface NetworkGuard {
  /** Resolves a name to the addresses that were checked, and to no others (no second DNS answer can slip in). */
  readonly lookup: LookupFunction;
  /** Rejects with `SWB_URL_REFUSED` when this address may not be connected to. Asked again for every redirect. */
  check(url: URL): Promise<void>;
}

/** The few levels an adapter needs; pino satisfies it. */
export interface Log {
  debug(fields: object, message?: string): void;
  info(fields: object, message?: string): void;
  warn(fields: object, message?: string): void;
  error(fields: object, message?: string): void;
}

export interface ConnectContext {
  /** The server's name in the configuration, for messages. */
  readonly name: string;
  readonly target: Target;
  /** One upstream session or child per caller, or one for all. */
  readonly isolation: 'caller' | 'shared';
  /** What was learned about this server before, so that probing can be skipped; wrong hints are corrected. */
  readonly known: { era: Era; protocolVersion: string } | undefined;
  /** Largest reply, event or line accepted, in bytes. */
  readonly maxReplyBytes: number;
  /** Most callers with an upstream session or child of their own at one time. */
  readonly maxCallerSessions: number;
  /** How the gateway names itself where no client's own identity is used. */
  readonly identity: Envelope;
  readonly guard: NetworkGuard | undefined;
  readonly log: Log;
  /** Aborted when the connect deadline passes or the server is removed. */
  readonly signal: AbortSignal;
  /** The connection is lost; the federation will connect again. At most once per upstream, never after `close`. */
  onDown(reason: Error): void;
  /**
   * A notification that is neither a change nor part of a call (log messages, unknown ones), with the key of the caller
   * whose session it came on, or undefined when the session is everybody's.
   */
  onNotification(notification: Notification, callerKey: string | undefined): void;
}

export interface DetectContext {
  readonly headers: Readonly<Record<string, string>>;
  readonly guard: NetworkGuard | undefined;
  readonly signal: AbortSignal;
}

export interface Adapter {
  readonly kind: Exclude<UpstreamKind, 'builtin'>;
  /** Whether this URL speaks this kind. Cheap, side-effect free, and false rather than an error. */
  detect(url: URL, context: DetectContext): Promise<boolean>;
  /** Connects, or rejects with `SWB_UPSTREAM_UNAVAILABLE`, `SWB_UPSTREAM_AUTH`, `SWB_UPSTREAM_PROTOCOL`, … */
  connect(context: ConnectContext): Promise<Upstream>;
}

/** Params of `agents/call`, our own method: one turn with an agent. */
export interface AgentCallParams extends JsonObject {
  /** The upstream's own id of the agent. */
  agent: string;
  messages: { role: string; content: unknown }[];
  threadId?: string;
  resourceId?: string;
  /** Send the text as it is made: `notifications/progress` whose `message` is the piece of text. */
  stream?: boolean;
  /** Passed to the upstream's API as its own options (model settings, config, `resume`, …). */
  options?: JsonObject;
}

/** Result of `agents/call`. */
export interface AgentCallResult extends JsonObject {
  /** `interrupted`: the agent waits for a person and the client could not be asked; `interrupts` says for what. */
  status: 'completed' | 'interrupted';
  text: string;
  threadId?: string;
  runId?: string;
  finishReason?: string;
  usage?: JsonObject;
  interrupts?: unknown[];
  /** The upstream's structured output or final state values, where it has one. Bounded. */
  output?: unknown;
}
