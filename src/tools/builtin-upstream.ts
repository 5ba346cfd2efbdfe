/**
 * The builtin tools as an in-process upstream, so that they pass the same names, gate and queue as any other tool.
 *
 * Invalid arguments and failures of a tool are tool results with `isError`, which a model can read (2025-11-25 and
 * 2026-07-28 server/tools, "Error Handling"): a sentence for the model, and the same for scripts in
 * `_meta["switchboard/error"]`. Only a request that is no call of a builtin tool is a protocol error.
 * @module
 */
import { z } from 'zod';
import type { Call } from '../core/call.ts';
import { SwitchboardError, UpstreamError } from '../core/errors.ts';
import type { Catalog, Reply, Upstream } from '../core/upstream.ts';
import { argumentsResult, failureResult } from '../relay/tool-failures.ts';
import { LATEST_LEGACY } from '../wire/eras.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { type ArgumentProblem, argumentProblems, memberCountProblem } from './arguments.ts';
import type { Connecting, Tool, ToolContext, ToolDeps } from './tool.ts';
import { VisibleServers } from './visible-servers.ts';

/** As `tools/list` shows a tool. */
function declaration({ name, title, description, input, output, annotations, mayLast }: Tool): JsonObject {
  return {
    name,
    title,
    description,
    inputSchema: jsonSchema(input, 'input'),
    outputSchema: jsonSchema(output, 'output'),
    annotations,
    ...(mayLast ? { execution: { taskSupport: 'optional' } } : {}),
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
        throw new SwitchboardError('SWB_METHOD_NOT_FOUND', `The builtin tools have no method '${method}'.`);
      }
      const visible = new VisibleServers(deps.federation, deps.viewOf(call.caller), call.caller);
      return { value: await callTool(tools, params, { ...deps, call, visible, connecting }) };
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
  const checked = tool.plain?.(given) ?? checkedArguments(tool, given);
  if (Array.isArray(checked)) return argumentsResult(tool.name, checked);
  try {
    const { structured, text, content = [], meta } = await tool.run(checked, context);
    const result: JsonObject = { content: [{ type: 'text', text }, ...content], structuredContent: structured };
    return meta ? { ...result, _meta: meta } : result;
  } catch (error) {
    return failureOf(error, context.call);
  }
}

/** The arguments as the tool takes them, or what is wrong with them. */
function checkedArguments(tool: Tool, given: JsonObject): z.output<Tool['input']> | ArgumentProblem[] {
  const tooMany = memberCountProblem(given);
  if (tooMany) return [tooMany];
  const input = tool.input.safeParse(given);
  return input.success ? input.data : argumentProblems(input.error, given, tool.input);
}

function failureOf(error: unknown, call: Call): JsonObject {
  // The relay hides and logs unexpected errors; a cancelled call has no reader.
  if (call.aborted || !(error instanceof SwitchboardError || error instanceof UpstreamError)) throw error;
  // Nothing was called: the relay has a person log in, as for a tool of the server itself.
  if (error instanceof SwitchboardError && error.code === 'SWB_LOGIN_NEEDED') throw error;
  return failureResult(error);
}
