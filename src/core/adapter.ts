/**
 * The contract between the gateway and the servers behind it. Everything behind an adapter looks like MCP: an adapter
 * makes one kind of server (real MCP, Mastra, LangGraph, …) an {@link Upstream}, and the relay knows no other shape.
 *
 * Rules every adapter keeps, checked by the shared suite in `adapters/cases.ts`:
 * - it imports nothing of `src` but `core` and `wire`;
 * - it never sends a run-creating request twice;
 * - it cancels upstream by the protocol's own means when a call is aborted, and then settles the call;
 * - 2xx is not success: error bodies become errors; no stack, prompt, credential or address of the upstream is in them;
 * - every read is bounded (bytes, time, pages).
 * @module
 */

import type { LookupFunction } from 'node:net';
import type { z } from 'zod';
import type { Envelope } from '../wire/envelope.ts';
import type { Era } from '../wire/eras.ts';
import type { Notification } from '../wire/jsonrpc.ts';
import type { BrokerSettings } from './broker.ts';
import type { ServerCredentials } from './credentials.ts';
import type { SwitchboardError } from './errors.ts';
import type { Log } from './log.ts';
import type { ServerMemory } from './server-memory.ts';
import type { Upstream } from './upstream.ts';

export type Target =
  | {
      transport: 'stdio';
      command: string;
      args: readonly string[];
      env: Readonly<Record<string, string>>;
      cwd: string | undefined;
    }
  | { transport: 'http' | 'sse' | 'auto'; url: string; headers: Readonly<Record<string, string>> }
  | {
      /** Servers behind an MQTT broker. */
      transport: 'mqtt';
      /** `mqtt`, `mqtts`, `ws` or `wss`, without user name and password. */
      url: string;
      /** Of the request that opens a WebSocket. */
      headers: Readonly<Record<string, string>>;
      broker: BrokerSettings;
    };

/** Where connections may go. Given for servers connected at run time; absent for those the operator configured. */
export interface NetworkGuard {
  /** Resolves a name to the addresses that were checked, and to no others (no second DNS answer can slip in). */
  readonly lookup: LookupFunction;
  /** Rejects with `SWB_URL_REFUSED` when this address may not be connected to. Asked again for every redirect. */
  check(url: URL): Promise<void>;
}

/** What a server turned out not to take. It is remembered for a day, and then tried again. */
export interface ServerHabits {
  /** How much of a client's capabilities `initialize` may declare. Default: everything. */
  readonly declares?: 'everything' | 'modes' | 'features' | 'nothing';
  /** Only one session can be opened: callers share it whatever their isolation. */
  readonly oneSession?: boolean;
}

export interface ConnectContext {
  /** The server's name in the configuration, for messages. */
  readonly name: string;
  readonly target: Target;
  /** The values of {@link Adapter.options}, as its schemas give them: with defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  /** One upstream session or child per caller, or one for all. */
  readonly isolation: 'caller' | 'shared';
  /** What was learned about this server before, so that probing can be skipped; wrong hints are corrected. */
  readonly known: { era: Era; protocolVersion: string } | undefined;
  /** What was learned about it in the same way; a new habit is reported with {@link learned}. */
  readonly habits?: ServerHabits | undefined;
  /** The server has shown these habits, all that are known of it. */
  learned?(habits: ServerHabits): void;
  /**
   * True where definitions are compared with those in a lock file: a list then has all that the server says of an entry, also
   * where that takes time, and fails where some of it cannot be read. Asked for each list. Absent: false.
   */
  wholeDefinitions?(): boolean;
  /** What the adapter keeps of this server beyond the connection. */
  readonly memory: ServerMemory;
  /** How long a call may take without a sign of life, in milliseconds. The relay ends it; a server may be sent it. */
  readonly timeoutMs: number;
  /** Largest reply, event or line accepted, in bytes. */
  readonly maxReplyBytes: number;
  /** Most callers with an upstream session or child of their own at one time. */
  readonly maxCallerSessions: number;
  /** How the gateway introduces itself where no client is introduced. */
  readonly envelope: Envelope;
  readonly guard: NetworkGuard | undefined;
  /** What requests to the server show it; `target.headers` are in it. For the origin of `target` alone. */
  readonly credentials: ServerCredentials;
  readonly log: Log;
  /** Aborted when the connect deadline passes or the server is removed. */
  readonly signal: AbortSignal;
  /**
   * The server is still starting and shows it: a command writes to its stderr. The connect deadline begins anew, up to a
   * ceiling. Ignored once the server is connected.
   */
  onStarting?(): void;
  /**
   * A further process of the server is to be started, such as a caller's own: resolves when it may, with a function to call
   * when the start is over. The first one has its turn already. `principal`: whom it is started for; principals take turns.
   */
  startSlot?(signal: AbortSignal, principal?: string): Promise<() => void>;
  /** A request leaves for the server, in text: what people are shown when nothing comes back. Of use until it is connected. */
  sending?(request: string): void;
  /** The connection is lost; the federation will connect again. At most once per upstream, never after `close`. */
  onDown(reason: Error): void;
  /**
   * A notification that is neither a change nor part of a call (log messages, unknown ones), with the key of the caller
   * whose session it came on; undefined for a session that callers share.
   */
  onNotification(notification: Notification, callerKey: string | undefined): void;
}

export interface DetectContext {
  /** Called by a kind that answers no: the server is there, and why it cannot be asked, in a sentence. */
  refused?(reason: SwitchboardError): void;
  /** See {@link ConnectContext}. */
  sending?: ConnectContext['sending'];
  readonly headers: Readonly<Record<string, string>>;
  /** How the broker is logged in to, where the URL is one's. */
  readonly broker?: BrokerSettings | undefined;
  readonly guard: NetworkGuard | undefined;
  readonly signal: AbortSignal;
}

/**
 * One kind of server. All the gateway knows of a kind stands here, so that a kind is a folder under `adapters/` and one
 * line in `adapters/index.ts`, or an object passed to `createGateway` and `loadConfig`.
 */
export interface Adapter {
  /** Its name in configurations and lists: `mastra`. Unique; `builtin` stands for the gateway itself. */
  readonly kind: string;
  /** Its name in sentences: `Mastra`. */
  readonly label: string;
  /** Says in a clause what its URL is; it follows "for <label>": `it is the base URL`. */
  readonly urlHint: string;
  /** The transports of a {@link Target} it connects. A command without a `kind` goes to the first that has `stdio`. */
  readonly transports: readonly Target['transport'][];
  /**
   * Which kind wins when several detect their own at one URL: the highest. Servers that offer another protocol beside
   * their own API rank above that protocol.
   */
  readonly detectRank: number;
  /**
   * Keys of a server's entry that only this kind has, by name, with descriptions for editors. A key may be required or
   * have a default. No two kinds share a key, and an entry that has one names its kind.
   */
  readonly options?: Readonly<Record<string, z.ZodType>>;
  /** True: its servers are asked only for lists that their `capabilities` declare. False: for every list. */
  readonly listsWhatItDeclares: boolean;
  /** Whether its servers speak MCP: their era is then shown, remembered, and given to `connect` as `known`. */
  readonly speaksMcp: boolean;
  /** How its agents are called; undefined for a kind whose servers have none. */
  readonly agents?: {
    /** Names in `options` of `agents/call` with which a run that waits goes on; such a call needs no messages. */
    readonly continuations: readonly string[];
    /** True: a thread may have any id the caller gives it, and exists from then on. Default: ids come from the server. */
    readonly takesThreadIds?: boolean;
    /** True: a key that is lent to an agent has a place in its calls (`Call.lent`). Default: lending is refused. */
    readonly takesKeys?: boolean;
  };
  /** Whether this URL speaks this kind. Cheap, side-effect free, and false rather than an error. */
  detect(url: URL, context: DetectContext): Promise<boolean>;
  /** Connects, or rejects with `SWB_UPSTREAM_UNAVAILABLE`, `SWB_UPSTREAM_AUTH`, `SWB_UPSTREAM_PROTOCOL`, … */
  connect(context: ConnectContext): Promise<Upstream>;
}
