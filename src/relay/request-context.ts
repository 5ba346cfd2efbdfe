/**
 * One request being answered, and what the methods that answer it share.
 * @module
 */

import { SwitchboardError } from '../core/errors.ts';
import type { Federation, View } from '../federation/types.ts';
import { isObject, isRequestId, type JsonObject, type RequestId } from '../wire/jsonrpc.ts';
import type { RelayCall } from './call.ts';
import type { Dispatcher } from './dispatch.ts';
import type { Gate } from './gate/gate.ts';
import type { ClientSessions } from './sessions.ts';
import type { Tasks } from './tasks/tasks.ts';
import type { CallResult, Inbound } from './types.ts';

export interface Services {
  federation: Federation;
  dispatcher: Dispatcher;
  sessions: ClientSessions;
  tasks: Tasks;
  /** Policy, in front of every request. Undefined: nothing is forbidden to whoever may come in. */
  gate: Gate | undefined;
  /** What this gateway calls itself towards servers. */
  instance: string | undefined;
  /** Called when the gateway shuts down: long-lived requests end gracefully then. Returns a way to stop listening. */
  onClosing(listener: () => void): () => void;
}

export interface RequestContext {
  /** Its view is the one this principal may know. */
  inbound: Inbound;
  /** The view the request came to. */
  whole: View;
  /** Ends with this request. */
  call: RelayCall;
  services: Services;
  /** The client's params, never changed: what goes upstream is a copy. */
  params: JsonObject;
}

export type Method = (turn: RequestContext) => CallResult | Promise<CallResult>;

/** A string parameter, or a precise -32602. */
export function requireString(params: JsonObject, name: string): string {
  const value = params[name];
  if (typeof value === 'string' && value !== '') return value;
  const found = value === undefined ? 'nothing' : value === '' ? 'an empty string' : typeof value;
  throw new SwitchboardError('SWB_INVALID_PARAMS', `params.${name} must be a non-empty string, found ${found}.`);
}

/** The progress token of a request, if it asked for progress. */
export function progressTokenOf(params: JsonObject | undefined): RequestId | undefined {
  const meta = params?._meta;
  if (!isObject(meta)) return undefined;
  return isRequestId(meta.progressToken) ? meta.progressToken : undefined;
}

/** A client's own text in a message: bounded, on one line. */
export function shorten(text: string): string {
  const line = text.replace(/[\u0000-\u001f\u007f]+/g, ' ');
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
