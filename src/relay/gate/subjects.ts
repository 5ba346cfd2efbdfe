/**
 * The subject of a request, in the terms of policy: server, section, the server's own name, the namespaced name. It is
 * made of the resolved route and never of the name a client used, so two spellings of one thing are one subject.
 * @module
 */

import type { Catalog, Entry } from '../../core/upstream.ts';
import { SEPARATOR } from '../../federation/names/naming.ts';
import { compileTemplate } from '../../federation/names/uri-template.ts';
import { exposeUri, uriLabel } from '../../federation/names/uris.ts';
import type { Member, Route } from '../../federation/types.ts';
import type { PolicySection } from '../../policy/language/types.ts';
import type { Subject } from '../../policy/types.ts';

/** An entry belongs to one member and one list: its subject is made once. */
const subjects = new WeakMap<Entry, Subject>();

export function subjectOf(section: PolicySection, route: Omit<Route, 'exposed'>): Subject {
  let subject = subjects.get(route.entry);
  if (!subject || subject.server !== route.member.name) {
    subject = subjectNamed(section, route.member, route.original, route.entry);
    subjects.set(route.entry, subject);
  }
  return subject;
}

/** The subject of a URI, whether or not a list has it. */
export function subjectOfUri(member: Member, uri: string): Subject {
  const subject = expansionOf(member, uri);
  // `FILE:///a`, `file:///b/../a` and `file:///a` are one resource to a server that parses them.
  const usual = URL.parse(uri)?.href;
  if (usual === undefined || usual === uri || isListed(member, uri)) return subject;
  return { ...subject, usual: expansionOf(member, usual) };
}

function expansionOf(member: Member, uri: string): Subject {
  const subject = subjectNamed('resources', member, uri);
  const template = templateOf(member, uri);
  if (template === undefined) return subject;
  const { name, namespaced, runtime } = subjectNamed('resources', member, template);
  return { ...subject, template: { name, namespaced, runtime } };
}

/** The subject of a name that no list need have. */
export function subjectNamed(
  section: PolicySection,
  { name: server, builtin, config }: Member,
  name: string,
  entry?: Entry,
): Subject {
  const runtime = !builtin && config.origin === 'runtime';
  return { server, section, name, namespaced: namespacedName(), builtin, entry, ...(runtime ? { runtime } : {}) };

  function namespacedName(): string {
    if (builtin) return name;
    if (section === 'resources') return exposeUri(uriLabel(server), name);
    // Never cut, though clients may see it cut. Only an operator may leave the prefix out: a server that a client
    // connected without one could name its tools like another server's, or like builtin tools.
    const prefix = config.namespace === false && runtime ? server : config.namespace;
    return prefix === false ? name : `${prefix}${SEPARATOR}${name}`;
  }
}

// Templates: rules are written for what lists show, and of many resources that is the template only.

/** Templates of one server that are tried, as many as the views try. */
const MAX_TEMPLATES = 500;

interface Template {
  name: string;
  matches: (uri: string) => boolean;
}

/** By catalog, which is replaced and never changed. */
const templates = new WeakMap<Catalog, readonly Template[]>();
const listedUris = new WeakMap<Catalog, ReadonlySet<string>>();

/** The first template in the server's list that the URI expands; undefined for a listed resource or an unknown URI. */
function templateOf(member: Member, uri: string): string | undefined {
  if (isListed(member, uri)) return undefined;
  return templatesOf(member.catalog('templates')).find(({ name, matches }) => name === uri || matches(uri))?.name;
}

/** Whether the server lists the URI, or a template for it. */
export const isOffered = (member: Member, uri: string): boolean =>
  isListed(member, uri) || templateOf(member, uri) !== undefined;

/** Whether the server's list has this very spelling. */
function isListed(member: Member, uri: string): boolean {
  const catalog = member.catalog('resources');
  let uris = listedUris.get(catalog);
  if (!uris) {
    uris = new Set(catalog.entries.map(({ key }) => key));
    listedUris.set(catalog, uris);
  }
  return uris.has(uri);
}

function templatesOf(catalog: Catalog): readonly Template[] {
  let compiled = templates.get(catalog);
  if (!compiled) {
    compiled = catalog.entries.slice(0, MAX_TEMPLATES).flatMap(({ key }) => {
      const matches = compileTemplate(key);
      return matches ? [{ name: key, matches }] : [];
    });
    templates.set(catalog, compiled);
  }
  return compiled;
}
