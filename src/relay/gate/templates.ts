/**
 * Which template of a server a URI is an expansion of: rules are written for what lists show, and of many resources
 * that is the template only.
 * @module
 */
import type { Catalog } from '../../core/upstream.ts';
import { compileTemplate } from '../../federation/names/uri-template.ts';
import type { Member } from '../../federation/types.ts';

/** Templates of one server that are tried, as many as the views try. */
const MAX_TEMPLATES = 500;

interface Template {
  name: string;
  matches: (uri: string) => boolean;
}

/** A catalog never changes: a change makes another one. */
const compiled = new WeakMap<Catalog, readonly Template[]>();
const listed = new WeakMap<Catalog, ReadonlySet<string>>();

/** The first in the order of the server's list; undefined for a URI that is a listed resource, or nothing it offers. */
export function templateOf(member: Member, uri: string): string | undefined {
  if (isListed(member, uri)) return undefined;
  return templatesOf(member.catalog('templates')).find(({ name, matches }) => name === uri || matches(uri))?.name;
}

/** Whether the server says that there is such a URI: it lists it, or a template for it. */
export const isOffered = (member: Member, uri: string): boolean =>
  isListed(member, uri) || templateOf(member, uri) !== undefined;

/** Whether the server's list has this very spelling. */
export function isListed(member: Member, uri: string): boolean {
  const catalog = member.catalog('resources');
  let uris = listed.get(catalog);
  if (!uris) {
    uris = new Set(catalog.entries.map(({ key }) => key));
    listed.set(catalog, uris);
  }
  return uris.has(uri);
}

function templatesOf(catalog: Catalog): readonly Template[] {
  let templates = compiled.get(catalog);
  if (!templates) {
    templates = catalog.entries.slice(0, MAX_TEMPLATES).flatMap(({ key }) => {
      const matches = compileTemplate(key);
      return matches ? [{ name: key, matches }] : [];
    });
    compiled.set(catalog, templates);
  }
  return templates;
}
