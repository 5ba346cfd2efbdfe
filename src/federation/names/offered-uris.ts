/**
 * The URIs a server offers: those its list has, and those its templates expand to.
 * @module
 */
import type { Catalog, Entry } from '../../core/upstream.ts';
import type { Member } from '../types.ts';
import { compileTemplate } from './uri-template.ts';

/** Templates of one server that are tried; matching is linear in their number. */
const MAX_TEMPLATES = 500;

export interface CompiledTemplate {
  entry: Entry;
  matches: (uri: string) => boolean;
}

/** By catalog, which is replaced and never changed. */
const templates = new WeakMap<Catalog, readonly CompiledTemplate[]>();
const listedUris = new WeakMap<Catalog, ReadonlySet<string>>();

/** The templates of a catalog of templates that can be matched, in their order. */
export function templatesOf(catalog: Catalog): readonly CompiledTemplate[] {
  let compiled = templates.get(catalog);
  if (!compiled) {
    compiled = catalog.entries.slice(0, MAX_TEMPLATES).flatMap((entry) => {
      const matches = compileTemplate(entry.key);
      return matches ? [{ entry, matches }] : [];
    });
    templates.set(catalog, compiled);
  }
  return compiled;
}

/** The first template in the server's list that the URI expands; undefined for a listed resource or an unknown URI. */
export function templateOf(member: Pick<Member, 'catalog'>, uri: string): string | undefined {
  if (isListed(member, uri)) return undefined;
  const found = templatesOf(member.catalog('templates')).find(
    ({ entry, matches }) => entry.key === uri || matches(uri),
  );
  return found?.entry.key;
}

/** Whether the server lists the URI, or a template for it. */
export const isOffered = (member: Pick<Member, 'catalog'>, uri: string): boolean =>
  isListed(member, uri) || templateOf(member, uri) !== undefined;

/** Whether the server's list has this very spelling. */
export function isListed(member: Pick<Member, 'catalog'>, uri: string): boolean {
  const catalog = member.catalog('resources');
  let uris = listedUris.get(catalog);
  if (!uris) {
    uris = new Set(catalog.entries.map(({ key }) => key));
    listedUris.set(catalog, uris);
  }
  return uris.has(uri);
}
