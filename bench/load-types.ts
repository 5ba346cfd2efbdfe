/**
 * What the run and its load generator say to each other.
 * @module
 */
import type { Era } from '../src/wire/eras.ts';
import type { AskedCall, Operation } from './messages.ts';

export interface LoadJob {
  port: number;
  path: string;
  era: Era;
  operation: Operation;
  /** Name the target knows the tool by; unused for `list`. */
  tool: string;
  /** Tools a whole listing must have at least. */
  tools: number;
  /** Closed loop: each caller waits for its reply before it sends again. */
  callers: number;
  /** Calls before anything is measured. */
  warmupCalls: number;
  /** Sent with every request beside those of the protocol. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** What is called in place of a tool of the fixture's; `operation` is `small` then. */
  asked?: AskedCall | undefined;
}

export interface OpenSessions {
  port: number;
  path: string;
  count: number;
  /** What each session has done before it idles. */
  life: SessionLife;
  /** Name of the echo tool, for `called`. */
  tool: string;
}

/** `listed`: initialize and tools/list. `called`: one tools/call as well. `streaming`: a GET stream stays open. */
export type SessionLife = 'listed' | 'called' | 'streaming';

export type LoadRequest =
  | { kind: 'prepare'; job: LoadJob }
  | { kind: 'measure'; durationMs: number }
  | { kind: 'measure-calls'; calls: number }
  | { kind: 'finish' }
  | { kind: 'open-sessions'; sessions: OpenSessions }
  | { kind: 'close-sessions' };

/** One measured window. Latencies in milliseconds. */
export interface Window {
  calls: number;
  seconds: number;
  p50: number;
  p99: number;
  /** Requests per call: more than one only where a listing has several pages. */
  requestsPerCall: number;
}

export type LoadReply = { ok: true; window?: Window } | { ok: false; errors: number; error: string };
