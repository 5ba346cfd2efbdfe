/**
 * Assistants as agents. A graph is code, an assistant is a graph with a configuration; every graph has one made by the
 * server, which also answers to the graph's id. People make more.
 * @module
 */

import type { AgentDescription } from '../../src/core/agent-call.ts';
import type { Log } from '../../src/core/log.ts';
import type { Entry } from '../../src/core/upstream.ts';
import { isObject } from '../../src/wire/jsonrpc.ts';
import { readableId, shortHash, slug } from '../shared/names.ts';
import type { LanggraphApi } from './api.ts';
import { notLanggraph } from './failure.ts';
import type { GraphSchema } from './schemas.ts';

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
    for (const item of items) {
      // The API has no way to name such a one.
      if (item.assistant_id === '') log.debug({ server: api.name }, 'an assistant without an id is left out');
      else found.set(item.assistant_id, item);
    }
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

/** Graphs that have no assistant in the list; the API means a graph's own one by its id. */
export function graphsBeside(assistants: readonly Assistant[], graphs: readonly string[]): Assistant[] {
  const listed = new Set(assistants.map(({ graph_id }) => graph_id));
  const missing = [...new Set(graphs)].filter((graph) => !listed.has(graph));
  return missing.map((graph) => ({ assistant_id: graph, graph_id: graph }));
}

/** Agents in the order of their keys. */
export function agentEntries(
  keyed: ReadonlyMap<string, Assistant>,
  schemas: (graph: string) => GraphSchema | undefined,
): Entry[] {
  return [...keyed]
    .map(([key, assistant]) => ({ key, value: agentValue(key, assistant, schemas(assistant.graph_id)) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

/**
 * Assistants by key: the graph's id for the assistant the server made of it, or its only one, and
 * `graph.name-of-the-assistant` for others; where an older one has that name, with a hash of the id. The assistant's own id
 * is accepted beside it.
 */
export function keyedAssistants(assistants: readonly Assistant[]): Map<string, Assistant> {
  const keys = new Map<string, Assistant>();
  const others: Assistant[] = [];
  for (const [graph, siblings] of Map.groupBy(assistants, ({ graph_id }) => graph_id)) {
    const own = siblings.length === 1 ? siblings : siblings.filter(madeByServer);
    const main = own.length === 1 ? own[0] : undefined;
    if (main) keys.set(readableId(graph), main);
    others.push(...siblings.filter((assistant) => assistant !== main));
  }
  // Of several assistants with one name the oldest keeps it, so that a new assistant changes no other's name.
  for (const assistant of others.sort(byAge)) {
    const { assistant_id, graph_id, name } = assistant;
    const graph = readableId(graph_id);
    const words = typeof name === 'string' ? slug(name) : '';
    const plain = `${graph}.${words}`;
    const unique = `${graph}.${words === '' ? '' : `${words}-`}${shortHash(assistant_id)}`;
    keys.set(words === '' || words === graph || keys.has(plain) ? unique : plain, assistant);
  }
  return keys;
}

const byAge = (a: Assistant, b: Assistant): number => {
  const [first, second] = [a, b].map((each) => `${String(each.created_at ?? '')} ${each.assistant_id}`);
  return (first as string) < (second as string) ? -1 : 1;
};

const madeByServer = ({ metadata }: Assistant): boolean => isObject(metadata) && metadata.created_by === 'system';

export function agentValue(key: string, assistant: Assistant, schema?: GraphSchema): AgentDescription {
  const { assistant_id, graph_id, name, description, version, metadata } = assistant;
  const value: AgentDescription = {
    name: key,
    kind: 'langgraph',
    graph_id: shown(graph_id),
    assistant_id: shown(assistant_id),
  };
  if (typeof name === 'string' && name !== '' && name !== key) value.title = shown(name);
  if (typeof description === 'string' && description !== '') value.description = description.slice(0, MAX_DESCRIPTION);
  // What would forge a line where names are shown is no name.
  const aliases = [assistant_id, graph_id].filter((id) => id !== key && readableId(id) === id);
  const isMain = key === readableId(graph_id);
  const own = isMain ? aliases : aliases.filter((id) => id !== graph_id);
  if (own.length > 0) value.aliases = [...new Set(own)];
  if (typeof version === 'number') value.version = version;
  if (isObject(metadata) && JSON.stringify(metadata).length <= MAX_METADATA_BYTES) value.metadata = metadata;
  if (schema?.input) value.inputSchema = schema.input;
  if (schema?.output) value.outputSchema = schema.output;
  if (schema?.takesMessages === false) value.takesMessages = false;
  return { ...value, memory: true };
}

/** A text of the server on one line, bounded. */
const shown = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').slice(0, MAX_NAME);
