/**
 * One request of a client from its arrival to its answer, as the relay keeps it.
 * @module
 */
import { SwitchboardError } from '../core/errors.ts';
import type { Linked } from '../core/linked-list.ts';
import type { View } from '../federation/types.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { quoted, type RequestContext } from './request-context.ts';
import type { CallResult, InFlight } from './types.ts';

/** Its views may become others while it waits. */
export interface RunningContext extends RequestContext {
  view: View;
  fullView: View;
  /** Others than those of the request where it goes on after a login. */
  params: JsonObject;
  readonly endpointView: View;
}

/** A request that is being answered. */
export class RunningRequest implements InFlight, Linked<RunningRequest> {
  previous: RunningRequest | undefined;
  next: RunningRequest | undefined;
  readonly context: RunningContext;
  readonly settled = Promise.withResolvers<CallResult>();
  readonly result = this.settled.promise;

  constructor(context: RunningContext) {
    this.context = context;
  }

  cancel(reason?: string): void {
    const message = reason ? `Cancelled: ${quoted(reason)}` : 'The client cancelled the call.';
    this.context.call.abort(new SwitchboardError('SWB_CANCELLED', message));
  }
}
