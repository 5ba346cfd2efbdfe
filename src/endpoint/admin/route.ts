/**
 * One address of the administration API, and what its handler gets and returns.
 * @module
 */
import type { ServerStatus } from '../../federation/types.ts';
import type { Approvals } from '../../policy/approvals/types.ts';

/** What the administration shows and decides. */
export interface AdminSources {
  approvals: Pick<Approvals, 'list' | 'get' | 'decide' | 'refresh'>;
  /** The servers behind the gateway as they are now, without builtin ones. */
  servers(): readonly ServerStatus[];
}

export interface AdminRequest {
  /** Of `path`: `:id` in it is `params.id`, as it stood in the URL. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  /** At most 8 KiB, in JSON where there is a body at all. */
  body: Buffer;
}

/** What a handler returns: an object that is sent as JSON, or a body with its media type. */
export type AdminReply = { json: object } | { type: string; body: string | Buffer };

export interface AdminRoute {
  method: 'GET' | 'POST';
  /** Below `/admin`; a segment `:name` stands for 1 to 128 characters of any other kind than `/`. */
  path: string;
  /** Needs no admin token: for pages that hold nothing of the gateway and ask for the token themselves. */
  open?: true;
  /** Throws, or rejects with, `SwitchboardError` for errors that the client gets to read. */
  handle(request: AdminRequest): AdminReply | Promise<AdminReply>;
}
