/**
 * One HTTP request at an address of the protocol, once it is authenticated.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Identity } from '../../core/identity.ts';
import type { View } from '../../federation/types.ts';

export interface HttpRequestContext {
  req: IncomingMessage;
  res: ServerResponse;
  identity: Identity;
  /** What the address shows: the merged view, or one server's. */
  view: View;
}

/** A request header that is sent at most once; Node joins repeated ones with commas. */
export function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return typeof value === 'string' ? value : undefined;
}
