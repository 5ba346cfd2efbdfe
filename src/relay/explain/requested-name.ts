/**
 * Finds the subject that a request of `policy explain` names: by any spelling a client could use and by the names documents
 * use, whether it is listed, hidden or does not exist.
 * @module
 */

import { nearest } from '../../config/nearest.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { CatalogKind, Entry } from '../../core/upstream.ts';
import { SEPARATOR } from '../../federation/names/naming.ts';
import { isOffered } from '../../federation/names/offered-uris.ts';
import { splitUri, uriLabel } from '../../federation/names/uris.ts';
import type { Federation, Member, Route, View } from '../../federation/types.ts';
import type { ExplainedKind, ExplainRequest } from '../../policy/explain/explanation.ts';
import type { PolicySection } from '../../policy/language/types.ts';
import type { Subject } from '../../policy/types.ts';
import { subjectNamed, subjectOf, subjectOfUri } from '../gate/subjects.ts';
import { isDefined } from '../methods/index.ts';
import { isInner } from '../methods/pass-through.ts';
import { quoted } from '../request-context.ts';

export interface RequestedSubject {
  member: Member;
  subject: Subject;
  /** Undefined for methods and for what does not exist. */
  exposed: string | undefined;
  /** The list that has it, hidden from the caller or not. */
  inList: { kind: CatalogKind; entry: Entry } | undefined;
  /** Whether a request for it would find a server. */
  exists: boolean;
}

const SECTIONS = {
  tool: 'tools',
  prompt: 'prompts',
  resource: 'resources',
  agent: 'agents',
  method: 'methods',
} as const satisfies Record<ExplainedKind, PolicySection>;

export const sectionOf = (kind: ExplainedKind): PolicySection => SECTIONS[kind];

/**
 * `view` is the merged view as the caller may know it. Undefined: no server has the name, and its prefix names none. Throws
 * `SWB_UNKNOWN_SERVER`, and `SWB_AMBIGUOUS_NAME` where several servers have it.
 */
export function findSubject(federation: Federation, view: View, request: ExplainRequest): RequestedSubject | undefined {
  const { kind, server } = request;
  const member = server === undefined ? undefined : requireMember(federation, server);
  if (kind === 'method') return method(request.name, member);
  if (kind === 'resource') return resource(federation, view, request.name, member);
  return named(federation, SECTIONS[kind], request.name, member);
}

function requireMember(federation: Federation, name: string): Member {
  const member = federation.member(name) ?? federation.members().find((each) => each.name === name);
  if (member) return member;
  const names = federation.members().map((each) => each.name);
  const near = nearest(name, names);
  const hint = near === undefined ? `The servers are: ${names.join(', ')}.` : `Did you mean '${near}'?`;
  throw new SwitchboardError('SWB_UNKNOWN_SERVER', `There is no server '${quoted(name)}'. ${hint}`);
}

// Tools, prompts, agents

type NamedSection = 'tools' | 'prompts' | 'agents';
type Spelling = (route: Route) => readonly string[];

const ofAll = (section: NamedSection): Spelling[] => [
  ({ exposed }) => [exposed],
  (route) => [subjectOf(section, route).namespaced],
  ({ member, original }) => (section === 'agents' ? [`${member.name}/${original}`, `${member.name}:${original}`] : []),
  ({ original }) => [original],
];

function named(
  federation: Federation,
  section: NamedSection,
  name: string,
  member?: Member,
): RequestedSubject | undefined {
  const spellings = member ? ofAll(section).reverse() : ofAll(section);
  const routes = federation.all.routes(section).filter((route) => member === undefined || route.member === member);
  for (const spelling of spellings) {
    const [found, ...others] = routes.filter((route) => spelling(route).includes(name));
    if (found && others.length > 0) throw ambiguous(section, name, [found, ...others]);
    if (found) return listedRoute(section, found);
  }
  const owner = member ? { member, original: name } : ownerByPrefix(federation, name);
  return owner && unlisted(owner.member, subjectNamed(section, owner.member, owner.original), false);
}

function listedRoute(section: NamedSection, route: Route): RequestedSubject {
  const { member, exposed, entry } = route;
  return { member, subject: subjectOf(section, route), exposed, inList: { kind: section, entry }, exists: true };
}

const unlisted = (member: Member, subject: Subject, exists: boolean): RequestedSubject => ({
  member,
  subject,
  exposed: undefined,
  inList: undefined,
  exists,
});

function ownerByPrefix(federation: Federation, name: string): { member: Member; original: string } | undefined {
  for (const member of federation.members()) {
    const { namespace } = member.config;
    if (member.builtin || namespace === false || !name.startsWith(`${namespace}${SEPARATOR}`)) continue;
    return { member, original: name.slice(namespace.length + SEPARATOR.length) };
  }
  return undefined;
}

function ambiguous(section: NamedSection, name: string, found: readonly Route[]): SwitchboardError {
  const candidates = found.map(({ exposed }) => exposed).slice(0, 20);
  return new SwitchboardError(
    'SWB_AMBIGUOUS_NAME',
    `Several servers have '${quoted(name)}' among their ${section}: ${candidates.join(', ')}. Name the server, or write one of these.`,
    { data: { candidates } },
  );
}

// Resources

/** Looks in the caller's view first: which server owns an original URI can depend on what is hidden. */
function resource(federation: Federation, view: View, uri: string, member?: Member): RequestedSubject | undefined {
  const spelling = member ? spellingFor(federation.all, member, uri) : uri;
  for (const each of [view, federation.all]) {
    const found = each.resolveUri(spelling);
    if (!found || (member && found.member !== member)) continue;
    const inList = listOf(federation.all, found);
    const subject = subjectOfUri(found.member, found.original);
    return { member: found.member, subject, exposed: found.exposed, inList, exists: true };
  }
  const owner = member ? { member, original: uri } : ownerByLabel(federation, uri);
  return owner && unlisted(owner.member, subjectOfUri(owner.member, owner.original), false);
}

/** The URI as the merged endpoint spells it: it is the server's own, unless it begins as those of this server do there. */
function spellingFor(merged: View, member: Member, uri: string): string {
  if (member.builtin) return uri;
  const isExposed = splitUri(uri)?.label.toLowerCase() === uriLabel(member.name).toLowerCase();
  return isExposed && !isOffered(member, uri) ? uri : merged.exposeUri(member, uri);
}

/** The server whose label the URI begins with, though its view does not resolve it now. */
function ownerByLabel(federation: Federation, uri: string): { member: Member; original: string } | undefined {
  const split = splitUri(uri);
  const member = federation.members().find((each) => !each.builtin && uriLabel(each.name) === split?.label);
  return split && member && { member, original: split.original };
}

function listOf(view: View, { member, original }: Omit<Route, 'entry'>): RequestedSubject['inList'] {
  for (const kind of ['resources', 'templates'] as const) {
    const route = view.routes(kind).find((each) => each.member === member && each.original === original);
    if (route) return { kind, entry: route.entry };
  }
  return undefined;
}

// Methods

function method(name: string, member: Member | undefined): RequestedSubject {
  if (isDefined(name) || isInner(name)) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `'${quoted(name)}' is no request of a server's own: policy decides about what it names. Explain the tool, prompt, resource or agent instead.`,
    );
  }
  if (!member || member.builtin) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      'Methods of a server exist at its own endpoint only: name the server.',
    );
  }
  return unlisted(member, subjectNamed('methods', member, name), true);
}
