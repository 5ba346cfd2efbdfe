/**
 * Waiting for something that cannot be cancelled itself.
 * @module
 */
import type { Call } from '../core/call.ts';

/** Settles as `work` does, or rejects as soon as the call is aborted; what `work` comes to then is dropped. */
export async function untilAborted<T>(work: Promise<T>, call: Call): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = call.onAbort(reject);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    stop();
    work.catch(() => {});
  }
}
