/**
 * Finds keys of policy documents that spell an existing name in a form the document does not use, and so match nothing:
 * a namespaced name in a server's document, an own name in the gateway's. `check` warns of them. Globs and names that do
 * not exist are left alone: they may be meant for servers still to come.
 * @module
 */

import { globMatcher, isGlob } from '../core/globs.ts';
import type { CatalogKind } from '../core/upstream.ts';
import type { Route, View } from '../federation/types.ts';
import { type Naming, namesOf } from '../policy/engine/names.ts';
import {
  POLICY_SECTIONS,
  type PolicyConfig,
  type PolicyDocument,
  type PolicySection,
} from '../policy/language/types.ts';
import { namingOf } from '../policy/rules.ts';
import type { Subject } from '../policy/types.ts';
import { subjectOf } from '../relay/gate/subjects.ts';

const SECTION_OF: Readonly<Record<CatalogKind, PolicySection>> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resources',
  agents: 'agents',
};

/** One entry of a server, with every spelling of its name. */
interface Named {
  subject: Subject;
  spellings: readonly string[];
}

const MAX_SUGGESTED = 5;

/** Sentences for the operator, one for each such key. `merged` is the whole view. */
export function misnamedRules(
  { gateway, defaultPolicy, servers, grants }: PolicyConfig,
  merged: Pick<View, 'routes'>,
): string[] {
  const all = everythingOf(merged);
  const of = (server: string): Named[] => all.filter(({ subject }) => subject.server === server);
  const admitted = (globs: readonly string[] | undefined): Named[] => {
    const matchers = globs?.map((glob) => globMatcher(glob));
    return all.filter(
      ({ subject }) => subject.builtin || !matchers || matchers.some((matches) => matches(subject.server) === true),
    );
  };
  const builtins = new Set(all.filter(({ subject }) => subject.builtin).map(({ subject }) => subject.name));
  return [
    ...(gateway ? misnamedIn(gateway, 'namespaced', all) : []),
    ...misnamedIn(defaultPolicy, 'namespaced', all),
    ...[...servers].flatMap(([server, document]) => misnamedIn(document, 'original', of(server))),
    ...grants.flatMap((grant) =>
      grant.policy ? misnamedIn(grant.policy, namingOf(grant.servers, builtins), admitted(grant.servers)) : [],
    ),
  ];
}

function everythingOf(merged: Pick<View, 'routes'>): Named[] {
  return (Object.keys(SECTION_OF) as CatalogKind[]).flatMap((kind) =>
    merged.routes(kind).map((route) => {
      const subject = subjectOf(SECTION_OF[kind], route);
      return { subject, spellings: spellingsOf(route, subject) };
    }),
  );
}

function spellingsOf({ exposed }: Route, { section, server, name, namespaced }: Subject): string[] {
  const ofAgents = section === 'agents' ? [`${server}/${name}`, `${server}:${name}`] : [];
  return [name, namespaced, exposed, ...ofAgents];
}

function misnamedIn(document: PolicyDocument, naming: Naming, things: readonly Named[]): string[] {
  const keys = [
    ...POLICY_SECTIONS.flatMap((section) =>
      [...document.sections[section].keys()].map((key) => ({ key, place: section, section })),
    ),
    ...document.hide.map((key) => ({ key, place: 'hide', section: undefined })),
  ];
  return keys.flatMap(({ key, place, section }) => {
    const inPlace = things.filter(({ subject }) => section === undefined || subject.section === section);
    const meant = inPlace.filter(({ spellings }) => spellings.includes(key));
    if (meant.length === 0 || inPlace.some(({ subject }) => matches(key, namesOf(naming, subject)))) return [];
    const names = [...new Set(meant.map(({ subject }) => (naming === 'original' ? subject.name : subject.namespaced)))];
    const shown = names.slice(0, MAX_SUGGESTED).map((name) => JSON.stringify(name));
    const others = names.length > MAX_SUGGESTED ? ' and others' : '';
    return [
      `policy ${document.id}: ${place}: ${JSON.stringify(key)} matches nothing there is; write ${shown.join(', ')}${others}`,
    ];
  });
}

const matches = (key: string, names: readonly string[]): boolean =>
  names.includes(key) || (isGlob(key) && names.some((name) => globMatcher(key)(name) !== false));
