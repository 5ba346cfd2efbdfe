/**
 * Waiting within a call.
 * @module
 */
import type { Call } from '../../src/core/call.ts';

/** Resolves after so many milliseconds; rejects with the call's reason as soon as it is aborted. */
export function pause(call: Pick<Call, 'onAbort'>, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      resolve();
    }, ms);
    const stop = call.onAbort((reason) => {
      clearTimeout(timer);
      reject(reason);
    });
  });
}
