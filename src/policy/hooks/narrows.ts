/**
 * Decides whether a hook's result or notification is narrower than its input. The rules, from the outside in:
 *
 * - null stays null. A number or boolean stays what it is, or becomes null or a string that stands for it.
 * - A string may become any other string (that is how text is redacted and cut), or null.
 * - An object keeps some of its members, each narrowed; no name is new. It stays an object.
 * - An array keeps some of its items in their order, each narrowed. It stays an array.
 *
 * Some members of MCP results and notifications have stricter rules:
 *
 * - Members that steer the protocol (`resultType`, `requestState`, `progressToken`, …) are neither changed nor removed.
 * - `isError` may become true, also where it was absent; it never stops being true.
 * - An item of `content`, the `content` of a message and an item of `contents` keep their `type` and their text, a message
 *   its `role`; or the whole item becomes a text item, such as a notice about removed content. An empty
 *   `content` may get one text item.
 *
 * Whether the rest still satisfies the tool's `outputSchema` is not checked.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

/** Members of a result by which the client or the gateway continues the request. */
export const PINNED_IN_RESULTS: ReadonlySet<string> = new Set([
  'resultType',
  'requestState',
  'nextCursor',
  'task',
  'taskId',
  'status',
  'ttlMs',
  'cacheScope',
]);

/** Members of a notification's params that identify its request, task or resource. */
export const PINNED_IN_PARAMS: ReadonlySet<string> = new Set([
  '_meta',
  'progressToken',
  'progress',
  'requestId',
  'taskId',
  'status',
  'elicitationId',
  'uri',
  'level',
]);

/** Whether `after` is `before`, or less of it, by the general rules. */
export function narrows(before: unknown, after: unknown): boolean {
  if (typeof before === 'string') return typeof after === 'string' || after === null;
  if (typeof before === 'number' || typeof before === 'boolean') {
    return after === before || after === null || typeof after === 'string';
  }
  if (Array.isArray(before)) return Array.isArray(after) && itemsNarrow(before, after, narrows);
  if (isObject(before)) return isObject(after) && membersNarrow(before, after, narrows);
  return before === after;
}

type Narrows = (before: unknown, after: unknown, key: string) => boolean;

const membersNarrow = (before: JsonObject, after: JsonObject, of: Narrows): boolean =>
  Object.keys(after).every((key) => Object.hasOwn(before, key) && of(before[key], after[key], key));

/**
 * Each item of `after` narrows an item of `before`, in order. Taking the first that fits is always right, because it leaves
 * the most for the others; so every item of `before` is looked at once.
 */
function itemsNarrow(before: readonly unknown[], after: readonly unknown[], of: Narrows): boolean {
  let matched = 0;
  for (const item of before) {
    if (matched === after.length) return true;
    if (of(item, after[matched], '')) matched++;
  }
  return matched === after.length;
}

/** Whether a result may be replaced by another one. */
export function narrowsResult(before: unknown, after: unknown): boolean {
  if (!isObject(before) || !isObject(after)) return narrows(before, after);
  if (!pinnedStay(before, after, PINNED_IN_RESULTS)) return false;
  if (before.isError === true && after.isError !== true) return false;
  return Object.keys(after).every((key) => {
    if (key === 'isError') return typeof after.isError === 'boolean';
    return Object.hasOwn(before, key) && resultMemberNarrows(before[key], after[key], key);
  });
}

function resultMemberNarrows(before: unknown, after: unknown, key: string): boolean {
  if (!Array.isArray(before)) return narrows(before, after);
  if (!Array.isArray(after)) return false;
  switch (key) {
    case 'content':
      if (before.length === 0 && after.length === 1) return isNotice(after[0]);
      return itemsNarrow(before, after, contentNarrows);
    case 'contents':
      return itemsNarrow(before, after, resourceNarrows);
    case 'messages':
      return itemsNarrow(before, after, messageNarrows);
    default:
      return itemsNarrow(before, after, narrows);
  }
}

/** Whether the params of a notification may be replaced by others. */
export function narrowsParams(before: JsonObject, after: JsonObject): boolean {
  return pinnedStay(before, after, PINNED_IN_PARAMS) && membersNarrow(before, after, narrows);
}

function pinnedStay(before: JsonObject, after: JsonObject, pinned: ReadonlySet<string>): boolean {
  for (const key of pinned) {
    if (Object.hasOwn(before, key) !== Object.hasOwn(after, key)) return false;
    if (Object.hasOwn(before, key) && !isDeepStrictEqual(before[key], after[key])) return false;
  }
  return true;
}

const isNotice = (item: unknown): boolean =>
  isObject(item) && item.type === 'text' && typeof item.text === 'string' && Object.keys(item).length === 2;

function contentNarrows(before: unknown, after: unknown): boolean {
  if (isNotice(after)) return true;
  if (!isObject(before) || !isObject(after)) return narrows(before, after);
  if (after.type !== before.type) return false;
  if (typeof before.text === 'string' && typeof after.text !== 'string') return false;
  if (isObject(before.resource)) {
    return resourceNarrows(before.resource, after.resource) && membersNarrow(before, after, embeddedNarrows);
  }
  return membersNarrow(before, after, narrows);
}

const embeddedNarrows: Narrows = (before, after, key) => key === 'resource' || narrows(before, after);

/** `{ uri, text | blob }`. A blob may become a text. */
function resourceNarrows(before: unknown, after: unknown): boolean {
  if (!isObject(before) || !isObject(after)) return narrows(before, after);
  if (typeof before.uri === 'string' && typeof after.uri !== 'string') return false;
  if (typeof before.text === 'string' && typeof after.text !== 'string') return false;
  return Object.keys(after).every((key) => {
    if (key === 'text' && typeof before.blob === 'string' && !Object.hasOwn(after, 'blob')) {
      return typeof after.text === 'string';
    }
    return Object.hasOwn(before, key) && narrows(before[key], after[key]);
  });
}

function messageNarrows(before: unknown, after: unknown): boolean {
  if (!isObject(before) || !isObject(after)) return narrows(before, after);
  if (after.role !== before.role) return false;
  return membersNarrow(before, after, (was, is, key) => {
    if (key !== 'content') return narrows(was, is);
    if (!Array.isArray(was)) return contentNarrows(was, is);
    return Array.isArray(is) && itemsNarrow(was, is, contentNarrows);
  });
}
