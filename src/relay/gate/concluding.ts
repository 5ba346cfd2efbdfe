/**
 * The end of a call, as what it was let in with hears of it.
 * @module
 */
import type { RelayCall } from '../call.ts';

/** Runs a call to its end, and concludes what it was let in with, unless that has moved on to another call. */
export async function concluding<T>(call: RelayCall, run: () => Promise<T>): Promise<T> {
  try {
    const answer = await run();
    concluded(call);
    return answer;
  } catch (error) {
    call.admission?.conclude({ kind: 'error', error });
    throw error;
  }
}

export function concluded({ admission }: RelayCall): void {
  admission?.conclude({ kind: admission.asksClient ? 'asked' : 'ok' });
}
