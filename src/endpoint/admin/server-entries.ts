/**
 * `/admin/api/servers/:name/entry`: a server's entry in the configuration file, shown without its secrets, and edited: what would
 * change is shown first, and written where the file still says what was shown.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import { parseJsonc } from '../../config/jsonc.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { parseJson } from '../messages.ts';
import { followedElsewhere, followFile } from './followed-file.ts';
import { lineDiff } from './line-diff.ts';
import type { AdminRequest, AdminRoute } from './route.ts';
import { hidden, masked, unmasked } from './secret-values.ts';
import type { ConfigurationChange, ConfigurationFile, PageSources } from './sources.ts';

const MAX_ENTRY_BYTES = 64 * 1024;

export function serverEntryRoutes(pages: PageSources): AdminRoute[] {
  const { configuration } = pages;
  followFile(pages);
  if (configuration === undefined) return [];
  const path = '/admin/api/servers/:name/entry';
  return [
    { method: 'GET', path, handle: async ({ params }) => ({ json: await shown(configuration, nameIn(params)) }) },
    {
      method: 'POST',
      path,
      // Without `write` it shows what would change.
      reads: ({ body }) => !isWrite(body),
      maxBytes: MAX_ENTRY_BYTES,
      handle: async (request) => ({ json: await edit(configuration, pages, request) }),
    },
  ];
}

function isWrite(body: Buffer): boolean {
  const given: unknown = parseJson(body);
  return isObject(given) && given.write === true;
}

const nameIn = (params: AdminRequest['params']): string => decodeURIComponent(params.name as string);

const jsonIn = (text: string): unknown => parseJsonc(text.replace(/^\ufeff/, '')).value;

interface Found {
  text: string;
  /** Undefined: the file has no such server. */
  entry: JsonObject | undefined;
  section: string;
}

async function find(configuration: ConfigurationFile, name: string): Promise<Found> {
  const text = await configuration.read();
  const value = jsonIn(text);
  const root = isObject(value) ? value : {};
  const sections = ['mcpServers', 'servers'].filter((section) => isObject(root[section]));
  const section = sections.find((each) => Object.hasOwn(root[each] as object, name));
  const entry = section === undefined ? undefined : (root[section] as JsonObject)[name];
  return { text, entry: isObject(entry) ? entry : undefined, section: section ?? sections[0] ?? 'mcpServers' };
}

/** `revision` names the text that was shown. */
async function shown(configuration: ConfigurationFile, name: string) {
  const { text, entry } = await find(configuration, name);
  return { file: configuration.file, revision: sha256(text), entry: entry && (masked(entry) as JsonObject) };
}

/**
 * The body is `{ "entry": {…} | null, "revision": "…", "write": true }`: null takes the server out, and without `write` nothing is
 * written. The reply holds the lines that change.
 */
async function edit(configuration: ConfigurationFile, pages: PageSources, { params, body }: AdminRequest) {
  const name = nameIn(params);
  const given: unknown = parseJson(body);
  if (!isObject(given) || !(isObject(given.entry) || given.entry === null)) {
    throw new SwitchboardError('SWB_INVALID_REQUEST', 'The body must be {"entry": {…} or null, "revision": "…"}.');
  }
  const { text, entry, section } = await find(configuration, name);
  if (given.revision !== sha256(text)) {
    throw new SwitchboardError('SWB_INVALID_REQUEST', 'The file has changed since it was shown. Look at it again.');
  }
  if (given.entry === null && entry === undefined) {
    throw new SwitchboardError('SWB_UNKNOWN_SERVER', 'The file has no server of that name.');
  }
  const next = given.entry === null ? undefined : unmasked(given.entry, entry);
  const changes = changesBetween([section, name], entry, next);
  const after = configuration.edited(text, changes);
  await configuration.check(after);
  const values = [entry, next, jsonIn(text), jsonIn(after)];
  const diff = lineDiff(hidden(text, values), hidden(after, values));
  const writes = given.write === true && after !== text;
  if (!writes) return { diff, written: false, revision: given.revision };
  await configuration.replace(text, after);
  return { diff, written: true, revision: sha256(after), elsewhere: await followedElsewhere(pages, after) };
}

/** Members that differ, one by one: comments beside the others stay. */
function changesBetween(path: (string | number)[], before: unknown, after: unknown): ConfigurationChange[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isObject(before) || !isObject(after)) return [{ path, value: after }];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    changesBetween([...path, key], before[key], after[key]),
  );
}
