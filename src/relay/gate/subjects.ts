/**
 * The subject of a request, in the terms of policy: server, section, the server's own name, the namespaced name. It is
 * made of the resolved route and never of the name a client used, so two spellings of one thing are one subject.
 * @module
 */

import type { Catalog, Entry } from '../../core/upstream.ts';
import { SEPARATOR } from '../../federation/names/naming.ts';
import { isListed, templateOf, templatesOf } from '../../federation/names/offered-uris.ts';
import { compileTemplate } from '../../federation/names/uri-template.ts';
import { exposeUri, uriLabel } from '../../federation/names/uris.ts';
import type { Member, Route } from '../../federation/types.ts';
import type { PolicySection } from '../../policy/language/types.ts';
import { normalUri } from '../../policy/language/uris.ts';
import type { Subject } from '../../policy/types.ts';

/** An entry belongs to one member and one list: its subject is made once. */
const subjects = new WeakMap<Entry, Subject>();

export function subjectOf(section: PolicySection, route: Omit<Route, 'exposed'>): Subject {
  const { agent } = route.entry;
  // The tool of an agent is the agent, so that nothing can be said of one and not of the other.
  if (agent) return subjectOf('agents', { member: route.member, original: agent.key, entry: agent });
  let subject = subjects.get(route.entry);
  if (!subject || subject.server !== route.member.name || (section === 'agents' && !isCurrent(subject, route))) {
    subject = subjectNamed(section, route.member, route.original, route.entry);
    if (section === 'agents') subject = { ...subject, tool: toolOf(route.member, route.original) };
    if (section === 'resources') subject = withNormalForm(route.member, subject);
    subjects.set(route.entry, subject);
  }
  return subject;
}

/** The name of an agent's tool depends on the server's other tools. */
function isCurrent({ tool }: Subject, { member, original }: Omit<Route, 'exposed'>): boolean {
  const tools = member.agentTools?.();
  return tool?.name === tools?.byAgent.get(original)?.key && tool?.isTentative !== tools?.areCertain;
}

/** The tool that stands for an agent, in the terms of policy. */
function toolOf(member: Member, agent: string): Subject['tool'] {
  const tools = member.agentTools?.();
  const entry = tools?.byAgent.get(agent);
  if (!tools || !entry) return undefined;
  const { name, namespaced, runtime } = subjectNamed('tools', member, entry.key);
  return { name, namespaced, runtime, isTentative: !tools.areCertain };
}

/** The subject of a URI, whether or not a list has it. */
export const subjectOfUri = (member: Member, uri: string): Subject =>
  withNormalForm(member, templated(member, uri, subjectNamed('resources', member, uri), templateOf(member, uri)));

/** Adds the normal form: rules judge both. */
function withNormalForm(member: Member, subject: Subject): Subject {
  const uri = normalUri(subject.name);
  const { server, section, builtin, runtime } = subject;
  const namespaced = subjectNamed(section, member, uri).namespaced;
  const template = normalTemplateOf(member, uri);
  const usual = { server, section, builtin, runtime, name: uri, namespaced, entry: undefined, normal: true };
  return { ...subject, usual: templated(member, uri, usual, template) };
}

/** Rules are written for what lists show, and of many resources that is the template only. */
function templated(member: Member, uri: string, subject: Subject, template: string | undefined): Subject {
  if (template === undefined || template === uri) return subject;
  const { name, namespaced, runtime } = subjectNamed('resources', member, template);
  return { ...subject, template: { name, namespaced, runtime } };
}

interface NormalTemplate {
  uri: string;
  matches: (uri: string) => boolean;
}

/** By catalog, which is replaced and never changed. */
const normalTemplates = new WeakMap<Catalog, readonly NormalTemplate[]>();

/** The normal form of the first template that a URI in normal form expands, in that form or as it is written. */
function normalTemplateOf(member: Member, uri: string): string | undefined {
  if (isListed(member, uri)) return undefined;
  const catalog = member.catalog('templates');
  let templates = normalTemplates.get(catalog);
  if (!templates) {
    templates = templatesOf(catalog).map(({ entry, matches }) => {
      const normal = normalUri(entry.key);
      const matchesNormal = normal === entry.key ? undefined : compileTemplate(normal);
      return { uri: normal, matches: (each) => matches(each) || matchesNormal?.(each) === true };
    });
    normalTemplates.set(catalog, templates);
  }
  return templates.find((each) => each.uri === uri || each.matches(uri))?.uri;
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
