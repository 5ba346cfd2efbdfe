/**
 * Mastra's agents and tools as catalog entries. Only fields named here go on: GET /api/agents also holds every agent's
 * system prompt.
 * @module
 */

import type { Entry } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';

/** GET /api/agents or /api/tools: what there is by id or by the key of the configuration. */
export function definitions(listing: JsonObject): [key: string, definition: JsonObject][] {
  return Object.entries(listing).filter((pair): pair is [string, JsonObject] => isObject(pair[1]));
}

/** Whether a listing is one of Mastra agents: every member is an object with a name, and has tools or instructions. */
export function looksLikeAgents(listing: unknown): listing is JsonObject {
  if (!isObject(listing)) return false;
  return Object.values(listing).every(
    (agent) => isObject(agent) && typeof agent.name === 'string' && (isObject(agent.tools) || 'instructions' in agent),
  );
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** An agent as people and models may see it. */
export function describeAgent(id: string, agent: JsonObject): JsonObject {
  const described: JsonObject = { name: id, kind: 'mastra' };
  const title = text(agent.name);
  if (title !== undefined && title !== id) described.title = title;
  const description = text(agent.description);
  // Some servers send the system prompt as the description; clients must not see a prompt.
  if (description !== undefined && description !== agent.instructions) described.description = description;
  const model = text(agent.modelId);
  if (model !== undefined) described.model = text(agent.provider) ? `${agent.provider}/${model}` : model;
  return described;
}

export function agentEntries(listing: JsonObject): Entry[] {
  return definitions(listing).map(([key, agent]) => {
    const id = text(agent.id) ?? key;
    const tools = isObject(agent.tools) ? Object.keys(agent.tools) : [];
    return { key: id, value: { ...describeAgent(id, agent), tools } };
  });
}

export function toolEntries(listing: JsonObject): Entry[] {
  const entries = new Map<string, Entry>();
  for (const [key, tool] of definitions(listing)) {
    const value = toolValue(text(tool.id) ?? key, tool);
    // Two keys with one id are one tool: Mastra runs the first.
    if (value && !entries.has(value.name as string))
      entries.set(value.name as string, { key: value.name as string, value });
  }
  return [...entries.values()];
}

function toolValue(id: string, tool: JsonObject): JsonObject | undefined {
  // The model's provider runs these; Mastra has nothing to execute.
  if (tool.type === 'provider-defined' || tool.type === 'provider') return undefined;
  const inputSchema = objectSchema(readSchema(tool.inputSchema) ?? {});
  if (!inputSchema) return undefined;
  const value: JsonObject = { name: id, inputSchema };
  const title = text(tool.title);
  if (title !== undefined) value.title = title;
  const description = text(tool.description);
  if (description !== undefined) value.description = description;
  const output = readSchema(tool.outputSchema);
  // A result that is no object has no structured content, and a schema would promise some.
  if (output?.type === 'object') value.outputSchema = output;
  if (isObject(tool.mcp) && isObject(tool.mcp.annotations)) value.annotations = tool.mcp.annotations;
  return value;
}

/** A JSON Schema as Mastra's API sends it, as superjson text (`{"json": …}`); undefined when it cannot be read. */
export function readSchema(serialised: unknown): JsonObject | undefined {
  let value = serialised;
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value);
    } catch {
      return undefined;
    }
  }
  if (!isObject(value)) return undefined;
  if ('json' in value) return isObject(value.json) ? value.json : undefined;
  return value;
}

/**
 * The schema with `type: object`, which MCP requires of tool schemas. Undefined when it says another type: no arguments
 * of a tool call could satisfy it. Unions of objects carry no type of their own and get one.
 */
export function objectSchema(schema: JsonObject): JsonObject | undefined {
  if (schema.type === 'object') return schema;
  return schema.type === undefined ? { type: 'object', ...schema } : undefined;
}
