/**
 * A result's shape in the caller's era. Bytes stay bytes: converting between eras cuts a member out or puts text in front,
 * and never copies or changes the content. Same era, nothing to mend: the very same reply comes back.
 * @module
 */
import type { Reply } from '../../core/upstream.ts';
import { META } from '../../wire/envelope.ts';
import type { Era } from '../../wire/eras.ts';
import type { ResultOutline } from '../../wire/json/outline.ts';
import { editMembers } from '../../wire/json/splice.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { type Pieces, sizeOf, sliceOf } from '../../wire/pieces.ts';
import { outlineOfResult, RawResult } from '../../wire/raw-result.ts';
import type { CallResult } from '../types.ts';
import { isLegacyForm, rawToLegacy, type StructuredForm, valueToLegacy } from './legacy-results.ts';

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
  /** How structured content reaches a legacy client; undefined for results that are no tool's. */
  structured?: StructuredForm;
}

/** `known`: the outline of the result before its bytes were changed within members. */
export function toEra(reply: FinalReply, conversion: EraConversion, known?: ResultOutline): CallResult {
  if ('value' in reply) return { value: valueToEra(reply.value, conversion) };
  if (conversion.to === 'modern') return rawToModern(reply, conversion);
  if (conversion.from === 'legacy' && isLegacyForm(known ?? reply.members, conversion.structured)) return reply;
  return rawToLegacy(reply, conversion.from, conversion.structured);
}

/** A result of the gateway's own. */
export const ownResult = (value: JsonObject, to: Era): CallResult =>
  toEra({ value }, { from: 'legacy', to, shape: 'complete', serverInfo: undefined });

type RawReply = Exclude<FinalReply, { value: JsonObject }>;

/** `raw` is read only without pieces: reading it copies them together. */
const piecesOf = (reply: RawReply): Pieces => reply.pieces ?? [reply.raw];

/** Puts in front of the first member what the modern era requires and the result lacks. */
function rawToModern(reply: RawReply, { from, shape, serverInfo }: EraConversion): CallResult {
  const members = reply.members ?? outlineOfResult(reply.raw);
  if (members.hasType && members.type === undefined) {
    // A type that is no string would make the whole result invalid.
    const raw = editMembers(reply.raw, { resultType: '"complete"' });
    return rawToModern({ raw }, { from, to: 'modern', shape, serverInfo });
  }
  if (members.hasType && from === 'modern' && shape === 'complete') return reply;
  let added = members.hasType ? '' : ',"resultType":"complete"';
  if (shape === 'cacheable') {
    // Freshness that the server does not state: stale at once, for this client alone.
    if (!members.hasTtlMs) added += ',"ttlMs":0';
    if (!members.hasCacheScope) added += ',"cacheScope":"private"';
  }
  if (serverInfo && !members.hasMeta) added += `,"_meta":${stamp(serverInfo)}`;
  if (added === '') return reply;
  const pieces = piecesOf(reply);
  const prefix = `{${added.slice(1)}${members.isEmpty ? '' : ','}`;
  return new RawResult(sliceOf(pieces, members.first, sizeOf(pieces)), undefined, prefix);
}

/** Per server: what it calls itself is the same object for all its results. */
const stamps = new WeakMap<JsonObject, string>();

function stamp(serverInfo: JsonObject): string {
  let text = stamps.get(serverInfo);
  if (text === undefined) {
    text = `{"${META.serverInfo}":${JSON.stringify(serverInfo)}}`;
    stamps.set(serverInfo, text);
  }
  return text;
}

function valueToEra(value: JsonObject, { to, shape, serverInfo, structured }: EraConversion): JsonObject {
  if (to === 'legacy') return valueToLegacy(value, structured);
  const result: JsonObject = { resultType: 'complete', ...value };
  if (shape === 'cacheable') {
    result.ttlMs ??= 0;
    result.cacheScope ??= 'private';
  }
  if (serverInfo) result._meta = { [META.serverInfo]: serverInfo, ...(isObject(value._meta) ? value._meta : {}) };
  return result;
}
