/**
 * `agents/describe`: one assistant with the JSON Schemas of its graph.
 * @module
 */
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { agentValue, readAssistant } from './agents.ts';
import { type LanggraphApi, parseJson } from './api.ts';
import { httpFailure } from './failure.ts';

/** The first time, the server runs the TypeScript compiler over the graph: 3.5 s measured. */
const SCHEMAS_TIMEOUT_MS = 15_000;
const MAX_SCHEMA_BYTES = 32_768;

const SCHEMAS = ['input', 'output', 'state', 'config', 'context'] as const;

/** `agent` is the key of the catalog, `id` what the server is asked for. */
export async function describeAgent(
  api: LanggraphApi,
  agent: string,
  id: string,
  signal: AbortSignal,
): Promise<JsonObject> {
  const path = `/assistants/${encodeURIComponent(id)}`;
  const reply = await api.reply('GET', path, undefined, signal);
  // The Python server answers 422 to what is neither a graph nor a uuid.
  if (reply.status === 404 || reply.status === 422) throw unknownAgent(api.name, agent);
  if (reply.status !== 200) throw httpFailure(api.name, reply);
  const assistant = readAssistant(parseJson(reply.body, api.name), api.name);
  return {
    ...agentValue(agent, assistant),
    schemas: await schemasOf(api, `${path}/schemas`, signal),
    capabilities: { threads: true, streaming: true, interrupts: true },
  };
}

export const unknownAgent = (name: string, agent: string): SwitchboardError =>
  new SwitchboardError('SWB_UNKNOWN_AGENT', `Server '${name}' has no agent '${agent.slice(0, 200)}'.`);

/** The schemas there are. Without any (a graph that cannot be analysed, a slow server) an agent can still be called. */
async function schemasOf(api: LanggraphApi, path: string, signal: AbortSignal): Promise<JsonObject> {
  const schemas: JsonObject = {};
  let reply: unknown;
  try {
    const timed = AbortSignal.any([signal, AbortSignal.timeout(SCHEMAS_TIMEOUT_MS)]);
    reply = await api.json('GET', path, undefined, timed);
  } catch (error) {
    if (signal.aborted) throw error;
    return schemas;
  }
  if (!isObject(reply)) return schemas;
  const omitted: string[] = [];
  for (const name of SCHEMAS) {
    const schema = reply[`${name}_schema`];
    if (!isObject(schema)) continue;
    if (JSON.stringify(schema).length > MAX_SCHEMA_BYTES) omitted.push(name);
    else schemas[name] = schema;
  }
  if (omitted.length > 0) schemas.omitted = `Over ${MAX_SCHEMA_BYTES} bytes: ${omitted.join(', ')}.`;
  return schemas;
}
