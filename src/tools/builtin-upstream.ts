/**
 * The gateway's own tools as an upstream, so that they go through the same names, gate and bookkeeping as any other.
 *
 * What is wrong with a call's arguments, and what fails while a tool runs, is told in a tool result with `isError`, where
 * a model can read it (2025-11-25 and 2026-07-28 server/tools, "Error Handling"). Only a request that is no call of a
 * tool here is a protocol error.
 * @module
 */
import { z } from 'zod';
import type { Call } from '../core/call.ts';
import { SwitchboardError, UpstreamError } from '../core/errors.ts';
import type { Catalog, Reply, Upstream } from '../core/upstream.ts';
import { LATEST_LEGACY } from '../wire/eras.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { argumentProblems, tooManyMembers } from './arguments.ts';
import { failure, misfit } from './failure.ts';
import { Seen } from './seen.ts';
import type { Connecting, Tool, ToolContext, ToolDeps } from './tool.ts';

/** As `tools/list` shows a tool. */
function declaration({ name, title, description, input, output, annotations }: Tool): JsonObject {
  return {
    name,
    title,
    description,
    inputSchema: jsonSchema(input, 'input'),
    outputSchema: jsonSchema(output, 'output'),
    annotations,
  };
}

/**
 * JSON Schema 2020-12. Without its mark, since MCP takes that dialect for granted and older clients choke on it, and
 * without `propertyNames`, which says nothing here that the check itself does not, and which some model APIs refuse.
 */
function jsonSchema(schema: z.ZodObject, io: 'input' | 'output'): JsonObject {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    override: ({ jsonSchema: made }) => delete made.propertyNames,
  });
  return rest;
}

export function createBuiltinUpstream(list: readonly Tool[], deps: ToolDeps): Upstream {
  const connecting = new Map<string, Connecting>();
  const tools = new Map(list.map((tool) => [tool.name, tool]));
  let declared: Catalog | undefined;
  const catalog = (): Catalog => {
    declared ??= { entries: [...tools.values()].map((tool) => ({ key: tool.name, value: declaration(tool) })) };
    return declared;
  };
  return {
    kind: 'builtin',
    transport: 'in-process',
    era: 'legacy',
    protocolVersion: LATEST_LEGACY,
    capabilities: { tools: {} },
    serverInfo: undefined,
    instructions: undefined,
    catalog: async (kind) => (kind === 'tools' ? catalog() : { entries: [] }),
    async request(method, params, call): Promise<Reply> {
      if (method !== 'tools/call') {
        throw new SwitchboardError('SWB_METHOD_NOT_FOUND', `The gateway's own tools do not know '${method}'.`);
      }
      const seen = new Seen(deps.federation, deps.viewOf(call.caller));
      return { value: await callTool(tools, params, { ...deps, call, seen, connecting }) };
    },
    listen: () => ({ close() {} }),
    ping: async () => {},
    close: async () => {},
  };
}

async function callTool(
  tools: ReadonlyMap<string, Tool>,
  params: JsonObject,
  context: ToolContext,
): Promise<JsonObject> {
  const tool = typeof params.name === 'string' ? tools.get(params.name) : undefined;
  if (!tool) throw new SwitchboardError('SWB_UNKNOWN_TOOL', 'Unknown tool. List the tools to see what there is.');
  const given = params.arguments ?? {};
  if (!isObject(given)) throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.arguments must be an object.');
  const tooMany = tooManyMembers(given);
  if (tooMany) return misfit(tool.name, [tooMany]);
  const input = tool.input.safeParse(given);
  if (!input.success) return misfit(tool.name, argumentProblems(input.error, given, tool.input));
  try {
    const { structured, text } = await tool.run(input.data, context);
    return { content: [{ type: 'text', text }], structuredContent: structured };
  } catch (error) {
    return failureOf(error, context.call);
  }
}

function failureOf(error: unknown, call: Call): JsonObject {
  // Nobody reads the result of a cancelled call; and what is not an expected failure is the relay's to hide and log.
  if (call.aborted || !(error instanceof SwitchboardError || error instanceof UpstreamError)) throw error;
  return failure(error);
}
