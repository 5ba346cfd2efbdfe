/**
 * Copies JSON values between the gateway and its hooks, so that neither side can change what the other holds, and so that
 * only JSON passes.
 * @module
 */
import type { JsonObject } from '../../wire/jsonrpc.ts';

/** Deeper values are neither given to hooks nor accepted from them: copying them could overflow the stack. */
const MAX_DEPTH = 256;

/** Why a value is no JSON value; the message quotes nothing of it. */
export class NotJson extends Error {}

/**
 * A copy that shares no object with the original. Members that are undefined are left out, as JSON does; everything else
 * that JSON cannot hold throws {@link NotJson}.
 */
export function copyJson(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw new NotJson('a number that JSON does not have');
      return value;
    case 'object':
      return value === null ? null : copyMembers(value, depth);
    default:
      throw new NotJson(`a ${typeof value}`);
  }
}

function copyMembers(value: object, depth: number): unknown {
  if (depth >= MAX_DEPTH) throw new NotJson(`a value nested more than ${MAX_DEPTH} deep`);
  if (Array.isArray(value)) return value.map((item) => copyJson(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  // Plain objects of another realm have another Object.prototype; a class instance has a prototype above its own.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) throw new NotJson('an instance of a class');
  const copy: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) setMember(copy, key, copyJson(item, depth + 1));
  }
  return copy;
}

/** `__proto__` is a name like any other in JSON; assigning it would set the prototype. */
function setMember(object: JsonObject, key: string, value: unknown): void {
  if (key !== '__proto__') object[key] = value;
  else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Freezes a value of {@link copyJson} all the way down. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const item of Object.values(value)) deepFreeze(item);
  return Object.freeze(value);
}

export const frozenCopy = <T>(value: T): T => deepFreeze(copyJson(value) as T);

/** Bytes of the value as JSON. */
export const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? '');
