/**
 * The two forms of tasks: the experimental one of 2025-11-25 (legacy) and the extension of 2026-07-28 (modern). A task
 * keeps the form of the server that runs it; its client sees it in the form of the client's own era.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import type { Member } from '../../federation/types.ts';
import type { Era } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { Sender } from '../dispatch.ts';
import type { TaskRequests } from './task-requests.ts';

export interface TaskForm {
  readonly era: Era;
  /** Whether capabilities, of a server or a view, offer tasks in this form. */
  isOffered(capabilities: JsonObject): boolean;
  /** Whether a caller of this era knows tasks in this form. */
  isKnownTo(caller: Caller): boolean;
  /**
   * Follows: sends `tools/call` so that it is answered with the outcome of the task that it becomes. Input requests,
   * progress and cancellation work as in any call; the task's id never leaves the gateway, and no list has it.
   */
  follow(requests: TaskRequests, member: Member): Sender;
}
