/**
 * What an HTTP status means that is no success, in the same words for every kind of server.
 * @module
 */
import { type ErrorCode, SwitchboardError } from '../../src/core/errors.ts';
import type { WholeReply } from './origin.ts';

/** `text` is what the server says, fit for a client already; undefined where it says nothing. */
export function statusFailure(
  name: string,
  { status, headers }: WholeReply,
  text: string | undefined,
): SwitchboardError {
  const says = text === undefined ? '.' : `: ${text}`;
  const fail = (code: ErrorCode, message: string, details = {}): SwitchboardError =>
    new SwitchboardError(code, message, { data: { status }, ...details });
  if (status === 401 || status === 403) {
    return fail('SWB_UPSTREAM_AUTH', `Server '${name}' refused the gateway's credentials (HTTP ${status})${says}`);
  }
  if (status >= 300 && status < 400) {
    return fail(
      'SWB_UPSTREAM_HTTP',
      `Server '${name}' redirects (HTTP ${status}); configure the address it redirects to.`,
    );
  }
  if (status === 429) {
    const seconds = Number(headers['retry-after']);
    const details = Number.isFinite(seconds) && seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {};
    return fail('SWB_UPSTREAM_HTTP', `Server '${name}' limits how often it may be called (HTTP 429)${says}`, details);
  }
  if (status === 502 || status === 503 || status === 504) {
    return fail('SWB_UPSTREAM_UNAVAILABLE', `Server '${name}' is not available (HTTP ${status})${says}`);
  }
  return fail('SWB_UPSTREAM_HTTP', `Server '${name}' answered with HTTP ${status}${says}`);
}
