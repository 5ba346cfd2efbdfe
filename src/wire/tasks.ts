/**
 * Tasks on the wire, in their two forms: the experimental one of 2025-11-25 (basic/utilities/tasks), where the client asks
 * for a task with the call, and the extension of 2026-07-28 (`io.modelcontextprotocol/tasks`), where the server decides.
 * @module
 */
import type { Era } from './eras.ts';
import { isObject, type JsonObject, type Notification } from './jsonrpc.ts';

/** The extension's identifier, in the `extensions` of capabilities on both sides. */
export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';

/** The `_meta` key of 2025-11-25 that ties a message to a task. */
export const RELATED_TASK = 'io.modelcontextprotocol/related-task';

/** The notification of a task's status, per form. */
export const TASK_STATUS = {
  legacy: 'notifications/tasks/status',
  modern: 'notifications/tasks',
} as const satisfies Record<Era, string>;

/** Statuses a task never leaves. */
const TERMINAL: ReadonlySet<unknown> = new Set(['completed', 'failed', 'cancelled']);

export const isTerminal = (status: unknown): boolean => TERMINAL.has(status);

/** Whether capabilities, of either side, name the extension. */
export const declaresTasksExtension = ({ extensions }: JsonObject): boolean =>
  isObject(extensions) && isObject(extensions[TASKS_EXTENSION]);

/** Whether a legacy server takes tool calls as tasks. */
export function takesTaskCalls({ tasks }: JsonObject): boolean {
  const requests = isObject(tasks) && isObject(tasks.requests) ? tasks.requests : {};
  return isObject(requests.tools) && requests.tools.call !== undefined;
}

/** The task a message belongs to, by its `_meta`. */
export function relatedTaskOf(params: JsonObject | undefined): string | undefined {
  const meta = params?._meta;
  const related = isObject(meta) ? meta[RELATED_TASK] : undefined;
  return isObject(related) && typeof related.taskId === 'string' ? related.taskId : undefined;
}

/** The same params, tied to the task under this id instead. */
export function withRelatedTask(params: JsonObject, taskId: string): JsonObject {
  const meta = isObject(params._meta) ? params._meta : {};
  const related = isObject(meta[RELATED_TASK]) ? meta[RELATED_TASK] : {};
  return { ...params, _meta: { ...meta, [RELATED_TASK]: { ...related, taskId } } };
}

/** The task of a status notification; undefined for any other notification. */
export function statusOf({ method, params }: Notification): string | undefined {
  if (method !== TASK_STATUS.legacy && method !== TASK_STATUS.modern) return undefined;
  return typeof params?.taskId === 'string' ? params.taskId : undefined;
}
