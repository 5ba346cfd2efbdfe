/**
 * Results as legacy clients read them. What only the modern revision defines is cut out (`resultType`, the freshness of a
 * result, reserved keys of `_meta`), and structured content that is no object becomes the member `result` of one, as the
 * official server SDK does for its own legacy clients. Content is neither parsed nor copied where nothing of it changes.
 * @module
 */

import type { Reply } from '../../core/upstream.ts';
import { META } from '../../wire/envelope.ts';
import type { Era } from '../../wire/eras.ts';
import { LBRACE, LBRACKET } from '../../wire/json/bytes.ts';
import type { ResultOutline } from '../../wire/json/outline.ts';
import { elements, member } from '../../wire/json/scan.ts';
import { editMembers, type MemberEdits } from '../../wire/json/splice.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { appendSlice, type Pieces, sizeOf, textOf } from '../../wire/pieces.ts';
import { outlineOfResult, RawResult } from '../../wire/raw-result.ts';
import type { CallResult } from '../types.ts';

/**
 * How structured content reaches legacy clients: `values` wraps what is no object, `all` wraps objects too, because the
 * tool's output schema is wrapped. Undefined for results that are no tool's.
 */
export type StructuredForm = 'values' | 'all' | undefined;

type RawReply = Exclude<Reply, { inputRequired: JsonObject } | { value: JsonObject }>;

const WRAP = Buffer.from('{"result":');
const END = Buffer.from('}');

const wraps = ({ structured }: ResultOutline, form: StructuredForm): boolean =>
  structured !== 0 && form !== undefined && (form === 'all' || structured !== LBRACE);

/** Whether a legacy server's result, of which this is known, can be passed on as it is. */
export const isLegacyForm = (known: ResultOutline | undefined, form: StructuredForm): boolean =>
  form === undefined || (known !== undefined && !wraps(known, form));

export function rawToLegacy(reply: RawReply, from: Era, form: StructuredForm): CallResult {
  const members = reply.members ?? outlineOfResult(reply.raw);
  const isModern = from === 'modern';
  const pieces: Pieces = reply.pieces ?? [reply.raw];
  const isWrapped = wraps(members, form);
  const meta = isModern && members.hasMeta ? legacyMeta(textOf(pieces, members.metaStart, members.metaEnd)) : undefined;
  const cutsType = isModern && members.hasType;
  if (!isWrapped && !cutsType && meta === undefined && !(isModern && hasFreshness(members))) return reply;
  const content = isWrapped && members.structured !== LBRACE ? contentWithText(reply.raw, pieces, members) : undefined;
  const isPlain =
    !members.typeRepeated && !members.othersRepeated && !(isModern && hasFreshness(members)) && content === undefined;
  const cuts: Cut[] = [];
  if (cutsType) cuts.push({ start: members.cutStart, end: members.cutEnd });
  if (meta === REMOVED) cuts.push({ start: members.metaCutStart, end: members.metaCutEnd });
  else if (meta !== undefined) cuts.push({ start: members.metaStart, end: members.metaEnd, put: Buffer.from(meta) });
  if (isWrapped) {
    cuts.push({ start: members.structuredStart, end: members.structuredStart, put: WRAP });
    cuts.push({ start: members.structuredEnd, end: members.structuredEnd, put: END });
  }
  const edited = isPlain ? cutOut(pieces, cuts) : undefined;
  return edited ?? { raw: editMembers(reply.raw, editsOf(reply.raw, { members, isModern, isWrapped, content })) };
}

const hasFreshness = ({ hasTtlMs, hasCacheScope }: ResultOutline): boolean => hasTtlMs || hasCacheScope;

interface Cut {
  start: number;
  end: number;
  put?: Buffer;
}

/** Undefined where two cuts meet: each counts on the comma that the other takes. */
function cutOut(pieces: Pieces, cuts: Cut[]): RawResult | undefined {
  if (cuts.length > 1) cuts.sort((a, b) => a.start - b.start || a.end - b.end);
  const rest: Buffer[] = [];
  let done = 0;
  for (const { start, end, put } of cuts) {
    if (start < done) return undefined;
    appendSlice(rest, pieces, done, start);
    if (put) rest.push(put);
    done = end;
  }
  appendSlice(rest, pieces, done, sizeOf(pieces));
  return new RawResult(rest);
}

interface Edited {
  members: ResultOutline;
  isModern: boolean;
  isWrapped: boolean;
  content: string | undefined;
}

/** For results with members twice, or with several that are changed next to each other. */
function editsOf(raw: Buffer, { members, isModern, isWrapped, content }: Edited): MemberEdits {
  const edits: Record<string, string | undefined> = {};
  if (isModern) {
    for (const name of ['resultType', 'ttlMs', 'cacheScope']) edits[name] = undefined;
    if (members.hasMeta) {
      const own = member(raw, 0, '_meta');
      const text = own && raw.toString('utf8', own.start, own.end);
      const meta = text === undefined ? undefined : (legacyMeta(text) ?? text);
      edits._meta = meta === REMOVED ? undefined : meta;
    }
  }
  if (isWrapped) {
    const own = member(raw, 0, 'structuredContent');
    if (own) edits.structuredContent = `{"result":${raw.toString('utf8', own.start, own.end)}}`;
  }
  if (content !== undefined) edits.content = content;
  return edits;
}

/** The content with the structured value as a text, for clients that read nothing else; undefined where it has a text. */
function contentWithText(raw: Buffer, pieces: Pieces, members: ResultOutline): string | undefined {
  const text = textOf(pieces, members.structuredStart, members.structuredEnd);
  const block = JSON.stringify({ type: 'text', text });
  const content = member(raw, 0, 'content');
  if (!content || raw[content.start] !== LBRACKET) return `[${block}]`;
  const blocks = elements(raw, content.start);
  const isText = ({ start }: { start: number }): boolean => {
    const type = raw[start] === LBRACE ? member(raw, start, 'type') : undefined;
    return type !== undefined && raw.toString('utf8', type.start, type.end) === '"text"';
  };
  if (blocks.some(isText)) return undefined;
  const own = raw.toString('utf8', content.start + 1, content.end - 1);
  return `[${own}${blocks.length > 0 ? ',' : ''}${block}]`;
}

const MODERN_KEYS: readonly string[] = Object.values(META);

const REMOVED = '';

/** Other JSON for `_meta`; {@link REMOVED} where nothing is left, undefined where nothing changes. */
function legacyMeta(text: string): string | undefined {
  // Keys may be spelled with escapes.
  if (!text.includes('io.modelcontextprotocol/') && !text.includes('\\')) return undefined;
  const meta: unknown = JSON.parse(text);
  if (!isObject(meta)) return undefined;
  const modern = MODERN_KEYS.filter((key) => Object.hasOwn(meta, key));
  if (modern.length === 0) return undefined;
  if (modern.length === Object.keys(meta).length) return REMOVED;
  return editMembers(Buffer.from(text), Object.fromEntries(modern.map((key) => [key, undefined]))).toString('utf8');
}

export function valueToLegacy(value: JsonObject, form: StructuredForm): JsonObject {
  const { resultType: _, ...rest } = value;
  const { structuredContent } = rest;
  if (form === undefined || structuredContent === undefined) return 'resultType' in value ? rest : value;
  if (isObject(structuredContent) && form !== 'all') return 'resultType' in value ? rest : value;
  return { ...rest, structuredContent: { result: structuredContent } };
}
