/**
 * `describeAgent` with the arguments and the result of mcp-agent-proxy.
 * @module
 */
import { z } from 'zod';
import { isObject } from '../../wire/jsonrpc.ts';
import type { Tool } from '../tool.ts';
import { addressOf, disguised, fullyQualifiedId, ownResult, serverType } from './disguise.ts';
import { atUrl, resolve } from './resolution.ts';

const input = z
  .strictObject({
    agent: z.string().min(1).max(512).optional().meta({ description: 'The agent, as listAgents names it.' }),
    agentId: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .meta({ description: 'The same as agent, as mcp-agent-proxy spells it.' }),
    serverUrl: z.string().min(1).max(2_048).optional().meta({ description: 'URL of the server the agent is on.' }),
  })
  .superRefine(({ agent, agentId }, context) => {
    if ((agent === undefined) === (agentId === undefined)) {
      const found = agent === undefined ? 'nothing' : 'agent and agentId';
      context.addIssue({ code: 'custom', path: ['agentId'], message: `found ${found}; allowed: exactly one of them` });
    }
  });

const members = {
  success: z.literal(true),
  agentId: z.string(),
  fullyQualifiedId: z.string(),
  serverUsed: z.string(),
  serverName: z.string(),
  agentDetails: z.record(z.string(), z.unknown()),
  resolutionMethod: z.string(),
  serverType: z.string(),
};

export const describeAgentAsProxy = (tool: Tool): Tool =>
  disguised(tool, {
    input,
    members,
    async run({ agent, agentId = agent, serverUrl }, context) {
      const wanted = String(agentId);
      const resolution = await resolve(wanted, serverUrl as string | undefined, context);
      const own = await ownResult(tool, { agent: await atUrl(resolution, context) }, context);
      const member = context.visible.server(String(own.server));
      if (!member) throw new Error('the server that answered is one the caller may know');
      const id = String(own.agent).slice(member.name.length + 1);
      const qualified = fullyQualifiedId(member, id);
      const details = isObject(own.details) ? own.details : {};
      const { name, description } = own;
      const proxy = {
        success: true,
        agentId: id,
        fullyQualifiedId: qualified,
        serverUsed: addressOf(member) ?? member.name,
        serverName: member.name,
        agentDetails: { ...details, id, name, ...(description ? { description } : {}), fullyQualifiedId: qualified },
        resolutionMethod: resolution.method,
        serverType: serverType(member),
      };
      return { own, proxy };
    },
  });
