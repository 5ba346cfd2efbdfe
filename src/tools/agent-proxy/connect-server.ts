/**
 * `connectServer` with the arguments, the names and the result of mcp-agent-proxy. What that program does without checking, ours
 * still checks: every server is connected before it is added.
 * @module
 */
import { z } from 'zod';
import type { Member } from '../../federation/types.ts';
import { findExisting } from '../joining.ts';
import { serverName, serverUrl } from '../server-names.ts';
import type { Tool, ToolContext } from '../tool.ts';
import { defined, disguised, ownResult, serverType } from './disguise.ts';

const members = {
  success: z.literal(true),
  serverName: z.string(),
  serverUrl: z.string(),
  serverType: z.string(),
  message: z.string(),
  agentsFound: z.number(),
  agentList: z.array(z.string()),
  validationPerformed: z.literal(true),
};

const PAIRS = [
  ['url', 'serverUrl'],
  ['name', 'serverName'],
] as const;

const inputOf = ({ input }: Tool) =>
  z
    .strictObject({
      ...input.shape,
      url: (input.shape.url as z.ZodString).optional(),
      serverUrl: (input.shape.url as z.ZodString)
        .optional()
        .meta({ description: 'The same as url, as mcp-agent-proxy spells it.' }),
      serverName: serverName().optional().meta({ description: 'The same as name, as mcp-agent-proxy spells it.' }),
      validateConnection: z
        .boolean()
        .optional()
        .meta({ description: 'Of mcp-agent-proxy. A server is always connected before it is added.' }),
    })
    .superRefine((given: Readonly<Record<string, unknown>>, context) => {
      const problem = (path: string, message: string): void =>
        context.addIssue({ code: 'custom', path: [path], message });
      for (const [own, other] of PAIRS) {
        if (given[own] !== undefined && given[other] !== undefined) {
          problem(other, `found ${own} and ${other}; allowed: one of them`);
        }
      }
      if (given.url === undefined && given.serverUrl === undefined)
        problem('serverUrl', 'found nothing; allowed: string');
    });

export const connectServerAsProxy = (tool: Tool): Tool =>
  disguised(tool, {
    input: inputOf(tool),
    members,
    async run(input, context) {
      const {
        url,
        serverUrl: address = url,
        name,
        serverName: wanted = name,
        validateConnection: _always,
        ...rest
      } = input;
      const { href } = serverUrl(String(address));
      // At a URL that is here already that program answers with the name it has.
      const isHere = findExisting(context, undefined, href) !== undefined;
      const given = { ...rest, url: address, name: isHere ? undefined : (wanted ?? nextName(context)) };
      const own = await ownResult(tool, defined(given), context);
      const member = context.visible.server(String(own.name));
      if (!member) throw new Error('a server that was connected is one the caller may know');
      const agentList = await agentsOf(member, context);
      const type = serverType(member);
      const how = wanted === undefined ? ' (auto-generated name)' : '';
      const proxy = {
        success: true,
        serverName: member.name,
        serverUrl: String(address),
        serverType: type,
        message: `Successfully connected to ${type} server '${member.name}'${how} at ${address}`,
        agentsFound: agentList.length,
        agentList,
        validationPerformed: true,
      };
      return { own, proxy };
    },
  });

const agentsOf = async (member: Member, { visible }: ToolContext): Promise<string[]> =>
  (await visible.routes('agents')).filter((route) => route.member === member).map(({ original }) => original);

/** The first free name after as many as there are: `server2` beside two others. */
function nextName({ federation, connecting }: ToolContext): string {
  const taken = new Set(federation.members().flatMap(({ name, builtin }) => (builtin ? [] : [name])));
  for (let n = taken.size; ; n++) {
    const name = `server${n}`;
    if (!taken.has(name) && !connecting.has(name)) return name;
  }
}
