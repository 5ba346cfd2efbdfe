/**
 * Assistants as agents. A graph is code, an assistant is a graph with a configuration; every graph has one made by the
 * server, which also answers to the graph's id. People make more.
 * @module
 */

import type { Log } from '../../src/core/log.ts';
import type { Entry } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { LanggraphApi } from './api.ts';
import { notLanggraph } from './failure.ts';

const PAGE = 100;
const MAX_PAGES = 50;
const MAX_NAME = 200;
const MAX_DESCRIPTION = 4_000;
const MAX_METADATA_BYTES = 4_096;

export interface Assistant {
  assistant_id: string;
  graph_id: string;
  [field: string]: unknown;
}

/**
 * All assistants. Pages are walked until one is short: the paging headers of both versions are wrong (measured: totals
 * off by the offset, `next` where there is none and none where there is one).
 */
export async function listAssistants(api: LanggraphApi, log: Log, signal: AbortSignal): Promise<Assistant[]> {
  const found = new Map<string, Assistant>();
  for (let page = 0; page < MAX_PAGES; page++) {
    const reply = await api.json('POST', '/assistants/search', { limit: PAGE, offset: page * PAGE }, signal);
    const items = readAssistants(reply, api.name);
    // A list that changes while it is walked may show an assistant twice.
    for (const item of items) found.set(item.assistant_id, item);
    if (items.length < PAGE) return [...found.values()];
  }
  log.warn({ server: api.name, listed: found.size }, 'the server has more agents than are listed');
  return [...found.values()];
}

export function readAssistants(reply: unknown, name: string): Assistant[] {
  if (!Array.isArray(reply)) throw notLanggraph(name);
  return reply.map((item) => readAssistant(item, name));
}

export function readAssistant(item: unknown, name: string): Assistant {
  if (!isObject(item) || typeof item.assistant_id !== 'string' || typeof item.graph_id !== 'string') {
    throw notLanggraph(name);
  }
  return item as Assistant;
}

/**
 * Agents in the order of their keys. The key is the graph's id for its only assistant and, among several, for the one
 * the server made (the one the API itself means by that id); it does not change when another one is added. The others
 * are known by their assistant id.
 */
export function agentEntries(assistants: readonly Assistant[]): Entry[] {
  const byGraph = Map.groupBy(assistants, (assistant) => assistant.graph_id);
  return assistants
    .map((assistant) => {
      const siblings = byGraph.get(assistant.graph_id) ?? [];
      const own = siblings.length === 1 ? siblings : siblings.filter(madeByServer);
      const key = own.length === 1 && own[0] === assistant ? assistant.graph_id : assistant.assistant_id;
      return { key, value: agentValue(key, assistant) };
    })
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

const madeByServer = ({ metadata }: Assistant): boolean => isObject(metadata) && metadata.created_by === 'system';

export function agentValue(key: string, assistant: Assistant): JsonObject {
  const { assistant_id, graph_id, name, description, version, metadata } = assistant;
  const value: JsonObject = { name: key, kind: 'langgraph', graph_id, assistant_id };
  if (typeof name === 'string' && name !== '' && name !== key) value.title = name.slice(0, MAX_NAME);
  if (typeof description === 'string' && description !== '') value.description = description.slice(0, MAX_DESCRIPTION);
  if (typeof version === 'number') value.version = version;
  if (isObject(metadata) && JSON.stringify(metadata).length <= MAX_METADATA_BYTES) value.metadata = metadata;
  return value;
}
