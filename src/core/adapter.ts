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
import type { Envelope } from '../wire/envelope.ts';
import type { Era } from '../wire/eras.ts';
import type { Notification } from '../wire/jsonrpc.ts';
import type { ServerCredentials } from './credentials.ts';
import type { Log } from './log.ts';
import type { Upstream, UpstreamKind } from './upstream.ts';

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
  /** What requests to the server show it; `target.headers` are in it. For the origin of `target` alone. */
  readonly credentials: ServerCredentials;
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
