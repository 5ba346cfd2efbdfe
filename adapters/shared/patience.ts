/**
 * Asking a server that may be away for a moment.
 * @module
 */
import type { Call } from '../../src/core/call.ts';
import { pause } from '../../src/core/deadline.ts';
import { SwitchboardError } from '../../src/core/errors.ts';

/** Attempts in a row to reach it. */
const MAX_ATTEMPTS = 4;
const PAUSE_MS = 1_000;

/** What `look` resolves with. It looks again where the server could not be reached, until `isOver` says that the answer is needed no more. */
export async function patiently<T>(
  call: Pick<Call, 'onAbort'>,
  isOver: () => boolean,
  look: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await look();
    } catch (error) {
      if (!isAway(error) || attempt >= MAX_ATTEMPTS || isOver()) throw error;
    }
    await pause(call, PAUSE_MS);
  }
}

/** What a proxy says in the place of a server that is away. */
const PROXY_STATUS: ReadonlySet<unknown> = new Set([502, 503, 504]);

function isAway(error: unknown): boolean {
  if (!(error instanceof SwitchboardError)) return error instanceof DOMException && error.name === 'TimeoutError';
  return (
    error.code === 'SWB_UPSTREAM_UNAVAILABLE' ||
    (error.code === 'SWB_UPSTREAM_HTTP' && PROXY_STATUS.has(error.data.status))
  );
}
