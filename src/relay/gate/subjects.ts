/**
 * What a request is about, in the words policy is written in: the server, the section, the server's own name, and the
 * namespaced name. Never the name a client used: two spellings of one thing are one subject.
 * @module
 */

import type { Entry } from '../../core/upstream.ts';
import { SEPARATOR } from '../../federation/names/naming.ts';
import { exposeUri, uriLabel } from '../../federation/names/uris.ts';
import type { Member, Route } from '../../federation/types.ts';
import type { PolicySection } from '../../policy/language/types.ts';
import type { Subject } from '../../policy/types.ts';
import { isListed, templateOf } from './templates.ts';

/** An entry belongs to one member and one list: its subject is made once. */
const known = new WeakMap<Entry, Subject>();

export function subjectOf(section: PolicySection, route: Omit<Route, 'exposed'>): Subject {
  let subject = known.get(route.entry);
  if (!subject || subject.server !== route.member.name) {
    subject = subjectNamed(section, route.member, route.original, route.entry);
    known.set(route.entry, subject);
  }
  return subject;
}

/** A URI, whether or not a list has it. */
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

/** A subject no list may have. */
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
    // Whole, however long: what clients see may be cut. A bare name is the operator's to give: a server that a client
    // connected without a prefix could call its tools after any other server's, or the gateway's own.
    const prefix = config.namespace === false && runtime ? server : config.namespace;
    return prefix === false ? name : `${prefix}${SEPARATOR}${name}`;
  }
}
