/**
 * Which thread of an agent's server a context of A2A is.
 * @module
 */
import type { Kept } from '../kept.ts';

/** No UUID: to some servers that is a thread there is already, and may be another principal's. */
const ownThread = (contextId: string): string => `a2a-${contextId}`;

/** `takesIds`: the server takes ids that it has not made. Undefined: a new one, whose id the answer has. */
export async function threadFor(
  threads: Kept,
  principal: string,
  contextId: string,
  takesIds: boolean,
): Promise<string | undefined> {
  const known = await threads.get(principal, contextId);
  if (typeof known === 'string') return known;
  return takesIds ? ownThread(contextId) : undefined;
}

/** `thread`: of an answer in this context. */
export async function rememberThread(
  threads: Kept,
  principal: string,
  contextId: string,
  thread: string | undefined,
): Promise<void> {
  if (thread !== undefined && thread !== ownThread(contextId)) await threads.set(principal, contextId, thread);
}
