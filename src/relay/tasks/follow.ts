/**
 * Follows a task on behalf of a client that does not know it. A task whose client gave up, or that can no longer be
 * followed, is cancelled on its server.
 * @module
 */
import { UpstreamError } from '../../core/errors.ts';
import type { RelayCall } from '../call.ts';
import type { TaskRef } from './task-owners.ts';
import { quietCall, type TaskRequests } from './task-requests.ts';

export async function untilEnded<T>(
  requests: TaskRequests,
  call: RelayCall,
  { member, taskId }: TaskRef,
  follow: () => Promise<T>,
): Promise<T> {
  const cancel = (): void => {
    const quiet = quietCall(call.caller);
    requests
      .poll(quiet, { member, method: 'tasks/cancel', params: { taskId } })
      .catch(() => {})
      .finally(() => quiet.settle());
  };
  const stop = call.onAbort(cancel);
  try {
    return await follow();
  } catch (error) {
    // The server's own error is the task's outcome: there is nothing to cancel.
    if (!(error instanceof UpstreamError) && !call.aborted) cancel();
    throw error;
  } finally {
    stop();
  }
}
