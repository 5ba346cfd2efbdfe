/**
 * What is written into `gateway.grants` of a configuration file when a key is made, rotated or revoked: by
 * `switchboard grants` and by the pages for operators.
 * @module
 */
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { parseStoredKey } from './key.ts';

/** One change of one member; `value` undefined takes it out. */
export interface GrantChange {
  path: (string | number)[];
  value: unknown;
}

/** Of a grant, as the file has them. */
export interface WrittenGrant {
  /** Globs. */
  servers?: readonly string[];
  /** Path of a document, from the file's folder. */
  policy?: string;
  /** A date, or a time with its zone. */
  expires?: string;
}

/** A new key can be handed out before the old one is revoked. */
const MAX_KEYS = 2;

/** A grant with its first key. */
export const newGrant = (name: string, stored: string, given: WrittenGrant): GrantChange[] => [
  { path: ['gateway', 'grants', name], value: { key: stored, ...given } },
];

/** Another key beside the one that a grant has; the oldest of three goes. */
export function anotherKey(
  name: string,
  grant: unknown,
  stored: string,
  given: WrittenGrant,
): { changes: GrantChange[]; droppedKeyIds: string[] } {
  const keys = [isObject(grant) ? grant.key : undefined].flat().filter((key) => typeof key === 'string');
  const kept = keys.slice(-(MAX_KEYS - 1));
  return {
    changes: [
      { path: ['gateway', 'grants', name, 'key'], value: [...kept, stored] },
      ...Object.entries(given).map(([member, value]) => ({ path: ['gateway', 'grants', name, member], value })),
    ],
    droppedKeyIds: keyIds(keys.slice(0, -(MAX_KEYS - 1))),
  };
}

/** Without this grant. An empty `gateway.grants` stays, and with it the gateway stays closed. */
export function withoutGrant(name: string, grants: JsonObject): GrantChange[] {
  // Removing the only member would leave a trailing comma behind.
  if (Object.keys(grants).length === 1) return [{ path: ['gateway', 'grants'], value: {} }];
  return [{ path: ['gateway', 'grants', name], value: undefined }];
}

/** Of hashed keys: what may be shown of them. */
export const keyIds = (keys: readonly string[]): string[] => keys.flatMap((key) => parseStoredKey(key)?.id ?? []);

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };
const DATE = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** A date, or how long from now (`30d`, `12h`, `2w`), as the file has it. A text that is neither, or past, is said to be so. */
export function expiryOf(text: string, now = Date.now()): { expires: string } | { problem: 'no-date' | 'past' } {
  const [, count, unit = ''] = /^(\d{1,5})([hdw])$/.exec(text) ?? [];
  if (count !== undefined && Number(count) > 0) {
    return { expires: new Date(now + Number(count) * (UNITS[unit] ?? 0)).toISOString().replace(/\.\d+Z$/, 'Z') };
  }
  const time = DATE.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) return { problem: 'no-date' };
  return time <= now ? { problem: 'past' } : { expires: text };
}
