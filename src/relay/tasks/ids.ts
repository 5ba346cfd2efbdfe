/**
 * Finds task ids in the bytes of results and respells them for a view. Every other byte stays.
 * @module
 */

import type { Reply } from '../../core/upstream.ts';
import type { Era } from '../../wire/eras.ts';
import { LBRACKET, QUOTE } from '../../wire/json/bytes.ts';
import { elements, type Span } from '../../wire/json/scan.ts';
import { spanAt as at, replaceSpans as replace, wholeSpan as whole } from '../../wire/json/splice.ts';
import { RELATED_TASK } from '../../wire/tasks.ts';

export function textOf(raw: Buffer, span: Span | undefined): string | undefined {
  if (!span || raw[span.start] !== QUOTE) return undefined;
  return JSON.parse(raw.toString('utf8', span.start, span.end)) as string;
}

/** The elements of the array at this path, or none. */
export const listAt = (raw: Buffer, ...path: readonly string[]): Span[] => {
  const span = at(raw, whole(raw), ...path);
  return span && raw[span.start] === LBRACKET ? elements(raw, span.start) : [];
};

export { at, replace, whole };

/** How a view spells the ids of one server's tasks. */
export type ExposeTask = (taskId: string) => string;

/** Respells the strings in these places. */
export function respell(raw: Buffer, spans: readonly (Span | undefined)[], expose: ExposeTask): Buffer {
  const edits = spans.flatMap((span) => {
    const id = textOf(raw, span);
    return span && id !== undefined && expose(id) !== id ? [{ ...span, json: JSON.stringify(expose(id)) }] : [];
  });
  return replace(raw, edits);
}

/** The id by which `_meta` ties a result to a task (2025-11-25). */
export const relatedId = (raw: Buffer): Span | undefined => at(raw, whole(raw), '_meta', RELATED_TASK, 'taskId');

/** The id in the result of a call that became a task; undefined when it did not. */
export function createdId(raw: Buffer, form: Era): Span | undefined {
  const root = whole(raw);
  if (form === 'legacy') return at(raw, root, 'task', 'taskId');
  return textOf(raw, at(raw, root, 'resultType')) === 'task' ? at(raw, root, 'taskId') : undefined;
}

/** The bytes of a final reply as the server sent them; undefined for interim results and those an adapter made. */
export const bytesOf = (reply: Reply): Buffer | undefined => ('inputRequired' in reply ? undefined : rawOf(reply));

const rawOf = (reply: Exclude<Reply, { inputRequired: unknown }>): Buffer | undefined =>
  'raw' in reply ? reply.raw : undefined;
