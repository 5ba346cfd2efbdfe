/**
 * The keys of an entry that say which of the MCP servers at a broker is meant.
 * @module
 */
import { z } from 'zod';
import { filterProblem, idProblem } from '../../../src/wire/mqtt/mcp-topics.ts';

const checked = (problem: (value: string) => string | undefined) =>
  z.string().superRefine((value, context) => {
    const found = problem(value);
    if (found !== undefined) context.addIssue({ code: 'custom', message: `found a text that ${found}` });
  });

export const MQTT_OPTIONS = {
  serverName: checked(filterProblem).optional().meta({
    description:
      'Name of the MCP server at the broker of the url, or a topic filter (+ and #) that matches one. Default: the only one there is.',
  }),
  serverId: checked(idProblem).optional().meta({
    description: 'The instance of the MCP server at the broker: its MQTT client id. Default: any that is online.',
  }),
};
