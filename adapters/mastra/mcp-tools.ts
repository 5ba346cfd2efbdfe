/**
 * The tools of the MCP servers that a Mastra server hosts, under their server's id: `toolbox__add`. Listed and run by Mastra's own
 * routes for them. A tool that some agent runs only with approval needs it here too.
 * @module
 */
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Entry, Reply } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { readableId } from '../shared/names.ts';
import { publicMessage } from '../shared/sanitize.ts';
import type { MastraApi } from './api.ts';
import { askApproval } from './approval.ts';
import { objectSchema, readSchema } from './catalog.ts';
import { errorText, expectObject, parseBody, refused } from './errors.ts';
import { notApproved, toolFailure } from './tools.ts';

const MAX_SERVERS = 50;
const MAX_TOOLS = 500;

export interface McpTool {
  server: string;
  tool: string;
  entry: Entry;
}

/** By the name of the tool. A server that cannot be read has none for now. */
export async function listMcpTools(api: MastraApi, signal: AbortSignal): Promise<Map<string, McpTool>> {
  const found = new Map<string, McpTool>();
  const reply = await api.get(['mcp', 'v0', 'servers'], signal, `limit=${MAX_SERVERS}`);
  const body = reply.status === 200 ? parseBody(reply.body) : undefined;
  const servers = isObject(body) && Array.isArray(body.servers) ? body.servers : [];
  for (const server of servers.slice(0, MAX_SERVERS)) {
    if (!isObject(server) || typeof server.id !== 'string' || /^\.{0,2}$/.test(server.id)) continue;
    for (const tool of await toolsOf(api, server.id, signal))
      if (!found.has(tool.entry.key)) found.set(tool.entry.key, tool);
  }
  return found;
}

async function toolsOf(api: MastraApi, server: string, signal: AbortSignal): Promise<McpTool[]> {
  const reply = await api.get(['mcp', server, 'tools'], signal);
  const body = reply.status === 200 ? parseBody(reply.body) : undefined;
  const tools = isObject(body) && Array.isArray(body.tools) ? body.tools : [];
  return tools.slice(0, MAX_TOOLS).flatMap((tool: unknown) => {
    const entry = isObject(tool) ? mcpEntry(server, tool) : undefined;
    return entry ? [{ server, tool: String((tool as JsonObject).id ?? (tool as JsonObject).name), entry }] : [];
  });
}

function mcpEntry(server: string, tool: JsonObject): Entry | undefined {
  const id = typeof tool.id === 'string' ? tool.id : tool.name;
  const inputSchema = objectSchema(readSchema(tool.inputSchema) ?? {});
  if (typeof id !== 'string' || /^\.{0,2}$/.test(id) || !inputSchema) return undefined;
  const name = `${readableId(server)}__${readableId(id)}`;
  const value: JsonObject = { name, inputSchema };
  if (typeof tool.description === 'string' && tool.description !== '') value.description = tool.description;
  const output = readSchema(tool.outputSchema);
  if (output?.type === 'object') value.outputSchema = output;
  if (isObject(tool.annotations)) value.annotations = tool.annotations;
  return { key: name, value };
}

export async function callMcpTool(
  api: MastraApi,
  guarded: ReadonlySet<string>,
  { server, tool, entry }: McpTool,
  params: JsonObject,
  call: Call,
): Promise<Reply> {
  const args = params.arguments ?? {};
  if (guarded.has(tool)) {
    const verdict = await askApproval(call, `MCP server '${server}' of server '${api.name}'`, tool, args);
    if (verdict !== 'approved') return toolFailure(notApproved(entry.key, verdict === 'declined', call));
  }
  const reply = await api.post(call, ['mcp', server, 'tools', tool, 'execute'], { data: args });
  if (reply.status === 404) {
    throw new SwitchboardError('SWB_UNKNOWN_TOOL', `Server '${api.name}' has no tool '${entry.key}'.`);
  }
  const text = reply.status === 200 ? undefined : errorText(reply);
  if (text !== undefined && (reply.status === 500 || reply.status === 400)) {
    return toolFailure(`The tool '${entry.key}' failed: ${text}`);
  }
  if (reply.status !== 200) throw refused(api.name, reply);
  const { result } = expectObject(api.name, reply);
  // A task of Mastra's own shape, whose status is the only sign of a failure.
  const isTask = isObject(result) && TASK_STATES.has(result.status);
  if (!isTask) return { value: resultOf(result) };
  if (result.status === 'completed') return { value: resultOf(result.output) };
  if (result.status === 'suspended')
    return toolFailure(`The tool '${entry.key}' waits for a person, which it can through MCP alone.`);
  const { error } = result;
  const why = isObject(error) && typeof error.message === 'string' ? error.message : String(error ?? result.status);
  return toolFailure(`The tool '${entry.key}' failed: ${publicMessage(why)}`);
}

const TASK_STATES: ReadonlySet<unknown> = new Set(['completed', 'suspended', 'failed']);

function resultOf(output: unknown): JsonObject {
  if (output === undefined || output === null) return { content: [] };
  if (isObject(output) && Array.isArray(output.content)) return output;
  const text = typeof output === 'string' ? output : JSON.stringify(output);
  return { content: [{ type: 'text', text }], ...(isObject(output) ? { structuredContent: output } : {}) };
}
