/**
 * `agents/describe`: one assistant, what it takes and what it gives, on a page.
 * @module
 */
import type { AgentDescription } from '../../src/core/agent-call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject } from '../../src/wire/jsonrpc.ts';
import { type Assistant, agentValue, readAssistant } from './agents.ts';
import { type LanggraphApi, parseJson } from './api.ts';
import { httpFailure } from './failure.ts';
import type { GraphSchemas } from './schemas.ts';

/** Schemas that take longer are left out this time. */
const PATIENCE_MS = 1_500;
const MAX_DESCRIPTION = 2_000;
const MAX_METADATA_BYTES = 1_024;

/** `agent` is the key of the catalog, `id` what the server is asked for. */
export async function describeAgent(
  api: LanggraphApi,
  schemas: GraphSchemas,
  { agent, id, listed }: { agent: string; id: string; listed: Assistant | undefined },
  signal: AbortSignal,
): Promise<AgentDescription> {
  const assistant = (await fetchAssistant(api, agent, id, signal)) ?? listed;
  if (!assistant) throw unknownAgent(api.name, agent);
  const schema = await schemas.of(assistant.graph_id, assistant.assistant_id, PATIENCE_MS);
  const described = agentValue(agent, assistant, schema);
  if (described.description) described.description = described.description.slice(0, MAX_DESCRIPTION);
  if (isObject(described.metadata) && JSON.stringify(described.metadata).length > MAX_METADATA_BYTES) {
    delete described.metadata;
  }
  described.capabilities = { threads: true, streaming: true, interrupts: true };
  if (schema?.context) described.contextSchema = schema.context;
  if (!schema)
    described.note = 'The server is still working out the schemas of this agent: describe it again for them.';
  else if (schema.takesMessages) described.takesMessages = true;
  return described;
}

/** Undefined for an id that no path can hold. */
async function fetchAssistant(
  api: LanggraphApi,
  agent: string,
  id: string,
  signal: AbortSignal,
): Promise<Assistant | undefined> {
  if (/^\.{1,2}$/.test(id)) return undefined;
  const reply = await api.reply('GET', `/assistants/${encodeURIComponent(id)}`, undefined, signal);
  // The Python server answers 422 to what is neither a graph nor a uuid.
  if (reply.status === 404 || reply.status === 422) throw unknownAgent(api.name, agent);
  if (reply.status !== 200) throw httpFailure(api.name, reply);
  return readAssistant(parseJson(reply.body, api.name), api.name);
}

export const unknownAgent = (name: string, agent: string): SwitchboardError =>
  new SwitchboardError('SWB_UNKNOWN_AGENT', `Server '${name}' has no agent '${agent.slice(0, 200)}'.`);
