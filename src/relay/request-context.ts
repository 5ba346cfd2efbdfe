/**
 * One request of a client while it is answered, as the methods of the relay see it.
 * @module
 */
import type { Caller } from '../core/caller.ts';
import { SwitchboardError } from '../core/errors.ts';
import { shorten } from '../core/text.ts';
import type { View } from '../federation/types.ts';
import { withExactNumbers } from '../wire/json/source.ts';
import { isObject, isRequestId, type JsonObject, type Request, type RequestId } from '../wire/jsonrpc.ts';
import { digestRequest, type StateBinding } from './asks/request-state.ts';
import type { RelayCall } from './call.ts';
import type { CallResult, Channel, ClientSession } from './types.ts';

export interface RequestContext {
  readonly caller: Caller;
  /** The endpoint's view, restricted to what this principal may know. */
  readonly view: View;
  /** The endpoint's view itself: only for finding out whether a name is hidden or unknown. */
  readonly fullView: View;
  readonly request: Request;
  /** The client's params. Never changed: what goes upstream is a copy. */
  readonly params: JsonObject;
  readonly channel: Channel;
  readonly session: ClientSession | undefined;
  /** Ends with this request. */
  readonly call: RelayCall;
}

/** Answers one kind of request. Throws, or rejects, with the error that the client receives. */
export type Method = (context: RequestContext) => CallResult | Promise<CallResult>;

/** A string parameter, or a precise -32602. */
export function requireString(params: JsonObject, name: string): string {
  const value = params[name];
  if (typeof value === 'string' && value !== '') return value;
  const found = value === undefined ? 'nothing' : value === '' ? 'an empty string' : typeof value;
  throw new SwitchboardError('SWB_INVALID_PARAMS', `params.${name} must be a non-empty string, found ${found}.`);
}

/** An optional string parameter, or a precise -32602. */
export function optionalString(params: JsonObject, name: string): string | undefined {
  const value = params[name];
  if (value === undefined || typeof value === 'string') return value;
  throw new SwitchboardError('SWB_INVALID_PARAMS', `params.${name} must be a string.`);
}

/** The progress token of a request, if the client asked for progress. */
export function progressTokenOf(params: JsonObject): RequestId | undefined {
  const meta = params._meta;
  return isObject(meta) && isRequestId(meta.progressToken) ? meta.progressToken : undefined;
}

/** What a sealed state of this request is bound to. */
export const bindingOf = ({ caller, view, request, params }: RequestContext): StateBinding => ({
  principal: caller.principal,
  digest: digestRequest(view.id, request.method, withExactNumbers(params), caller.identity.grant),
});

/** A client's own text in a message: on one line, at most 200 units. */
export const quoted = (text: string): string => shorten(text.replace(/[\u0000-\u001f\u007f]+/g, ' '), 200);

export const methodNotFound = (method: string): SwitchboardError =>
  new SwitchboardError('SWB_METHOD_NOT_FOUND', `Method not found: '${quoted(method)}'.`);
