/**
 * The builtin tools, in the order of `tools/list`. This is the only list of them: a new tool is a file in this folder and a
 * line here.
 * @module
 */
import { callAgent } from './call-agent.ts';
import { connectServer } from './connect-server.ts';
import { describeAgent } from './describe-agent.ts';
import { disconnectServer } from './disconnect-server.ts';
import { listAgents } from './list-agents.ts';
import { listServers } from './list-servers.ts';
import type { Tool } from './tool.ts';

export const BUILTIN_TOOLS: readonly Tool[] = [
  connectServer,
  disconnectServer,
  listServers,
  listAgents,
  describeAgent,
  callAgent,
];
