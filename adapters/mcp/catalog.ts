/**
 * Reads the lists of an upstream: walks the pages within bounds and keeps every entry's bytes, so that what is passed on
 * loses nothing.
 * @module
 */
import { RPC, SwitchboardError, UpstreamError } from '../../src/wire/errors.ts';
import { elements, member } from '../../src/wire/json/scan.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { Catalog, CatalogKind, Entry, Log } from '../adapter.ts';

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

/** A list that goes on beyond these is cut, and the log says so. */
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
    cursor = readPage(result, list, reader, catalog, seen);
    if (cursor === undefined) return catalog;
    const trouble =
      (cursors.has(cursor) && 'repeats a cursor') ||
      ((page + 1 >= MAX_PAGES || catalog.entries.length >= MAX_ENTRIES || bytes >= MAX_BYTES) && 'never ends');
    if (trouble) {
      reader.log.warn(
        { server: reader.name, list: list.method, entries: catalog.entries.length },
        `a list ${trouble}: cut`,
      );
      return catalog;
    }
    cursors.add(cursor);
  }
}

/** Adds a page's entries to the catalog. Returns the next cursor. */
function readPage(
  result: Buffer,
  { method, field, key }: ListMethod,
  { name, log }: ListReader,
  catalog: Catalog,
  seen: Set<string>,
): string | undefined {
  const span = member(result, 0, field);
  if (!span || result[span.start] !== 0x5b) {
    throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' answers ${method} without a list.`);
  }
  for (const { start, end } of elements(result, span.start)) {
    const raw = result.subarray(start, end);
    const value = parse(raw);
    const entryKey = isObject(value) ? value[key] : undefined;
    if (!isObject(value) || typeof entryKey !== 'string' || entryKey === '') {
      log.warn({ server: name, list: method }, `an entry has no ${key}: left out`);
    } else if (seen.has(entryKey)) {
      log.warn({ server: name, list: method, [key]: entryKey }, 'an entry is listed twice: the first one counts');
    } else {
      seen.add(entryKey);
      catalog.entries.push({ key: entryKey, value, raw } satisfies Entry);
    }
  }
  readFreshness(result, catalog);
  const next = read(result, 'nextCursor');
  // An empty cursor is a cursor by the letter, but servers that send one mean the end.
  return typeof next === 'string' && next !== '' ? next : undefined;
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
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
