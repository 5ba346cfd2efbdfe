/**
 * The builtin tools as clients of mcp-agent-proxy know them: its argument names are read beside our own, and results have its
 * members beside our own, with its JSON as their text. On while `AGENT_SERVERS` configures servers, or by `gateway.agentProxy`.
 *
 * Policy judges a builtin tool by what the client wrote (docs/policy.md): with these a rule about `args.url` of `connectServer`
 * has to speak of `args.serverUrl` too.
 * @module
 */
import type { Adapter } from '../../core/adapter.ts';
import type { Tool } from '../tool.ts';
import { callAgentAsProxy } from './call-agent.ts';
import { connectServerAsProxy } from './connect-server.ts';
import { describeAgentAsProxy } from './describe-agent.ts';
import { disconnectServerAsProxy } from './disconnect-server.ts';
import { listAgentsAsProxy } from './list-agents.ts';

/** The tools with those five replaced that mcp-agent-proxy has. */
export function agentProxyTools(tools: readonly Tool[], adapters: readonly Adapter[]): readonly Tool[] {
  const disguises: Readonly<Record<string, (tool: Tool) => Tool>> = {
    callAgent: callAgentAsProxy,
    connectServer: connectServerAsProxy,
    describeAgent: describeAgentAsProxy,
    disconnectServer: disconnectServerAsProxy,
    listAgents: (tool) => listAgentsAsProxy(tool, adapters),
  };
  return tools.map((tool) => disguises[tool.name]?.(tool) ?? tool);
}
