/**
 * `switchboard list [server]`: what can be called, read and asked, under the names clients see.
 * @module
 */

import { nearest } from '../../config/nearest.ts';
import type { CatalogKind } from '../../core/upstream.ts';
import type { Member, Route } from '../../federation/types.ts';
import { EXIT, type ExitCode, UsageError } from '../exit.ts';
import { missingLines, serverRows } from '../format/status.ts';
import { table } from '../format/table.ts';
import { oneLine } from '../format/text.ts';
import { untilFound, untilSettled } from '../progress.ts';
import type { CommandContext } from '../session.ts';
import { agentId } from './agents.ts';

const SECTIONS: readonly [kind: CatalogKind, title: string][] = [
  ['tools', 'Tools'],
  ['prompts', 'Prompts'],
  ['resources', 'Resources'],
  ['templates', 'Resource templates'],
  ['agents', 'Agents'],
];

interface Section {
  kind: CatalogKind;
  title: string;
  routes: readonly Route[];
}

/** Of one server, or of all and the gateway itself. `unreachable` when the one server is not ready. */
export async function list(context: CommandContext, server?: string): Promise<ExitCode> {
  const { gateway, config, out, json, io, signal } = context;
  const { federation } = gateway;
  if (server === undefined) {
    await untilSettled(federation, io.stderr, signal);
  } else {
    await untilFound(federation, io.stderr, signal, () => readyMember(requireMember(context, server)));
  }
  const sections: Section[] = SECTIONS.map(([kind, title]) => ({
    kind,
    title,
    routes: federation.all.routes(kind).filter(({ member }) => server === undefined || member.name === server),
  }));
  const missing = serverRows(federation, config.servers).filter(({ name }) => server === undefined || name === server);
  if (json) {
    out.json(
      Object.fromEntries(sections.map(({ kind, routes }) => [kind, routes.map((route) => asJson(kind, route))])),
    );
  } else {
    printSections(context, sections);
    for (const line of missingLines(missing)) out.note(out.paintNote('yellow', `${line}.`));
  }
  return server !== undefined && federation.member(server)?.state !== 'ready' ? EXIT.unreachable : EXIT.ok;
}

function printSections({ out }: CommandContext, sections: readonly Section[]): void {
  const shown = sections.filter(({ routes }) => routes.length > 0);
  for (const [index, { kind, title, routes }] of shown.entries()) {
    if (index > 0) out.print('');
    out.print(out.paint('bold', `${title} (${routes.length})`));
    const rows = routes.map((route) => [`  ${oneLine(nameOf(kind, route))}`, descriptionOf(route)]);
    for (const line of table([{ title: '' }, { title: '' }], rows, out.width)) out.print(line);
  }
  if (shown.length === 0) out.print('Nothing is offered.');
}

/** What is there for people; a name that only repeats the name says nothing. */
function descriptionOf({ entry, original }: Route): string {
  const texts = [entry.value.description, entry.value.title, entry.value.name].map(oneLine);
  return texts.find((text) => text !== '' && text !== original) ?? '';
}

/** As clients call it; agents as `ask` and `callAgent` take them. */
const nameOf = (kind: CatalogKind, route: Route): string => (kind === 'agents' ? agentId(route) : route.exposed);

const asJson = (kind: CatalogKind, route: Route) => ({
  name: nameOf(kind, route),
  server: route.member.builtin ? null : route.member.name,
  originalName: route.original,
  definition: route.entry.value,
});

const readyMember = (member: Member): Member | undefined => (member.state === 'ready' ? member : undefined);

/** The member of a name, or what the person may have meant. */
function requireMember({ gateway, config }: CommandContext, name: string): Member {
  const configured = config.servers.find((server) => server.name === name);
  if (configured?.disabled) throw new UsageError(`The server "${name}" is disabled in the configuration.`);
  const member = gateway.federation.member(name);
  if (member !== undefined) return member;
  const names = gateway.federation
    .members()
    .filter(({ builtin }) => !builtin)
    .map((each) => each.name);
  const near = nearest(name, names);
  const hint = near === undefined ? `The servers are: ${names.join(', ') || 'none'}.` : `Did you mean "${near}"?`;
  throw new UsageError(`There is no server "${name}". ${hint}`);
}
