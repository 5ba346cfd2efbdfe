/**
 * What every part of the HTTP endpoint shares.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GatewayConfig } from '../../config/types.ts';
import type { Log } from '../../core/log.ts';
import type { TimerWheel } from '../../core/timer-wheel.ts';
import type { Federation, ServerState, View } from '../../federation/types.ts';
import type { EndpointRelay } from '../../relay/relay.ts';
import type { AdminHandler, AdminOptions } from '../admin/admin.ts';
import type { Authenticator } from './guard.ts';
import type { SessionTable } from './sessions/session-table.ts';
import type { EventStreams } from './streams/event-stream.ts';
import type { OldSseChannels } from './streams/old-sse.ts';

/** Milliseconds, unless said otherwise. */
export interface Timing {
  /** Quiet streams get a comment this often; a reply that takes longer becomes a stream, so that it can be kept alive. */
  keepAliveMs: number;
  /** How long a call runs on, and its messages are kept, for a client whose resumable stream broke. */
  resumeGraceMs: number;
  /** After which a client is asked to come back to a broken stream (`retry:`). */
  retryMs: number;
  /** How long a question to the client stays open. */
  askTimeoutMs: number;
  headersTimeoutMs: number;
  requestTimeoutMs: number;
  /** How long `close` waits for replies under way. */
  closeGraceMs: number;
}

export const TIMING: Timing = {
  keepAliveMs: 15_000,
  resumeGraceMs: 30_000,
  retryMs: 1_000,
  askTimeoutMs: 10 * 60_000,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 60_000,
  closeGraceMs: 2_000,
};

export interface Health {
  /** Every configured server has been connected or has failed once. */
  ready: boolean;
  /** How many servers are in which state. */
  servers: Partial<Record<ServerState, number>>;
}

/** The keys that open the gateway. Read with every request: they may change while it runs. */
export interface Grants {
  /** Nobody comes in without a credential. */
  readonly required: boolean;
  /** Another number after each change. */
  readonly version: number;
  /** The principal a key belongs to; undefined when it opens nothing. Constant time. */
  verify(presented: string): string | undefined;
  /** The grant of this principal is there and has not expired. */
  isValid(principal: string): boolean;
}

export type Views = Pick<Federation, 'all' | 'view'>;

export interface HttpOptions {
  relay: EndpointRelay;
  /** Where the views come from. */
  federation: Views;
  config: GatewayConfig;
  log: Log;
  /** Without them `gateway.token` is the only credential there is. */
  grants?: Grants | undefined;
  /** Undefined: there is no administration API. */
  admin?: AdminOptions | undefined;
  /** Whether a server exists for this principal. Undefined: all of them do. */
  knows?(principal: string, server: string): boolean;
  health(): Health;
  timing?: Partial<Timing>;
}

export interface HttpContext {
  readonly authenticator: Authenticator;
  readonly admin: AdminHandler;
  readonly relay: EndpointRelay;
  readonly federation: Views;
  knows(principal: string, server: string): boolean;
  readonly config: GatewayConfig;
  readonly log: Log;
  readonly timing: Timing;
  readonly ticker: TimerWheel;
  readonly streams: EventStreams;
  readonly sessions: SessionTable;
  readonly oldSse: OldSseChannels;
}

/** One HTTP request that was let in. */
export interface HttpRequestContext {
  req: IncomingMessage;
  res: ServerResponse;
  principal: string;
  view: View;
}

/** A request header that is sent at most once; Node joins repeated ones with commas. */
export function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return typeof value === 'string' ? value : undefined;
}
