/**
 * What the tools in the form of mcp-agent-proxy share: how an answer holds both forms, and how that program names servers and
 * agents.
 * @module
 */
import { z } from 'zod';
import type { Member } from '../../federation/types.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { Tool, ToolContext } from '../tool.ts';

type Input = Readonly<Record<string, unknown>>;

export interface Disguise {
  /** What the tool takes: its own arguments and those of mcp-agent-proxy. */
  input: z.ZodObject;
  /** The members of its result that mcp-agent-proxy has. */
  members: z.ZodRawShape;
  /** Gives the tool's own structured result, and that of mcp-agent-proxy. */
  run(input: Input, context: ToolContext): Promise<{ own: JsonObject; proxy: JsonObject }>;
}

export function disguised(tool: Tool, { input, members, run }: Disguise): Tool {
  return {
    ...tool,
    input,
    output: z.object({ ...tool.output.shape, ...members }),
    async run(given, context) {
      const { own, proxy } = await run(given, context);
      return { structured: { ...own, ...proxy }, text: JSON.stringify(proxy) };
    },
  };
}

/** The tool's own result for these arguments, which are its own. Rejects as the tool does. */
export const ownResult = async (tool: Tool, given: Input, context: ToolContext): Promise<JsonObject> =>
  (await tool.run(tool.input.parse(given), context)).structured;

/** Without what is undefined, so that a strict schema takes it. */
export const defined = (given: Input): Record<string, unknown> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));

/** The address of a server as people write it, without query: keys stand there. Undefined for a command. */
export function addressOf({ config: { target } }: Member): string | undefined {
  const url = 'url' in target ? URL.parse(target.url) : null;
  return url ? `${url.origin}${url.pathname === '/' ? '' : url.pathname}` : undefined;
}

export const serverType = (member: Member): string => {
  const { kind } = member.status();
  return kind === undefined || kind === 'builtin' ? 'unknown' : kind;
};

/** `server:agent`. */
export const fullyQualifiedId = (member: Member, agent: string): string => `${member.name}:${agent}`;
