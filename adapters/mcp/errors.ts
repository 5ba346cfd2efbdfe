/**
 * Errors as they leave the adapter.
 * @module
 */

import { SwitchboardError, UpstreamError } from '../../src/core/errors.ts';
import { refusesSecondSession } from './session/habits.ts';
import { SessionGone } from './session/link.ts';

/** Why a server is down, from whatever showed it. */
export function asUnavailable(name: string, cause: Error): SwitchboardError {
  if (cause instanceof SwitchboardError && cause.code === 'SWB_UPSTREAM_UNAVAILABLE') return cause;
  if (cause instanceof SwitchboardError) {
    return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', cause.message, { data: { server: name }, cause });
  }
  return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${name}' does not answer any more.`, {
    data: { server: name },
    cause,
  });
}

/** What connecting failed with, as a client may read it. */
export function asConnectError(name: string, cause: unknown, signal: AbortSignal): Error {
  if (cause instanceof SessionGone) return cause.clientError;
  if (refusesSecondSession(cause)) {
    return new SwitchboardError(
      'SWB_UPSTREAM_PROTOCOL',
      `Server '${name}' can be opened only once, and another client has its session: end that client, or restart the server.`,
      { data: { server: name }, cause },
    );
  }
  if (cause instanceof SwitchboardError) return cause;
  if (cause instanceof UpstreamError) {
    return new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' refuses to be opened: ${cause.message}`, {
      data: { server: name },
      cause,
    });
  }
  const message = signal.aborted
    ? `Server '${name}' did not answer in time.`
    : `Server '${name}' could not be connected to.`;
  return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', message, { data: { server: name }, cause });
}
