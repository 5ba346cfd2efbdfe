/**
 * `switchboard list [server]`: lists tools, prompts, resources and agents under the names clients see.
 * @module
 */

import type { CatalogKind } from '../../core/upstream.ts';
import type { Route } from '../../federation/types.ts';
import { agentId } from '../../relay/agents/outcome.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { notReady } from '../format/status.ts';
import { table } from '../format/table.ts';
import { oneLine } from '../format/text.ts';
import { untilTried } from '../progress.ts';
import type { CommandContext } from '../session.ts';

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

/** Lists one server, or all and the builtin tools. `unreachable` when the one server is not ready. */
export async function list(context: CommandContext, server?: string): Promise<ExitCode> {
  const { out, json } = context;
  const { federation } = context.gateway;
  await untilTried(context, server);
  const sections: Section[] = SECTIONS.map(([kind, title]) => ({
    kind,
    title,
    routes: federation.all.routes(kind).filter(({ member }) => server === undefined || member.name === server),
  }));
  if (json) {
    out.json(
      Object.fromEntries(sections.map(({ kind, routes }) => [kind, routes.map((route) => asJson(kind, route))])),
    );
  } else {
    printSections(context, sections);
    out.note(notReady(context, (name) => server === undefined || name === server));
  }
  return server !== undefined && federation.member(server)?.state !== 'ready' ? EXIT.unreachable : EXIT.ok;
}

function printSections({ out }: CommandContext, sections: readonly Section[]): void {
  const shown = sections.filter(({ routes }) => routes.length > 0);
  for (const [index, { kind, title, routes }] of shown.entries()) {
    if (index > 0) out.print('');
    out.print(out.paint('bold', `${title} (${routes.length})`));
    const rows = routes.map((route) => [`  ${oneLine(nameOf(kind, route))}`, descriptionOf(route)]);
    out.print(table(['', ''], rows, out.width));
  }
  if (shown.length === 0) out.print('Nothing is offered.');
}

/** The description, or a title or name that differs from the name. */
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
