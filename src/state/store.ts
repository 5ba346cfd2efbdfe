/**
 * What survives a restart, behind one small interface: servers connected at run time, eras that were learned, and what
 * policy has to remember. Values are JSON; keys are free text inside a namespace.
 * @module
 */
import { SwitchboardError } from '../core/errors.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

export interface StateStore {
  get(namespace: string, key: string): Promise<JsonValue | undefined>;
  /** Durable when it resolves. Rejects with `SWB_STATE` when the value is too large or cannot be kept. */
  set(namespace: string, key: string, value: JsonValue): Promise<void>;
  /** Whether there was one. */
  delete(namespace: string, key: string): Promise<boolean>;
  /** In the order the keys were first set. */
  entries(namespace: string): Promise<[key: string, value: JsonValue][]>;
}

export interface StateLimits {
  /** Of one namespace, as JSON. */
  maxNamespaceBytes: number;
  /** Of one value, as JSON. */
  maxValueBytes: number;
}

export const STATE_LIMITS: StateLimits = { maxNamespaceBytes: 16 * 1024 * 1024, maxValueBytes: 1024 * 1024 };

const MAX_KEY_LENGTH = 1024;

/** Namespaces become file names. */
const NAMESPACE = /^[a-z][a-z0-9-]{0,63}$/;

export function checkNamespace(namespace: string): void {
  if (!NAMESPACE.test(namespace)) {
    throw new SwitchboardError('SWB_STATE', 'A state namespace is lower-case letters, digits and hyphens, 64 at most.');
  }
}

/** The value's JSON text, checked against the limits. */
export function encodeValue(key: string, value: JsonValue, limits: StateLimits): string {
  if (key.length > MAX_KEY_LENGTH) {
    throw new SwitchboardError('SWB_STATE', `A key of the state has at most ${MAX_KEY_LENGTH} characters.`);
  }
  const text = JSON.stringify(value);
  if (Buffer.byteLength(text) > limits.maxValueBytes) {
    throw new SwitchboardError('SWB_STATE', `A value of the state has at most ${limits.maxValueBytes} bytes.`);
  }
  return text;
}

export function namespaceFull(limits: StateLimits): SwitchboardError {
  return new SwitchboardError('SWB_STATE', `A namespace of the state holds at most ${limits.maxNamespaceBytes} bytes.`);
}
