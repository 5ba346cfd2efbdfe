/**
 * What every part of the HTTP endpoint shares.
 * @module
 */
import type { GatewayConfig } from '../../config/types.ts';
import type { Authenticator, Identity } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import type { TimerWheel } from '../../core/timer-wheel.ts';
import type { Federation, ServerState } from '../../federation/types.ts';
import type { AgentRelay, EndpointRelay } from '../../relay/relay.ts';
import type { ReplicaId } from '../../state/replica.ts';
import type { KeyValue } from '../../state/state.ts';
import type { AdminHandler, AdminOptions } from '../admin/admin.ts';
import type { WebhookParts } from '../agents/a2a/webhooks/webhooks.ts';
import type { AgentEndpoints } from '../agents/endpoints.ts';
import type { AuthorizeHandler } from '../authorize/authorize.ts';
import type { ConnectHandler, ConnectOptions } from '../connect/connect.ts';
import type { Connections } from './connections.ts';
import type { RefusalLog } from './refusal-log.ts';
import type { Elsewhere, ElsewhereOptions } from './replicas/elsewhere.ts';
import type { ProtectedResources } from './resources.ts';
import type { SessionTable } from './sessions/session-table.ts';
import type { EventStreams } from './streams/event-stream.ts';
import type { OldSseChannels } from './streams/old-sse.ts';
import type { Turns } from './turns.ts';

/** Milliseconds, unless said otherwise. */
export interface Timing {
  /** Quiet streams get a comment this often; a reply that takes longer becomes a stream, so that it can be kept alive. */
  keepAliveMs: number;
  /** How long a call runs on, and its messages are stored, for a client whose resumable stream broke. */
  resumeGraceMs: number;
  /** After which a client is asked to come back to a broken stream (`retry:`). */
  retryMs: number;
  /** How long the client may take to respond to an ask. */
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

export type Views = Pick<Federation, 'all' | 'view'>;

export interface HttpOptions {
  /** Stands in session ids. Default: a random one. */
  replica?: ReplicaId;
  relay: EndpointRelay;
  /** What agents are offered from by other protocols. Undefined: they are not. */
  agents?: { relay: AgentRelay; kv: KeyValue; webhooks?: Omit<WebhookParts, 'mayStay'> | undefined } | undefined;
  /** Where the views come from. */
  federation: Views;
  config: GatewayConfig;
  log: Log;
  /** Finds out whose a request is. */
  auth: Authenticator;
  /** The other replicas on the same state. Undefined: there are none. */
  replicas?: Omit<ElsewhereOptions, 'replica' | 'log'> | undefined;
  /** Where clients log in. Undefined: nowhere. */
  resources?: ProtectedResources | undefined;
  /** Undefined: there is no administration API. */
  admin?: AdminOptions | undefined;
  /** The gateway's own authorization server. Undefined: there is none. */
  authorize?: AuthorizeHandler | undefined;
  /** Undefined: no server has logins. */
  connect?: ConnectOptions | undefined;
  /** Whether a server exists for this identity. Undefined: all of them do. */
  knows?(identity: Identity, server: string): boolean;
  health(): Health;
  /** Path below which the addresses are, where the whole path arrives: `/gateway`. Default: none. */
  basePath?: string | undefined;
  timing?: Partial<Timing>;
}

export interface HttpContext {
  readonly replica: ReplicaId;
  readonly basePath: string;
  readonly auth: Authenticator;
  readonly resources: ProtectedResources | undefined;
  readonly admin: AdminHandler;
  readonly authorize: AuthorizeHandler | undefined;
  /** Whether there are pages for operators. */
  readonly hasPages: boolean;
  /** The pages on which people log in to servers. */
  readonly connect: ConnectHandler | undefined;
  readonly relay: EndpointRelay;
  readonly federation: Views;
  knows(identity: Identity, server: string): boolean;
  readonly config: GatewayConfig;
  readonly log: Log;
  readonly refusals: RefusalLog;
  readonly timing: Timing;
  readonly wheel: TimerWheel;
  readonly streams: EventStreams;
  readonly connections: Connections;
  readonly turns: Turns;
  readonly sessions: SessionTable;
  readonly oldSse: OldSseChannels;
  readonly agents: AgentEndpoints;
  /** What lives in other replicas. Undefined: there are none. */
  readonly elsewhere: Elsewhere | undefined;
}
