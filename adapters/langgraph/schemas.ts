/**
 * JSON Schemas of graphs: what a graph takes besides messages, and what it gives. A server makes them of the graph's source
 * when they are first asked for (1.6 s and more, measured) and sends whole class hierarchies for a conversation (86 KB),
 * so they are read once for each graph, in the background, and cut down to what a caller has to know.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { within } from '../../src/core/deadline.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { LanggraphApi } from './api.ts';

export interface GraphSchema {
  /** What it takes besides messages; undefined when that is nothing, or not known. */
  input: JsonObject | undefined;
  /** Its final state without its conversations. */
  output: JsonObject | undefined;
  /** What its `context` or `configurable` takes. */
  context: JsonObject | undefined;
  /** Undefined: not known. */
  takesMessages: boolean | undefined;
}

const TIMEOUT_MS = 30_000;
/** After so many failures of the server a graph has no schema. */
const MAX_FAILURES = 3;
const FIRST_REST_MS = 1_000;
/** Graphs whose schemas are read without being asked for. */
const MAX_GRAPHS = 100;
/** A schema as it is shown. */
const MAX_SCHEMA_BYTES = 2_048;
const MAX_PROPERTIES = 50;

const UNKNOWN: GraphSchema = { input: undefined, output: undefined, context: undefined, takesMessages: undefined };

export class GraphSchemas {
  readonly #api: LanggraphApi;
  readonly #log: Log;
  readonly #known = new Map<string, GraphSchema>();
  /** How often the server failed on a graph. */
  readonly #failures = new Map<string, number>();
  readonly #reading = new Map<string, Promise<GraphSchema>>();
  readonly #ended = new AbortController();
  #queue: [graph: string, assistant: string][] = [];
  #warming = false;

  constructor(api: LanggraphApi, log: Log) {
    this.#api = api;
    this.#log = log;
  }

  known(graph: string): GraphSchema | undefined {
    return this.#known.get(graph);
  }

  /** The schema, or undefined when it is not there after `patienceMs`; it is read on for the next one who asks. */
  async of(graph: string, assistant: string, patienceMs: number): Promise<GraphSchema | undefined> {
    return this.#known.get(graph) ?? (await within(this.#read(graph, assistant), patienceMs, () => undefined));
  }

  /** Reads what is not known, one after the other; `done` is called when there is anything new to show. */
  warm(graphs: Iterable<[graph: string, assistant: string]>, done: () => void): void {
    const fresh = [...graphs].filter(([graph]) => !this.#known.has(graph));
    this.#queue = fresh.slice(0, MAX_GRAPHS);
    if (this.#queue.length > 0 && !this.#warming) void this.#warmAll(done);
  }

  /** Resolves when every one of these is known. Rejects when one cannot be read; what was read until then stays known. */
  async all(graphs: Iterable<[graph: string, assistant: string]>, signal: AbortSignal): Promise<void> {
    for (const [graph, assistant] of graphs) {
      if (this.#known.has(graph)) continue;
      signal.throwIfAborted();
      await this.#read(graph, assistant);
      // A graph that the server fails on is listed without, and asked about again with the next list.
      if (!this.#known.has(graph) && !this.#failures.has(graph)) {
        const message = `Server '${this.#api.name}' did not tell the schemas of its graph '${graph.slice(0, 200)}'.`;
        throw new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', message);
      }
    }
  }

  close(): void {
    this.#ended.abort();
    this.#queue = [];
  }

  async #warmAll(done: () => void): Promise<void> {
    this.#warming = true;
    let isNew = false;
    // The server compiles: it rests as long as it works, and callers come first.
    let restMs = FIRST_REST_MS;
    while (this.#queue.length > 0) {
      await this.#rest(restMs);
      const next = this.#queue.shift();
      if (!next) break;
      const since = performance.now();
      const { input, output, takesMessages } = await this.#read(...next);
      restMs = performance.now() - since;
      isNew ||= input !== undefined || output !== undefined || takesMessages === false;
    }
    this.#warming = false;
    if (isNew && !this.#ended.signal.aborted) done();
  }

  async #rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { ref: false, signal: this.#ended.signal }).catch(() => {});
  }

  #read(graph: string, assistant: string): Promise<GraphSchema> {
    let reading = this.#reading.get(graph);
    if (!reading) {
      reading = this.#fetch(assistant)
        .then((schema) => {
          const failures = (this.#failures.get(graph) ?? 0) + 1;
          if (!schema) this.#failures.set(graph, failures);
          if (schema || failures >= MAX_FAILURES) this.#known.set(graph, schema ?? UNKNOWN);
          return schema ?? UNKNOWN;
        })
        .catch((error: unknown) => {
          this.#log.debug({ server: this.#api.name, graph, error }, 'the schema of a graph cannot be read');
          return UNKNOWN;
        })
        .finally(() => this.#reading.delete(graph));
      this.#reading.set(graph, reading);
    }
    return reading;
  }

  /** Undefined: the server fails on it, which may pass; a busy one runs out of its own time. */
  async #fetch(assistant: string): Promise<GraphSchema | undefined> {
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const path = `/assistants/${encodeURIComponent(assistant)}/schemas`;
    const reply = await this.#api.reply('GET', path, undefined, signal);
    if (reply.status >= 500) return undefined;
    // A graph that cannot be analysed can still be called.
    if (reply.status < 200 || reply.status > 299) return UNKNOWN;
    const schemas: unknown = JSON.parse(reply.body.toString('utf8'));
    return isObject(schemas) ? readSchemas(schemas) : UNKNOWN;
  }
}

export function readSchemas({ input_schema, output_schema, context_schema, config_schema }: JsonObject): GraphSchema {
  const input = compact(input_schema);
  return {
    input: input?.schema,
    output: compact(output_schema)?.schema,
    context: compact(context_schema)?.schema ?? compact(config_schema)?.schema,
    takesMessages: input && (input.hasMessages || (input.schema === undefined ? undefined : false)),
  };
}

interface Compact {
  /** Undefined where nothing but conversations is in it. */
  schema: JsonObject | undefined;
  hasMessages: boolean;
}

/** Undefined for what says nothing of its members. */
function compact(schema: unknown): Compact | undefined {
  if (!isObject(schema) || !isObject(schema.properties)) return undefined;
  const properties = Object.entries(schema.properties).filter(([, property]) => !isConversation(property));
  const hasMessages = 'messages' in schema.properties && !properties.some(([name]) => name === 'messages');
  if (properties.length === 0) return { schema: undefined, hasMessages };
  const names = new Set(properties.map(([name]) => name));
  const required = Array.isArray(schema.required) ? schema.required.filter((name) => names.has(name)) : [];
  const kept: JsonObject = { type: 'object', properties: Object.fromEntries(properties) };
  if (required.length > 0) kept.required = required;
  for (const place of ['definitions', '$defs'] as const) {
    const used = usedDefinitions(properties, schema[place], place);
    if (Object.keys(used).length > 0) kept[place] = used;
  }
  return { schema: size(kept) <= MAX_SCHEMA_BYTES ? kept : outline(properties, required), hasMessages };
}

/** A list of messages: JavaScript refers to `BaseMessage<…>`, Python lists `HumanMessage` and the others. */
function isConversation(property: unknown): boolean {
  if (!isObject(property) || property.type !== 'array') return false;
  return /"#\/(?:definitions|\$defs)\/(?:Base|Human|AI|Any)Message\b/.test(JSON.stringify(property.items) ?? '');
}

/** The definitions that the members refer to, and those that these refer to. */
function usedDefinitions(properties: unknown, definitions: unknown, place: string): JsonObject {
  const used: JsonObject = {};
  if (!isObject(definitions)) return used;
  const walk = (value: unknown): void => {
    const text = JSON.stringify(value) ?? '';
    for (const [, encoded] of text.matchAll(/"\$ref":"#\/(?:definitions|\$defs)\/((?:[^"\\]|\\.)*)"/g)) {
      const name = decodeRef(encoded as string);
      if (name in used || !(name in definitions) || !text.includes(`#/${place}/`)) continue;
      used[name] = definitions[name];
      walk(definitions[name]);
    }
  };
  walk(properties);
  return used;
}

function decodeRef(ref: string): string {
  try {
    return decodeURIComponent(JSON.parse(`"${ref}"`))
      .replaceAll('~1', '/')
      .replaceAll('~0', '~');
  } catch {
    return ref;
  }
}

/** Names and types alone, of a schema that is too long for a page. */
function outline(properties: [string, unknown][], required: unknown[]): JsonObject {
  const shown = properties.slice(0, MAX_PROPERTIES).map(([name, property]) => {
    const { type, description } = isObject(property) ? property : {};
    const short: JsonObject = {};
    if (typeof type === 'string' || Array.isArray(type)) short.type = type;
    if (typeof description === 'string') short.description = description.split('\n', 1)[0]?.slice(0, 80);
    return [name.slice(0, 100), short] as const;
  });
  const schema: JsonObject = { type: 'object', properties: Object.fromEntries(shown) };
  const names = new Set(shown.map(([name]) => name));
  const needed = required.filter((name) => names.has(name as string));
  if (needed.length > 0) schema.required = needed;
  return schema;
}

const size = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** `a (number), b (number)`: what an agent takes, in a sentence. */
export function fieldsOf({ properties }: JsonObject): string {
  if (!isObject(properties)) return 'an object';
  const fields = Object.entries(properties).map(([name, property]) => {
    const type = isObject(property) && typeof property.type === 'string' ? ` (${property.type})` : '';
    return `${name.slice(0, 60)}${type}`;
  });
  return fields.length > 12 ? `${fields.slice(0, 12).join(', ')} and ${fields.length - 12} more` : fields.join(', ');
}
