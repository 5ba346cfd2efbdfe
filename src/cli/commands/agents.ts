/**
 * `switchboard agents`: lists the agents of all servers.
 * @module
 */
import type { Route } from '../../federation/types.ts';
import { agentId } from '../../relay/agents/outcome.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { notReady } from '../format/status.ts';
import { table } from '../format/table.ts';
import { oneLine } from '../format/text.ts';
import { untilTried } from '../progress.ts';
import type { CommandContext } from '../session.ts';

export async function agents(context: CommandContext): Promise<ExitCode> {
  const { gateway, out, json } = context;
  await untilTried(context);
  const routes = gateway.federation.all.routes('agents');
  if (json) {
    out.json({ agents: routes.map(asJson) });
    return EXIT.ok;
  }
  const rows = routes.map((route) => [
    oneLine(agentId(route)),
    route.member.status().kind ?? '-',
    oneLine(route.entry.value.description) || oneLine(route.entry.value.name),
  ]);
  if (rows.length === 0) out.print('There are no agents.');
  else out.print(table(['AGENT', 'KIND', 'DESCRIPTION'], rows, out.width));
  out.note(notReady(context));
  return EXIT.ok;
}

const asJson = (route: Route) => ({
  agent: agentId(route),
  server: route.member.name,
  kind: route.member.status().kind ?? null,
  description: route.entry.value.description ?? null,
  definition: route.entry.value,
});
