/**
 * Paths into arguments: names and indices between dots, as in policy documents (`user.address.0.city`), without the `args.`.
 * Only own members are followed, so no path leads to an inherited member.
 * @module
 */

import { isObject, type JsonObject } from './json.ts';

export type Path = readonly string[];

const MAX_PARTS = 32;

/** What is wrong with a path, or undefined. */
export function pathProblem(text: string): string | undefined {
  const parts = text.split('.');
  if (parts.some((part) => part === '')) return 'a path is names or indices between dots; one is empty';
  return parts.length > MAX_PARTS ? `a path has ${MAX_PARTS} parts at most` : undefined;
}

export const parsePath = (text: string): Path => text.split('.');

export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Array.isArray(value) && !isIndex(part) ? undefined : ownMember(value, part);
  }
  return value;
}

/**
 * Sets a member, and makes missing objects on the way. Returns false where another value is in the way, or the array does
 * not have the index.
 */
export function setAt(root: unknown, path: Path, value: unknown): boolean {
  const last = path.at(-1) ?? '';
  let parent = root;
  for (const part of path.slice(0, -1)) {
    if (isObject(parent) && !Object.hasOwn(parent, part)) define(parent, part, {});
    parent = valueAt(parent, [part]);
  }
  if (Array.isArray(parent)) {
    if (!isIndex(last) || Number(last) >= parent.length) return false;
    parent[Number(last)] = value;
    return true;
  }
  if (!isObject(parent)) return false;
  define(parent, last, value);
  return true;
}

/** Removes a member or an array item and returns it; undefined where there is none. */
export function removeAt(root: unknown, path: Path): unknown {
  const last = path.at(-1) ?? '';
  const parent = valueAt(root, path.slice(0, -1));
  if (Array.isArray(parent)) {
    return isIndex(last) && Number(last) < parent.length ? parent.splice(Number(last), 1)[0] : undefined;
  }
  if (!isObject(parent)) return undefined;
  const value = ownMember(parent, last);
  delete parent[last];
  return value;
}

const ownMember = (object: object, key: string): unknown =>
  Object.hasOwn(object, key) ? (object as JsonObject)[key] : undefined;

/** `__proto__` is a name like any other in JSON; assigning it would set the prototype. */
const define = (object: JsonObject, key: string, value: unknown): void =>
  void Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });

const isIndex = (part: string): boolean => /^(?:0|[1-9]\d{0,8})$/.test(part);
