/**
 * A result's shape in the caller's era. Bytes stay bytes: crossing eras edits a member or two at the head, never the
 * content. Same era, nothing to mend: the very same buffer comes back.
 * @module
 */
import type { Reply } from '../../core/upstream.ts';
import { META } from '../../wire/envelope.ts';
import type { Era } from '../../wire/eras.ts';
import { endsWith, resultTypeOf, startsWith } from '../../wire/json/reply.ts';
import { keyText, skipWhitespace, visitMembers } from '../../wire/json/scan.ts';
import { editMembers, type MemberEdits } from '../../wire/json/splice.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { CallResult } from '../types.ts';

/** `complete`: an ordinary result. `cacheable`: one that must state its freshness (2026-07-28 server/utilities/caching). */
export type ResultShape = 'complete' | 'cacheable';

export type FinalReply = Exclude<Reply, { inputRequired: JsonObject }>;

export interface EraConversion {
  /** The upstream's era. */
  from: Era;
  /** The caller's. */
  to: Era;
  shape: ResultShape;
  /** Stamped on a modern result that does not name its server. */
  serverInfo: JsonObject | undefined;
}

/** What a modern result says of its freshness when the upstream did not: stale at once, for nobody else. */
const UNSTATED: Readonly<Record<string, string>> = { ttlMs: '0', cacheScope: '"private"' };

/** Takes over the reply: its bytes may be changed. */
export function toEra(reply: FinalReply, crossing: EraConversion): CallResult {
  if ('value' in reply) return { value: valueToEra(reply.value, crossing) };
  if (crossing.to === 'modern') {
    return reply.seen?.era === false
      ? untouchedToModern(reply.raw, crossing)
      : { raw: rawToModern(reply.raw, crossing) };
  }
  return { raw: crossing.from === 'modern' ? rawToLegacy(reply.raw) : reply.raw };
}

const COMPLETE_FIRST = Buffer.from('{"resultType":"complete",');
const COMPLETE_LAST = Buffer.from(',"resultType":"complete"}');
const LBRACE = 0x7b;
const RBRACE = 0x7d;

/** Takes the type out. First or last, where servers put it, one changed byte does it and nothing is copied. */
function rawToLegacy(raw: Buffer): Buffer {
  if (startsWith(raw, COMPLETE_FIRST)) {
    const rest = raw.subarray(COMPLETE_FIRST.length - 1);
    rest[0] = LBRACE;
    return rest;
  }
  if (endsWith(raw, COMPLETE_LAST)) {
    const rest = raw.subarray(0, raw.length - COMPLETE_LAST.length + 1);
    rest[rest.length - 1] = RBRACE;
    return rest;
  }
  return resultTypeOf(raw) === undefined ? raw : editMembers(raw, { resultType: undefined });
}

/** The common crossing: a result that says nothing an era is about gets it all said in front of its first member. */
function untouchedToModern(raw: Buffer, { shape, serverInfo }: EraConversion): CallResult {
  let lead = '{"resultType":"complete"';
  if (shape === 'cacheable') for (const [key, value] of Object.entries(UNSTATED)) lead += `,"${key}":${value}`;
  if (serverInfo) lead += `,"_meta":${stamp(serverInfo)}`;
  const rest = raw.subarray(skipWhitespace(raw, skipWhitespace(raw, 0) + 1));
  return { lead: rest[0] === RBRACE ? lead : `${lead},`, raw: rest };
}

const stamp = (serverInfo: JsonObject): string => `{"${META.serverInfo}":${JSON.stringify(serverInfo)}}`;

/** Adds what is missing, in front; the content is not touched. */
function rawToModern(raw: Buffer, { from, shape, serverInfo }: EraConversion): Buffer {
  if (from === 'modern' && shape === 'complete' && resultTypeOf(raw) !== undefined) return raw;
  const present = new Set<string>();
  let mended: MemberEdits | undefined;
  visitMembers(raw, 0, (keyStart, keyEnd, start) => {
    const key = keyText(raw, keyStart, keyEnd);
    present.add(key);
    // A type that is no string would make the whole result invalid.
    if (key === 'resultType' && raw[start] !== 0x22) mended = { resultType: '"complete"' };
  });
  let head = '';
  const add = (key: string, value: string): void => {
    if (!present.has(key)) head += `,"${key}":${value}`;
  };
  add('resultType', '"complete"');
  if (shape === 'cacheable') for (const [key, value] of Object.entries(UNSTATED)) add(key, value);
  if (serverInfo) add('_meta', stamp(serverInfo));
  const whole = mended ? editMembers(raw, mended) : raw;
  if (head === '') return whole;
  const first = skipWhitespace(whole, skipWhitespace(whole, 0) + 1);
  const rest = whole.subarray(first);
  return Buffer.concat([Buffer.from(`{${head.slice(1)}${rest[0] === RBRACE ? '' : ','}`), rest]);
}

function valueToEra(value: JsonObject, { to, shape, serverInfo }: EraConversion): JsonObject {
  if (to === 'legacy') {
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
