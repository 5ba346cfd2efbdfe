/**
 * Errors as they leave the adapter.
 * @module
 */

import { SwitchboardError, UpstreamError } from '../../src/core/errors.ts';
import { evidenceOf, sentence } from '../../src/core/evidence.ts';
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

/** What a server that refuses with an HTTP status says about it; undefined for any other error. `who` begins the sentence. */
export function refusalOf(who: string, cause: unknown, secrets: readonly string[]): string | undefined {
  const evidence = cause instanceof SwitchboardError ? evidenceOf(cause) : undefined;
  const status = evidence?.status;
  if (!evidence || status === undefined) return undefined;
  const meaning = MEANINGS[status];
  const says = status >= 400 && status < 500 ? sentence(evidence, secrets) : undefined;
  if (says === undefined) return meaning && `${who} ${meaning.what} (HTTP ${status})${meaning.why}.`;
  return meaning
    ? `${who} ${meaning.what} (HTTP ${status}): "${says}".`
    : `${who} answered with HTTP ${status}: "${says}".`;
}

/** What a status means, and what may be behind it where the server does not say. */
const MEANINGS: Readonly<Record<number, { what: string; why: string } | undefined>> = {
  401: { what: 'does not accept the credentials it is sent, or needs some', why: '' },
  403: {
    what: 'forbids this',
    why: ': it may not allow the credentials, the address it is called at, or the origin of the request',
  },
};

/** What connecting failed with, as a client may read it. */
export function asConnectError(name: string, cause: unknown, signal: AbortSignal, secrets: readonly string[]): Error {
  if (cause instanceof SessionGone) return cause.clientError;
  if (refusesSecondSession(cause)) {
    return new SwitchboardError(
      'SWB_UPSTREAM_PROTOCOL',
      `Server '${name}' can be opened only once, and another client has its session: end that client, or restart the server.`,
      { data: { server: name }, cause },
    );
  }
  if (cause instanceof SwitchboardError) {
    const refusal = refusalOf(`Server '${name}'`, cause, secrets);
    return refusal === undefined ? cause : new SwitchboardError(cause.code, refusal, { data: cause.data, cause });
  }
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
