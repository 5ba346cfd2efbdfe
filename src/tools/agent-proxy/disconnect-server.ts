/**
 * `disconnectServer` with the arguments and the result of mcp-agent-proxy.
 * @module
 */
import { z } from 'zod';
import type { Tool } from '../tool.ts';
import { disguised, ownResult } from './disguise.ts';

const name = () => z.string().min(1).max(256).optional();

const input = z
  .strictObject({
    name: name().meta({ description: 'Name of the server, as listAgents shows it.' }),
    serverName: name().meta({ description: 'The same as name, as mcp-agent-proxy spells it.' }),
  })
  .superRefine((given, context) => {
    if ((given.name === undefined) === (given.serverName === undefined)) {
      const found = given.name === undefined ? 'nothing' : 'name and serverName';
      context.addIssue({
        code: 'custom',
        path: ['serverName'],
        message: `found ${found}; allowed: exactly one of them`,
      });
    }
  });

const members = {
  success: z.literal(true),
  serverName: z.string(),
  message: z.string(),
  remainingDynamicServers: z.array(z.string()),
};

export const disconnectServerAsProxy = (tool: Tool): Tool =>
  disguised(tool, {
    input,
    members,
    async run({ name: own, serverName = own }, context) {
      const result = await ownResult(tool, { name: serverName }, context);
      const remaining = context.visible.servers().filter(({ config }) => config.origin === 'runtime');
      const proxy = {
        success: true,
        serverName,
        message: `Successfully disconnected from server '${serverName}'`,
        remainingDynamicServers: remaining.map((member) => member.name),
      };
      return { own: result, proxy };
    },
  });
