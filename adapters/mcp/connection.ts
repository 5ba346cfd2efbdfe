/**
 * What connecting over any transport leads to: the gateway's own session, and how further ones are opened.
 * @module
 */

import type { ConnectContext } from '../../src/core/adapter.ts';
import type { Caller } from '../../src/core/caller.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { UpstreamSession } from './session/session.ts';

export interface Connection {
  readonly transport: 'stdio' | 'streamable-http' | 'sse' | 'mqtt';
  /** Whether callers have sessions of their own; decided by isolation, era and transport. */
  readonly perCaller: boolean;
  /** Whether a session that is gone is replaced unnoticed (HTTP), or its loss is an error of the callers' next requests (stdio, SSE, MQTT). */
  readonly renewable: boolean;
  /** Before {@link open} starts a process: resolves when it may, see `ConnectContext`. */
  readonly startSlot?: ConnectContext['startSlot'];
  /** A new session: the caller's, with its own capabilities and identity, or the gateway's. */
  open(caller: Caller | undefined, signal: AbortSignal): Promise<UpstreamSession>;
  /**
   * Whether this caller shares the gateway's session in spite of {@link perCaller}: where only one session can be opened,
   * and both show the server the same credentials. `error`: a session of the caller's own could not be opened for this reason.
   */
  shares?(caller: Caller, error?: unknown): boolean | Promise<boolean>;
  /** Whether the server can send messages outside requests on this session. */
  listens(session: UpstreamSession): boolean;
  /** Frees what all sessions share. Bounded; never rejects. */
  close(): Promise<void>;
}

export interface Connected {
  gatewaySession: UpstreamSession;
  connection: Connection;
}

export const restarting = (name: string): SwitchboardError =>
  new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' does not stay with one protocol era.`);
