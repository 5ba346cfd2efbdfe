/**
 * The subject of a request, in the terms of policy: server, section, the server's own name, the namespaced name. It is
 * made of the resolved route and never of the name a client used, so two spellings of one thing are one subject.
 * @module
 */

import type { Entry } from '../../core/upstream.ts';
import { SEPARATOR } from '../../federation/names/naming.ts';
import { isListed, templateOf } from '../../federation/names/offered-uris.ts';
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

/** Rules are written for what lists show, and of many resources that is the template only. */
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
