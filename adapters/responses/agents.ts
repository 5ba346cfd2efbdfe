/**
 * The agents of a server with the Responses API: those the configuration names, or the models the server lists.
 * @module
 */
import type { AgentDescription } from '../../src/core/agent-call.ts';
import { head } from '../../src/core/text.ts';
import type { Entry } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { ResponsesApi } from './api.ts';
import { httpFailure, jsonOf, notResponses } from './failure.ts';

const MAX_MODELS = 1_000;

export interface ConfiguredAgent {
  name: string;
  description: string | undefined;
  model: string | undefined;
  /** Members of every request. */
  request: JsonObject;
}

/** What `models` of the entry names. Undefined where it is left out. */
export function configuredAgents(models: unknown): ConfiguredAgent[] | undefined {
  if (!isObject(models)) return undefined;
  return Object.entries(models).map(([name, value]) => {
    const { description, model, request } = isObject(value) ? value : {};
    const given = isObject(request) ? request : {};
    // A server whose agents have names of their own gets those, and chooses the model.
    const chosen = typeof model === 'string' ? model : 'agent_id' in given ? undefined : name;
    return {
      name,
      description: typeof description === 'string' ? description : undefined,
      model: chosen,
      request: given,
    };
  });
}

/** `GET /models`. */
export async function listedModels(api: ResponsesApi, signal: AbortSignal): Promise<ConfiguredAgent[]> {
  const reply = await api.get('/models', signal);
  if (reply.status !== 200) throw httpFailure(api.name, reply);
  const body = jsonOf(reply.body);
  if (!isModelList(body)) throw notResponses(api.name);
  return body.data
    .filter((model) => isObject(model) && typeof model.id === 'string' && model.id !== '')
    .slice(0, MAX_MODELS)
    .map((model) => {
      const id = String((model as JsonObject).id);
      return { name: id, description: undefined, model: id, request: {} };
    });
}

const isModelList = (body: unknown): body is { data: unknown[] } =>
  isObject(body) && body.object === 'list' && Array.isArray(body.data);

export const agentEntries = (agents: readonly ConfiguredAgent[]): Entry[] =>
  agents.map((agent) => ({ key: agent.name, value: agentValue(agent) }));

export function agentValue({ name, description, model }: ConfiguredAgent): AgentDescription {
  return {
    name,
    kind: 'responses',
    ...(description === undefined ? {} : { description: head(description, 4_000) }),
    ...(model === undefined || model === name ? {} : { model }),
    memory: true,
  };
}
