/**
 * A connected server as the gateway sees it, whatever its kind: a catalog, requests, changes.
 * @module
 */
import type { Implementation } from '../wire/envelope.ts';
import type { Era } from '../wire/eras.ts';
import type { ResultOutline } from '../wire/json/outline.ts';
import type { PathEdit } from '../wire/json/splice.ts';
import type { JsonObject, Notification } from '../wire/jsonrpc.ts';
import type { Pieces } from '../wire/pieces.ts';
import type { Call } from './call.ts';
import type { Caller } from './caller.ts';

export type CatalogKind = 'tools' | 'prompts' | 'resources' | 'templates' | 'agents';

export const CATALOG_KINDS: readonly CatalogKind[] = ['tools', 'prompts', 'resources', 'templates', 'agents'];

/**
 * The reply to a request. `raw` is the JSON text of the `result` member exactly as the upstream sent it (its era is
 * the upstream's); `pieces` are the same bytes in the chunks they came in, and `members` is the outline of the result, where the adapter
 * has scanned it. `value` is a result the adapter made (neutral: no `resultType`; the relay adds what an era requires).
 * `inputRequired` is a modern upstream's interim result, with its bytes where there are any (the retry arrives as a new
 * request whose params carry `inputResponses` and `requestState`).
 */
export type Reply =
  | { readonly raw: Buffer; readonly pieces?: Pieces; readonly members?: ResultOutline | undefined }
  | { value: JsonObject }
  | { inputRequired: JsonObject; raw?: Buffer };

/** One thing a server offers. */
export interface Entry {
  /** `name` of tools, prompts and agents, `uri` of resources, `uriTemplate` of templates. */
  key: string;
  value: JsonObject;
  /** The bytes as sent, when there were any: what is passed on loses nothing. */
  raw?: Buffer;
  /** What legacy clients receive in its place, where that differs; `false`: none of them could read it. Adapters leave it out. */
  legacy?: LegacyForm | false;
  /**
   * Of a tool: its calls may become tasks of the gateway's own that outlive their client. The adapter keeps to `Call.lasting` and
   * `Call.began` in them, and answers `tools/attach` (`agent-call.ts`, "Runs that outlive the gateway").
   */
  lasts?: true;
  /** Of a tool that the gateway offers for an agent: the agent's own entry. Adapters leave it out. */
  agent?: Entry;
}

export interface LegacyForm {
  edits: readonly PathEdit[];
  /** The output schema is wrapped in an object, and so is what calls return. */
  wrapsOutput: boolean;
}

export interface Catalog {
  entries: Entry[];
  /** Freshness the upstream stated (modern). */
  ttlMs?: number;
  cacheScope?: 'public' | 'private';
}

/** Lists of one server by kind; a kind that is left out is as in the catalog. */
export type CapabilityLists = Readonly<Partial<Record<CatalogKind, Catalog>>>;

/** The changes a listener is called for. */
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
  /** The {@link Adapter} kind that made it, or `builtin` for the gateway's own. */
  readonly kind: string;
  /** For people: `stdio`, `streamable-http`, `sse`, `http`, `mqtt`, `in-process`. */
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
   * Its lists as a client with these capabilities gets them, where what it lists may depend on them; undefined where it does
   * not, or where asking is not worth what it costs: a process more of a server that shows no sign of it. The gateway's own
   * credentials are shown.
   */
  listsFor?(capabilities: JsonObject, signal: AbortSignal): Promise<CapabilityLists | undefined>;
  /**
   * One MCP request under the upstream's own names: `tools/call`, `prompts/get`, `resources/read`,
   * `completion/complete`, `agents/call`, `agents/describe`, and any other method the upstream may know.
   * `params` belongs to the adapter: it may be changed. Rejects with `SwitchboardError` or `UpstreamError`.
   */
  request(method: string, params: JsonObject, call: Call): Promise<Reply>;
  /** Calls `onChange` with changes. Failure to subscribe is not an error: the adapter tries again or polls, with backoff. */
  listen(filter: ListenFilter, onChange: (change: Change) => void): Subscription;
  /** A notification from a client for the upstream (`notifications/roots/list_changed`, unknown ones). Best effort. */
  notify?(notification: Notification, caller: Caller): void;
  /** The caller is gone for good: free what is held for it (its upstream session, its child process). */
  release?(callerKey: string): void;
  /** Whether it has answered a client's request: when its connection is lost, it is connected again at once. */
  readonly answered?: boolean;
  /** Callers share one session in spite of their isolation, because the server opens no other. */
  readonly oneSession?: boolean;
  /** Finds out {@link oneSession} by opening a second session, which is ended at once. Never rejects. */
  trySession?(signal: AbortSignal): Promise<void>;
  /** Rejects when the upstream is not answering. */
  ping(signal: AbortSignal): Promise<void>;
  /** Ends everything: streams, sessions (DELETE), children (whole process group). Never rejects; bounded in time. */
  close(): Promise<void>;
}
