/**
 * `listAgents`: the agents in the merged catalog. No server is asked.
 * @module
 */
import { z } from 'zod';
import type { Adapter } from '../core/adapter.ts';
import { line, plural } from '../core/text.ts';
import type { Member } from '../federation/types.ts';
import { agentId } from '../relay/agents/outcome.ts';
import { agentName, agentSummary, requireServer } from './agents.ts';
import { serverKind, serverState } from './schemas.ts';
import { defineTool } from './tool.ts';

const agent = (adapters: readonly Adapter[]) =>
  z.object({
    agent: z.string().meta({ description: '`server/agent`, as callAgent and describeAgent take it.' }),
    name: z.string(),
    server: z.string(),
    description: z.string().optional(),
    kind: serverKind(adapters).optional(),
    stale: z.boolean().meta({ description: 'The server is away; the agent is what it last offered.' }),
  });

const absent = z.object({ server: z.string(), state: serverState, error: z.string().optional() });

export const listAgents = (adapters: readonly Adapter[]) =>
  defineTool({
    name: 'listAgents',
    title: 'List agents',
    description:
      'The agents of all servers behind this gateway, or of one: id, name, description and kind of server, from the ' +
      'catalog; no server is called. Servers that are away are named, since agents of theirs may be missing.',
    input: z.strictObject({
      server: z.string().min(1).max(256).optional().meta({ description: 'Only the agents of this server.' }),
    }),
    output: z.object({
      agents: z.array(agent(adapters)),
      away: z.array(absent).meta({ description: 'Servers that are not ready.' }),
    }),
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    async run({ server }, { visible }) {
      const only = server === undefined ? undefined : requireServer(visible, server);
      const wanted = (member: Member): boolean => !member.builtin && (only === undefined || member === only);
      await visible.whenSettled(only ? 'call' : 'list', wanted);
      const agents = (await visible.routes('agents'))
        .filter((route) => wanted(route.member))
        .map((route) => ({ agent: agentId(route), name: agentName(route), ...agentSummary(route) }));
      const away = visible
        .servers()
        .filter((member) => wanted(member) && member.state !== 'ready')
        .map((member) => ({ server: member.name, state: member.state, error: member.status().error }));
      const head = `${plural(agents.length, 'agent')}${only ? ` on ${only.name}` : ''}.`;
      const lines = agents.map((each) => {
        const name = each.name === each.agent.slice(each.server.length + 1) ? '' : ` (${line(each.name, 80)})`;
        const about = each.description ? `: ${line(each.description, 200)}` : '';
        return `- ${each.agent}${name}${about}${each.stale ? ' [server is away]' : ''}`;
      });
      const missing = away.map(
        (each) => `- server ${each.server} is ${each.state}${each.error ? `. ${line(each.error, 300)}` : ''}`,
      );
      const note = missing.length > 0 ? ['Not ready, so agents may be missing:', ...missing] : [];
      return { structured: { agents, away }, text: [head, ...lines, ...note].join('\n') };
    },
  });
