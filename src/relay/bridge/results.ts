/**
 * A result's shape in the caller's era. Bytes stay bytes: crossing eras edits a member or two at the head, never the
 * content. Same era, nothing to mend: the very same buffer comes back.
 * @module
 */
import type { Reply } from '../../../adapters/adapter.ts';
import { META } from '../../wire/envelope.ts';
import type { Era } from '../../wire/eras.ts';
import { resultTypeOf } from '../../wire/json/reply.ts';
import { skipWhitespace } from '../../wire/json/scan.ts';
import { editMembers } from '../../wire/json/splice.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { Answer } from '../types.ts';

/** `complete`: an ordinary result. `cacheable`: one that must state its freshness (2026-07-28 server/utilities/caching). */
export type ResultShape = 'complete' | 'cacheable';

export type FinalReply = Exclude<Reply, { inputRequired: JsonObject }>;

/** What a modern result says of itself when the upstream did not: stale at once, for nobody else. */
const UNSTATED = { ttlMs: '0', cacheScope: '"private"' } as const;

export function toEra(reply: FinalReply, era: Era, shape: ResultShape, serverInfo: JsonObject | undefined): Answer {
  if ('value' in reply) return { value: valueToEra(reply.value, era, shape, serverInfo) };
  return { raw: era === 'modern' ? rawToModern(reply.raw, shape, serverInfo) : rawToLegacy(reply.raw) };
}

function rawToLegacy(raw: Buffer): Buffer {
  return resultTypeOf(raw) === undefined ? raw : editMembers(raw, { resultType: undefined });
}

/**
 * Adds what is missing. The searches may find a key's text inside content and then leave it to the exact, slower edit;
 * they never miss a key that is there.
 */
function rawToModern(raw: Buffer, shape: ResultShape, serverInfo: JsonObject | undefined): Buffer {
  const hasType = raw.includes('"resultType"');
  const hasMeta = raw.includes('"_meta"');
  const hasFreshness = shape === 'complete' || (raw.includes('"ttlMs"') && raw.includes('"cacheScope"'));
  if (hasType && hasFreshness) {
    if (resultTypeOf(raw) !== undefined && shape === 'complete') return raw;
    const missing = missingMembers(raw, shape);
    return missing === undefined ? raw : editMembers(raw, missing);
  }
  if (hasType || (shape === 'cacheable' && (raw.includes('"ttlMs"') || raw.includes('"cacheScope"')))) {
    return editMembers(raw, missingMembers(raw, shape) ?? {});
  }
  // The common crossing: a legacy result that knows nothing of all this. One head in front, content untouched.
  let head = '{"resultType":"complete"';
  if (shape === 'cacheable') head += `,"ttlMs":${UNSTATED.ttlMs},"cacheScope":${UNSTATED.cacheScope}`;
  if (!hasMeta && serverInfo) head += `,"_meta":{"${META.serverInfo}":${JSON.stringify(serverInfo)}}`;
  const open = skipWhitespace(raw, 0) + 1;
  const first = skipWhitespace(raw, open);
  const rest = raw.subarray(first);
  return Buffer.concat([Buffer.from(rest[0] === 0x7d ? head : `${head},`), rest]);
}

function missingMembers(raw: Buffer, shape: ResultShape): Record<string, string> | undefined {
  const result = JSON.parse(raw.toString('utf8')) as JsonObject;
  const missing: Record<string, string> = {};
  if (typeof result.resultType !== 'string') missing.resultType = '"complete"';
  if (shape === 'cacheable') {
    if (typeof result.ttlMs !== 'number') missing.ttlMs = UNSTATED.ttlMs;
    if (typeof result.cacheScope !== 'string') missing.cacheScope = UNSTATED.cacheScope;
  }
  return Object.keys(missing).length === 0 ? undefined : missing;
}

function valueToEra(value: JsonObject, era: Era, shape: ResultShape, serverInfo: JsonObject | undefined): JsonObject {
  if (era === 'legacy') {
    if (!('resultType' in value)) return value;
    const { resultType: _, ...rest } = value;
    return rest;
  }
  const result: JsonObject = { resultType: 'complete', ...value };
  if (shape === 'cacheable') {
    result.ttlMs ??= 0;
    result.cacheScope ??= 'private';
  }
  if (serverInfo) result._meta = { [META.serverInfo]: serverInfo, ...(isObject(value._meta) ? value._meta : {}) };
  return result;
}
