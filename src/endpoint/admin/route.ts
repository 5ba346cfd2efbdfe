/**
 * One address of the administration API, and what its handler gets and returns.
 * @module
 */

import type { IncomingHttpHeaders } from 'node:http';
import type { LoginPages } from '../../auth/connect/login-pages.ts';
import type { OperatorLogin } from '../../auth/operators/login.ts';
import type { Operator } from '../../auth/operators/operator.ts';
import type { Logins } from '../../auth/upstream/types.ts';
import type { Log } from '../../core/log.ts';
import type { ServerStatus } from '../../federation/types.ts';
import type { OperatorEvent } from '../../observe/events.ts';
import type { Approvals } from '../../policy/approvals/types.ts';
import type { ReplicaId } from '../../state/replica.ts';
import type { BrowserSessions } from './browser-sessions.ts';
import type { PageSources } from './sources.ts';

/** What the administration shows and decides. */
export interface AdminSources {
  approvals: Pick<Approvals, 'list' | 'get' | 'decide' | 'refresh'>;
  /** The servers behind the gateway as they are now, without builtin ones. */
  servers(): readonly ServerStatus[];
  /** Metrics as Prometheus text, and its media type. Absent: there are none. */
  metrics?(): Promise<{ type: string; body: string }>;
  /** Who has logged in to which server. Undefined: no server has logins. */
  connections?:
    | {
        logins: Pick<Logins, 'status' | 'revoke' | 'loginPrincipal'>;
        pages: Pick<LoginPages, 'forOperator' | 'stateOf'>;
        hasGrant(name: string): boolean;
      }
    | undefined;
  /** What the pages show besides. Undefined: there are no pages. */
  pages?: PageSources | undefined;
}

/** What an operator has done. */
export type Told = Pick<OperatorEvent, 'action' | 'outcome'> &
  Partial<Pick<OperatorEvent, 'target' | 'errorCode'>> & { operator: Operator };

/** What the table of routes is made of. */
export interface RouteSources extends AdminSources {
  sessions: BrowserSessions;
  /** At the identity provider. Undefined: the admin token alone lets operators in. */
  login: OperatorLogin | undefined;
  /** For the log and the audit. */
  tell(what: Told): void;
  log: Log;
  /** Whether this is the admin token. Throws `SWB_TOO_MANY_ATTEMPTS`. `from`: as in {@link AdminRequest}. */
  isToken(presented: string, from: string | undefined): boolean;
}

export interface AdminRequest {
  /** Of `path`: `:id` in it is `params.id`, as it stood in the URL. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  /** In JSON where there is a body at all. */
  body: Buffer;
  headers: IncomingHttpHeaders;
  /** The address of the connection: the client's, or a proxy's. */
  from: string | undefined;
  /** Who asks; not known at an open address. */
  operator: Operator;
  /** As it was asked for, with the slash at its end if it had one. */
  url: string;
}

/** The response to a request that goes on: server-sent events. */
export interface AdminStream {
  /** One event, with JSON as its data. */
  send(event: string, data: unknown): void;
  end(): void;
  /** Aborted when the client is gone, reads too slowly, or the gateway closes. */
  readonly signal: AbortSignal;
}

/** What a handler returns: an object that is sent as JSON, a body with its media type, or what writes a stream of events. */
export type AdminReply = { status?: number; headers?: Readonly<Record<string, string>> } & (
  | { json: object }
  | { type: string; body: string | Buffer }
  | { stream: (stream: AdminStream) => void }
);

export interface AdminRoute {
  method: 'GET' | 'POST';
  /** Below `/admin`; a segment `:name` stands for 1 to 128 characters of any other kind than `/`. */
  path: string;
  /** Needs no admin token: for what holds nothing of the gateway, such as the files of pages. */
  open?: true;
  /** Of a POST: this one changes nothing, and the audit has no line of it. Default: it changes something. */
  reads?(request: Pick<AdminRequest, 'body'>): boolean;
  /** A POST that operators who may only look may send, too. */
  viewers?: true;
  /** Largest body in bytes. Default: 8 KiB. */
  maxBytes?: number;
  /** The replica that has what the request is about, where it is one's alone. Undefined: any can serve it. */
  placedAt?(request: Omit<AdminRequest, 'body' | 'operator'>): ReplicaId | undefined;
  /** Throws, or rejects with, `SwitchboardError` for errors that the client gets to read. */
  handle(request: AdminRequest): AdminReply | Promise<AdminReply>;
}
