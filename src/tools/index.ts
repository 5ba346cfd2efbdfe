/**
 * The builtin tools, in the order of `tools/list`. This is the only list of them: a new tool is a file in this folder and a
 * line here.
 * @module
 */
import type { Adapter } from '../core/adapter.ts';
import { agentProxyTools } from './agent-proxy/index.ts';
import { callAgent } from './call-agent.ts';
import { changeThread } from './change-thread.ts';
import { connectServer } from './connect-server.ts';
import { describeAgent } from './describe-agent.ts';
import { disconnectServer } from './disconnect-server.ts';
import { listAgents } from './list-agents.ts';
import { listServers } from './list-servers.ts';
import { listThreads } from './list-threads.ts';
import { cancelRun, getRun } from './runs.ts';
import type { Tool } from './tool.ts';

/** The tools of a gateway with these kinds of servers; with `asAgentProxy` in the form that clients of mcp-agent-proxy know too. */
export function builtinTools(adapters: readonly Adapter[], { asAgentProxy = false } = {}): readonly Tool[] {
  const tools: readonly Tool[] = [
    connectServer(adapters),
    disconnectServer,
    listServers(adapters),
    listAgents(adapters),
    describeAgent(adapters),
    callAgent(adapters),
    getRun,
    cancelRun,
    listThreads,
    changeThread,
  ];
  return asAgentProxy ? agentProxyTools(tools, adapters) : tools;
}
