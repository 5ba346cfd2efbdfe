/**
 * What the rest of the gateway sees of the federation: servers and their state, and views of the merged catalog.
 * @module
 */

import type { ServerConfig } from '../config/types.ts';
import type { Caller } from '../core/caller.ts';
import type { Identity } from '../core/identity.ts';
import type { Mask } from '../core/mask.ts';
import type { Catalog, CatalogKind, Change, Entry, Upstream } from '../core/upstream.ts';
import type { Era } from '../wire/eras.ts';
import type { JsonObject, Notification } from '../wire/jsonrpc.ts';
import type { AgentTools } from './members/agent-tools.ts';

export type ServerState = 'configured' | 'connecting' | 'ready' | 'degraded' | 'stopped';

/** One server as people and tools see it. No addresses or credentials. */
export interface ServerStatus {
  name: string;
  /** What the file calls it, where that cannot be a name. */
  title?: string | undefined;
  /** Of its adapter, or `builtin`. Undefined until it is known. */
  kind: string | undefined;
  state: ServerState;
  transport: string | undefined;
  /** Whether `era` says anything: other kinds of servers have none. Undefined until the kind is known. */
  speaksMcp: boolean | undefined;
  era: Era | undefined;
  protocolVersion: string | undefined;
  /** The catalog is the last good one and the server is away. */
  stale: boolean;
  counts: Record<CatalogKind, number>;
  /** Why it is not ready, in a sentence. */
  error: string | undefined;
  origin: ServerConfig['origin'] | 'builtin';
  /** Milliseconds since the epoch of the last state change. */
  since: number;
  serverInfo: JsonObject | undefined;
  /** Callers share one session in spite of their isolation: the server opens no other. */
  oneSession?: boolean;
  /** Entries of its lists that clients could not read, the first of them; absent when there are none. */
  skipped?: readonly SkippedEntry[];
}

/** An entry that is left out, because one that clients cannot read costs them the whole list. */
export interface SkippedEntry {
  list: Exclude<CatalogKind, 'agents'>;
  /** Its own name or URI. */
  name: string;
  /** What is wrong with it, in a sentence. */
  reason: string;
  /** Whose lists it is left out of: of all clients, or of legacy ones alone. */
  clients: 'all' | 'legacy';
}

/** A request while connecting, in text, and how long after it the attempt was given up. */
export interface Unanswered {
  request: string;
  ms: number;
}

/** A server in the federation. Its identity is stable across reconnects; `upstream` is not. */
export interface Member {
  readonly name: string;
  readonly config: ServerConfig;
  readonly builtin: boolean;
  readonly state: ServerState;
  /** Undefined while away. */
  readonly upstream: Upstream | undefined;
  /** It is neither ready nor has failed yet: what it offers is not known. */
  readonly settling: boolean;
  /**
   * While it is connected again at once, because the connection it lost was of use (some servers end after every answer):
   * resolves when that has succeeded or failed. Never rejects.
   */
  readonly returning?: Promise<void> | undefined;
  status(): ServerStatus;
  /** The error behind `status().error` of a server that is away, with its causes. */
  readonly failure?: unknown;
  /** The last request of the attempt that failed, whether or not it was answered. */
  readonly asked?: Unanswered | undefined;
  /** Takes the credentials that the server is shown out of what it says. Absent: those it is configured with. */
  readonly mask?: Mask;
  /** The last good catalog. */
  catalog(kind: CatalogKind): Catalog;
  /** The tools that stand for its agents. */
  agentTools?(): AgentTools;
  /** Options of `agents/call` with which a run that waits goes on: such a call needs no message. */
  continuations?(): readonly string[];
  /** Whether a thread of its agents may have an id that the caller makes. */
  takesThreadIds?(): boolean;
  /** Whether its agents can be lent a key. */
  takesKeys?(): boolean;
  /** Why this list could not be fetched from the connected server, in a sentence without a full stop. */
  listProblem?(kind: CatalogKind): string | undefined;
  /** Whether the connected server has yet to send this list for the first time. */
  isUnlisted?(kind: CatalogKind): boolean;
  /** Whether the connected server has such a list; true while it is away. Absent: it has all. */
  hasList?(kind: CatalogKind): boolean;
  /**
   * The connected upstream, or `SWB_UPSTREAM_UNAVAILABLE` at once with the reason and, while it reconnects, a
   * `retryAfterMs`.
   */
  require(): Upstream;
  /** Something has changed that may let it be connected, or list more, now: a person has logged in. */
  reconnect?(): void;
  /** Calls `onChange` for updates of these resources (original URIs). Returns a function that ends it. */
  listenResources(uris: readonly string[], onChange: (change: Change) => void): () => void;
}

/** Where an exposed name leads. */
export interface Route {
  member: Member;
  /** As the client sees it. */
  exposed: string;
  /** As the upstream knows it. */
  original: string;
  entry: Entry;
}

/** One page of a list, ready to be sent: the JSON text of the result, in the era's shape. */
export interface ListPage {
  result: Buffer;
}

/**
 * Decides what one principal may see. What is not known does not exist for that principal: it is in no list, and its name
 * gets the error of an unknown name. Results change with the policy; `onChanged` says when.
 *
 * It is called often. Entries keep their identity until they change, so a result can be cached by entry.
 */
export interface ViewFilter {
  /** Whether anything of this server may be seen: its name, its state, its instructions, its entries in lists. */
  reaches(member: Member): boolean;
  /** Whether anything of a server that has listed nothing yet may turn out to be seen: then requests wait for it. */
  mayReach?(member: Member): boolean;
  /** Asked at every call too, so that a change of the policy takes effect at once. */
  knows(kind: CatalogKind, member: Member, entry: Entry, exposed: string): boolean;
  /** Whether lists show an entry that is known. An entry that could never be called is known but not listed. */
  lists(kind: CatalogKind, member: Member, entry: Entry, exposed: string): boolean;
  /** Whether a URI that no list has is known. */
  knowsUri(member: Member, original: string): boolean;
  /** Whether the instructions of a server that is reached are passed on. Default: they are. */
  showsInstructions?(member: Member, text: string): boolean;
  /**
   * Resolves when the other methods can decide about these routes; undefined when they can now. Until then they hide
   * routes that are not prepared.
   */
  prepare?(kind: CatalogKind, routes: readonly Route[]): Promise<void> | undefined;
  /**
   * Calls `listener` when results may differ from now on. Returns a function that removes it. A view adds a listener for
   * the life of the filter and may never remove it; the listener holds the view weakly, so keeping it keeps no view alive.
   */
  onChanged(listener: () => void): () => void;
}

/** The part of a filter that decides which names and URIs resolve. */
export type VisibilityFilter = Pick<ViewFilter, 'reaches' | 'knows' | 'knowsUri'>;

/**
 * A catalog as one kind of client sees it: everything under prefixed names (`/mcp`), or one server under its own names
 * (`/servers/<name>/mcp`). Names resolve through the catalog, never by splitting.
 */
export interface View {
  /** `all` or the server's name. */
  readonly id: string;
  /** Undefined for the merged view. */
  readonly server: string | undefined;
  /** A page in the era's shape; throws `SWB_STALE_CURSOR` for a cursor of a list that has changed since. */
  page(kind: Exclude<CatalogKind, 'agents'>, era: Era, cursor: string | undefined): ListPage;
  /** All entries under their exposed names, in list order. */
  routes(kind: CatalogKind): readonly Route[];
  resolve(kind: 'tools' | 'prompts' | 'agents', exposed: string): Route | undefined;
  /**
   * Where a URI is read: one that begins with a server's part (listed or not), an original one exactly one server lists,
   * or one that matches exactly one server's templates. `exposed` is the URI as it was asked for.
   */
  resolveUri(uri: string): Omit<Route, 'entry'> | undefined;
  /** A URI of a member as this view spells it. */
  exposeUri(member: Member, uri: string): string;
  /** The server and the original id of an exposed task id. Undefined when it names no server of this view. */
  resolveTask(taskId: string): { member: Member; original: string } | undefined;
  /** The id of a member's task as this view spells it. */
  exposeTask(member: Member, taskId: string): string;
  /** Capabilities to declare: what any server of the view offers, and what the gateway adds. */
  capabilities(era: Era): JsonObject;
  instructions(): string | undefined;
  serverInfo(): JsonObject;
  /** Calls `listener` when the bytes of this view's list of a kind have changed. */
  onListChanged(listener: (kind: CatalogKind) => void): () => void;
  /** Whether anything of this server can be seen here. A server's own view that does not reach it is no view at all. */
  reaches(member: Member): boolean;
  /** Whether anything of a server that has listed nothing yet may turn out to be seen here. Absent: as {@link reaches}. */
  mayReach?(member: Member): boolean;
  /**
   * This view with only what the filter lets through, under the same names. The same filter gives the same view. Its
   * lists are private to its caller.
   */
  restricted(filter: ViewFilter): View;
  /**
   * Resolves when the list of this kind, or only `name` (exposed, or a URI), can be answered; undefined when it can now.
   * Templates have no names.
   */
  prepare?(kind: CatalogKind, name?: string): Promise<void> | undefined;
}

/**
 * How long a request waits for servers: a list from the start of the gateway, a call from when its server was added, a lookup of
 * an agent that names its server until that server has had its time to connect and to list. The
 * handshake of a client on stdio is short of patience: what it lacks the client never learns, but some clients give it 10 seconds.
 */
export type Patience = 'handshake' | 'list' | 'call' | 'named';

/** Whose request waits: a client on stdio starts the gateway and asks at once, so its lists wait longer. */
export type Waiter = Pick<Caller, 'identity' | 'inProcess'>;

/** What clients with different capabilities see: servers list some things only to clients that can be asked. */
export interface ClientOffers {
  /** The view as clients with these capabilities see it now: the very same view where no server makes a difference. */
  viewFor(capabilities: JsonObject, view: View): View;
  /** The same for what lasts: its list changes are reported also where servers make a difference only later. */
  lastingViewFor(capabilities: JsonObject, view: View): View;
  /** See {@link Federation.whenSettled}: until it is known what servers list to such clients, as long as a list may wait. */
  prepare(capabilities: JsonObject, view: View, waiter: Waiter): Promise<void> | undefined;
}

export interface Federation {
  readonly offers?: ClientOffers;
  /** The merged view. */
  readonly all: View;
  /** One server's view, or undefined when there is none of that name. */
  view(server: string): View | undefined;
  members(): readonly Member[];
  member(name: string): Member | undefined;
  /** Adds a server and starts connecting it. Resolves when it is ready or its first attempt has failed. */
  add(config: ServerConfig): Promise<ServerStatus>;
  /** Adds an in-process upstream (the builtin tools): no prefix, merged view only. */
  addBuiltin(name: string, upstream: Upstream): void;
  /** Removes a server: its calls fail, its children and sessions end. False when unknown. */
  remove(name: string): Promise<boolean>;
  /**
   * Ends a server's connection, child and sessions and begins them anew, in the same place and with its last good catalog until
   * then. Resolves when it is ready or its first attempt has failed. False when unknown.
   */
  restart(name: string): Promise<boolean>;
  /**
   * Makes the set of configured servers equal to this one, in this order: adds, removes and restarts only what differs.
   * Resolves when what is gone has ended. Built-ins stay, and so do servers added at run time (`origin: 'runtime'`),
   * after the others, unless one of these has their name.
   */
  apply(servers: readonly ServerConfig[]): Promise<void>;
  onStateChange(listener: (status: ServerStatus) => void): () => void;
  /** Notifications outside calls, with the key of the caller whose session they came on; undefined for a shared session. */
  onNotification(
    listener: (member: Member, notification: Notification, callerKey: string | undefined) => void,
  ): () => void;
  /**
   * Resolves when every configured server is ready or has failed once; with `triedAgain`, twice where a command started and
   * exited.
   */
  settled(options?: { triedAgain?: boolean }): Promise<void>;
  /** Whether any server is neither ready nor has failed yet. */
  readonly settling: boolean;
  /**
   * Resolves when each of the servers that count is ready or has failed once, or when `gateway.firstList` is over. Undefined
   * when nothing is to be waited for. Never rejects.
   */
  whenSettled(counts: (member: Member) => boolean, patience: Patience, waiter: Waiter): Promise<void> | undefined;
  /** Whether any server can be connected with a caller's credentials only, and waits for one. */
  readonly awaitsCallers: boolean;
  /**
   * A caller who may be the first one with credentials for servers that can be connected with a caller's only. Resolves when those
   * that count are connected or cannot be; undefined when none waits. With `mustReach` it rejects with why this identity has none.
   */
  introduce(identity: Identity, counts: (member: Member) => boolean, mustReach: boolean): Promise<void> | undefined;
  close(): Promise<void>;
}
