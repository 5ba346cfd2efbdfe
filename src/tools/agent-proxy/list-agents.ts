/**
 * `listAgents` with the servers, agents and counts of mcp-agent-proxy.
 * @module
 */
import { z } from 'zod';
import type { Adapter } from '../../core/adapter.ts';
import { adapterOf } from '../../core/kinds.ts';
import type { Member, Route } from '../../federation/types.ts';
import { agentName } from '../agents.ts';
import type { Tool } from '../tool.ts';
import { addressOf, disguised, fullyQualifiedId, ownResult, serverType } from './disguise.ts';

const agent = z.object({
  id: z.string(),
  name: z.string().optional(),
  description: z.string().optional(),
  fullyQualifiedId: z.string().meta({ description: '`server:agent`, as callAgent takes it.' }),
});

const server = z.object({
  serverName: z.string(),
  serverUrl: z.string(),
  serverType: z.string(),
  serverDescription: z.string().optional(),
  agents: z.array(agent),
  status: z.enum(['online', 'offline', 'error']),
  error: z.string().optional(),
  isDynamic: z.boolean().meta({ description: 'Connected with connectServer.' }),
});

const summary = z.object({
  totalServers: z.number(),
  staticServers: z.number(),
  dynamicServers: z.number(),
  onlineServers: z.number(),
  totalAgents: z.number(),
  agentConflicts: z.array(z.object({ agentId: z.string(), servers: z.array(z.string()) })),
});

type ProxyServer = z.infer<typeof server>;

export const listAgentsAsProxy = (tool: Tool, adapters: readonly Adapter[]): Tool =>
  disguised(tool, {
    input: tool.input,
    members: { serverAgents: z.array(server), summary },
    async run(input, context) {
      const own = await ownResult(tool, input, context);
      const routes = await context.visible.routes('agents');
      const servers = context.visible
        .servers()
        .filter((member) => (input.server === undefined || member.name === input.server) && mayHave(member, adapters))
        .map((member) => asProxy(member, routes));
      return { own, proxy: { serverAgents: servers, summary: summaryOf(servers) } };
    },
  });

/** Servers of a kind without agents are none that mcp-agent-proxy knows; of commands it knows none at all. */
function mayHave(member: Member, adapters: readonly Adapter[]): boolean {
  const { kind } = member.status();
  const adapter = kind === undefined ? undefined : adapterOf(adapters, kind);
  return addressOf(member) !== undefined && (adapter === undefined || adapter.agents !== undefined);
}

function asProxy(member: Member, routes: readonly Route[]): ProxyServer {
  const { error } = member.status();
  const type = serverType(member);
  const isOnline = member.state === 'ready';
  return {
    serverName: member.name,
    serverUrl: addressOf(member) ?? '',
    serverType: type,
    serverDescription: `${type.charAt(0).toUpperCase()}${type.slice(1)} Server (${member.name})`,
    agents: isOnline ? routes.filter((route) => route.member === member).map(agentOf) : [],
    status: isOnline ? 'online' : error === undefined ? 'offline' : 'error',
    ...(error === undefined || isOnline ? {} : { error }),
    isDynamic: member.config.origin === 'runtime',
  };
}

function agentOf(route: Route): z.infer<typeof agent> {
  const { description } = route.entry.value;
  const id = route.original;
  return {
    id,
    name: agentName(route),
    ...(typeof description === 'string' && description !== '' ? { description } : {}),
    fullyQualifiedId: fullyQualifiedId(route.member, id),
  };
}

function summaryOf(servers: readonly ProxyServer[]): z.infer<typeof summary> {
  const holders = new Map<string, string[]>();
  for (const { serverName, agents } of servers) {
    for (const { id } of agents) holders.set(id, [...(holders.get(id) ?? []), serverName]);
  }
  const dynamic = servers.filter(({ isDynamic }) => isDynamic).length;
  return {
    totalServers: servers.length,
    staticServers: servers.length - dynamic,
    dynamicServers: dynamic,
    onlineServers: servers.filter(({ status }) => status === 'online').length,
    totalAgents: servers.reduce((count, { agents }) => count + agents.length, 0),
    agentConflicts: [...holders]
      .filter(([, names]) => names.length > 1)
      .map(([agentId, names]) => ({ agentId, servers: names })),
  };
}
