/**
 * What a request is about, in the words policy is written in: the server, the section, the server's own name, and the
 * namespaced name. Never the name a client used: two spellings of one thing are one subject.
 * @module
 */
import type { Entry } from '../../../adapters/adapter.ts';
import type { PolicySection } from '../../config/policy-types.ts';
import { SEPARATOR } from '../../federation/naming.ts';
import type { Member, Route } from '../../federation/types.ts';
import { exposeUri, uriLabel } from '../../federation/uris.ts';
import type { Subject } from '../../policy/types.ts';

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

/** A subject no list may have. */
export function subjectNamed(
  section: PolicySection,
  { name: server, builtin, config }: Member,
  name: string,
  entry?: Entry,
): Subject {
  return { server, section, name, namespaced: namespacedName(), builtin, entry };

  function namespacedName(): string {
    if (builtin) return name;
    if (section === 'resources') return exposeUri(uriLabel(server), name);
    // Whole, however long: what clients see may be cut.
    return config.namespace === false ? name : `${config.namespace}${SEPARATOR}${name}`;
  }
}
