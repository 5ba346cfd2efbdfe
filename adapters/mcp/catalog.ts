/**
 * Reads the lists of an upstream: walks the pages within bounds and keeps every entry's bytes, so that what is passed on
 * loses nothing.
 * @module
 */
import { isUtf8 } from 'node:buffer';
import { RPC, SwitchboardError, UpstreamError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import type { Catalog, CatalogKind, Entry } from '../../src/core/upstream.ts';
import { parseText } from '../../src/wire/json/parse.ts';
import { elements, member } from '../../src/wire/json/scan.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';

export type ListKind = Exclude<CatalogKind, 'agents'>;

interface ListMethod {
  method: string;
  /** Where the entries are in the result. */
  field: string;
  /** The member of an entry that names it. */
  key: string;
  /** The capability a server declares when it has the list. */
  capability: 'tools' | 'prompts' | 'resources';
}

export const LISTS: Readonly<Record<ListKind, ListMethod>> = {
  tools: { method: 'tools/list', field: 'tools', key: 'name', capability: 'tools' },
  prompts: { method: 'prompts/list', field: 'prompts', key: 'name', capability: 'prompts' },
  resources: { method: 'resources/list', field: 'resources', key: 'uri', capability: 'resources' },
  templates: {
    method: 'resources/templates/list',
    field: 'resourceTemplates',
    key: 'uriTemplate',
    capability: 'resources',
  },
};

export const isListKind = (kind: CatalogKind): kind is ListKind => kind in LISTS;

/** A list longer than these bounds is cut, with a warning in the log. */
const MAX_PAGES = 500;
const MAX_ENTRIES = 20_000;
const MAX_BYTES = 64 * 1024 * 1024;

export interface ListReader {
  /** The server's name, for messages. */
  readonly name: string;
  readonly log: Log;
  readonly capabilities: JsonObject;
  /** One request; resolves with the bytes of the result. */
  ask(method: string, params: JsonObject): Promise<Buffer>;
}

/** The whole list. Empty when the upstream does not offer it, or advertises it and does not serve it. */
export async function readList(kind: ListKind, reader: ListReader): Promise<Catalog> {
  const list = LISTS[kind];
  const catalog: Catalog = { entries: [] };
  if (!isObject(reader.capabilities[list.capability])) return catalog;
  const left: LeftOut = { nameless: 0, repeated: 0 };
  const seen = new Set<string>();
  const cursors = new Set<string>();
  let cursor: string | undefined;
  let bytes = 0;
  for (let page = 0; ; page++) {
    let result: Buffer;
    try {
      result = await reader.ask(list.method, cursor === undefined ? {} : { cursor });
    } catch (error) {
      if (page === 0 && error instanceof UpstreamError && error.rpcCode === RPC.methodNotFound) return catalog;
      throw error;
    }
    bytes += result.length;
    cursor = readPage(result, list, reader.name, catalog, seen, left);
    const trouble =
      (catalog.entries.length >= MAX_ENTRIES && 'is too long') ||
      (cursor !== undefined && cursors.has(cursor) && 'repeats a cursor') ||
      (cursor !== undefined && (page + 1 >= MAX_PAGES || bytes >= MAX_BYTES) && 'never ends');
    if (trouble) {
      reader.log.warn(
        { server: reader.name, list: list.method, entries: catalog.entries.length },
        `a list ${trouble}: cut`,
      );
    }
    if (trouble || cursor === undefined) break;
    cursors.add(cursor);
  }
  tellLeftOut(left, list, reader);
  return catalog;
}

/** How many entries are not passed on, and why. Counted: a server can list millions of them. */
interface LeftOut {
  nameless: number;
  repeated: number;
}

function tellLeftOut({ nameless, repeated }: LeftOut, { method, key }: ListMethod, { name, log }: ListReader): void {
  const fields = { server: name, list: method };
  if (nameless > 0) log.warn({ ...fields, entries: nameless }, `entries have no ${key}: left out`);
  if (repeated > 0) log.warn({ ...fields, entries: repeated }, 'entries are listed twice: the first one counts');
}

/** Adds a page's entries to the catalog. Returns the next cursor. */
function readPage(
  result: Buffer,
  { method, field, key }: ListMethod,
  name: string,
  catalog: Catalog,
  seen: Set<string>,
  left: LeftOut,
): string | undefined {
  const span = member(result, 0, field);
  if (!span || result[span.start] !== 0x5b) {
    throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' answers ${method} without a list.`);
  }
  for (const { start, end } of elements(result, span.start, MAX_ENTRIES - catalog.entries.length)) {
    const raw = result.subarray(start, end);
    const value = parse(raw);
    const entryKey = isObject(value) ? value[key] : undefined;
    if (!isObject(value) || typeof entryKey !== 'string' || entryKey === '') {
      left.nameless++;
    } else if (seen.has(entryKey)) {
      left.repeated++;
    } else {
      seen.add(entryKey);
      catalog.entries.push(isWellFormed(raw) ? { key: entryKey, value, raw } : repaired(entryKey, value));
    }
  }
  readFreshness(result, catalog);
  const next = read(result, 'nextCursor');
  // An empty cursor is a cursor by the letter, but servers that send one mean the end.
  return typeof next === 'string' && next !== '' ? next : undefined;
}

/**
 * In a merged list one entry's malformed text would make the whole unreadable to strict clients: bytes that are no UTF-8,
 * and halves of surrogate pairs, which servers leave that cut a text in the middle of an emoji.
 */
const isWellFormed = (raw: Buffer): boolean =>
  isUtf8(raw) &&
  (!(raw.includes('\\ud') || raw.includes('\\uD')) ||
    !LONE_SURROGATE.test(JSON.stringify(JSON.parse(raw.toString('utf8')))));

/** `JSON.stringify` writes only lone ones as escapes. A backslash before it may be text; then a repair changes nothing. */
const LONE_SURROGATE = /\\ud[89a-f][0-9a-f]{2}/;

const repaired = (key: string, value: JsonObject): Entry => ({ key, value: wellFormed(value) as JsonObject });

/** Nested no deeper than what was scanned before. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name.toWellFormed(), wellFormed(inner)]));
}

/** The shortest time and the narrowest scope of all pages. */
function readFreshness(result: Buffer, catalog: Catalog): void {
  const ttlMs = read(result, 'ttlMs');
  if (typeof ttlMs === 'number' && ttlMs >= 0) catalog.ttlMs = Math.min(catalog.ttlMs ?? ttlMs, ttlMs);
  const scope = read(result, 'cacheScope');
  if (scope === 'private' || (scope === 'public' && catalog.cacheScope === undefined)) catalog.cacheScope = scope;
}

function read(result: Buffer, name: string): unknown {
  const span = member(result, 0, name);
  return span && parse(result.subarray(span.start, span.end));
}

function parse(bytes: Buffer): unknown {
  try {
    return parseText(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
