/**
 * The JSON of a list entry under its exposed name. Only the member that names it and a tool's link to its app are
 * replaced; unknown members, the spelling of numbers and the order of keys stay as the upstream sent them.
 * @module
 */
import type { CatalogKind, Entry } from '../../core/upstream.ts';
import { editMembers } from '../../wire/json/splice.ts';
import { exposeAppLinks } from './app-links.ts';

/** The member of an entry that names it. */
const KEY_MEMBER: Readonly<Record<CatalogKind, 'name' | 'uri' | 'uriTemplate'>> = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  templates: 'uriTemplate',
  agents: 'name',
};

export function entryBytes(kind: CatalogKind, entry: Entry, exposed: string): Buffer {
  const { key, raw } = entry;
  if (raw) {
    if (exposed === key) return raw;
    try {
      return editMembers(raw, { [KEY_MEMBER[kind]]: JSON.stringify(exposed) });
    } catch {
      // Not an object: one malformed entry must not fail the list of every server.
    }
  }
  const { value } = entry;
  // That its calls may become tasks is the gateway's to say, and no part of the server's definition.
  const offered = entry.lasts ? { ...value, execution: { taskSupport: 'optional' } } : value;
  return Buffer.from(JSON.stringify(exposed === key ? offered : { ...offered, [KEY_MEMBER[kind]]: exposed }));
}

/**
 * Remembers the bytes of each entry, so that a change of one server's list serialises that server's entries only.
 * Entries keep their identity until they change (see `catalogs.ts`).
 */
export class EntryBytes {
  readonly #known = new WeakMap<Entry, { exposed: string; bytes: Buffer }>();

  /** `exposeUri`: how URIs of the entry's server are spelled; the same for every entry of that server. */
  get(kind: CatalogKind, entry: Entry, exposed: string, exposeUri: (uri: string) => string): Buffer {
    const known = this.#known.get(entry);
    if (known?.exposed === exposed) return known.bytes;
    const named = entryBytes(kind, entry, exposed);
    const bytes = kind === 'tools' ? exposeAppLinks(named, entry.value, exposeUri) : named;
    this.#known.set(entry, { exposed, bytes });
    return bytes;
  }
}
