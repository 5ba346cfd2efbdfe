/**
 * `switchboard agents`: who can be asked.
 * @module
 */
import type { Route } from '../../federation/types.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { missingLines, serverRows } from '../format/status.ts';
import { table } from '../format/table.ts';
import { oneLine } from '../format/text.ts';
import { untilSettled } from '../progress.ts';
import type { CommandContext } from '../session.ts';

export async function agents({ gateway, config, out, json, io, signal }: CommandContext): Promise<ExitCode> {
  await untilSettled(gateway.federation, io.stderr, signal);
  const routes = gateway.federation.all.routes('agents');
  if (json) {
    out.json({ agents: routes.map(asJson) });
    return EXIT.ok;
  }
  const columns = [{ title: 'AGENT' }, { title: 'KIND' }, { title: 'DESCRIPTION' }];
  const rows = routes.map((route) => [
    oneLine(agentId(route)),
    route.member.status().kind ?? '-',
    oneLine(route.entry.value.description) || oneLine(route.entry.value.name),
  ]);
  if (rows.length === 0) out.print('There are no agents.');
  else for (const line of table(columns, rows, out.width)) out.print(line);
  for (const line of missingLines(serverRows(gateway.federation, config.servers))) {
    out.note(out.paintNote('yellow', `${line}.`));
  }
  return EXIT.ok;
}

/** As `ask` takes it. */
export const agentId = ({ member, original }: Route): string => `${member.name}/${original}`;

const asJson = (route: Route) => ({
  agent: agentId(route),
  server: route.member.name,
  kind: route.member.status().kind ?? null,
  description: route.entry.value.description ?? null,
  definition: route.entry.value,
});
