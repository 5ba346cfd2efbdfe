/**
 * The format of the whole file: the keys of `config` and those of an extension, as zod schema, JSON Schema and words.
 * @module
 */
import { z } from 'zod';
import type { Adapter } from '../../core/adapter.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { ConfigExtension } from '../extension.ts';
import { IGNORED_TOP_KEYS, ignoredShape } from './foreign.ts';
import { gatewayShape } from './gateway-section.ts';
import { type ServerEntry, serverShape } from './server-entry.ts';
import { type SchemaWords, schemaWords } from './words.ts';

/** Where the sections are parsed apart, so that a mistake in one hides none in another. */
export const TOP_KEYS = ['$schema', 'mcpServers', 'servers', 'gateway'] as const;

export interface FileFormat<T> {
  /** The kinds of servers there are. */
  readonly adapters: readonly Adapter[];
  /** An entry without the keys of the extension. */
  readonly serverSchema: z.ZodType<ServerEntry>;
  readonly extension: ConfigExtension<T>;
  /** For error messages. */
  readonly words: SchemaWords;
  /** As editors get it: a `${VAR}` may stand wherever a value is restricted, and an entry needs a command or a url. */
  editorSchema(): JsonObject;
}

export function fileFormat<T>(extension: ConfigExtension<T>, adapters: readonly Adapter[]): FileFormat<T> {
  const shape = serverShape(adapters);
  let schema: JsonObject | undefined;
  // Draft-07 is the one every editor knows.
  const jsonSchema = (): JsonObject => {
    schema ??= z.toJSONSchema(fileSchema(shape, extension), { io: 'input', target: 'draft-7' }) as JsonObject;
    return schema;
  };
  return {
    adapters,
    serverSchema: z.strictObject(shape) as unknown as z.ZodType<ServerEntry>,
    extension,
    words: schemaWords(jsonSchema),
    editorSchema: () => editorSchema(jsonSchema(), new Set(extension.verbatimIds())),
  };
}

function fileSchema(serverShape: z.ZodRawShape, extension: ConfigExtension<unknown>): z.ZodType {
  const server = z.strictObject({ ...serverShape, ...extension.serverShape }).meta({ id: 'server' });
  const gateway = z.strictObject({ ...gatewayShape, ...extension.gatewayShape });
  const serverMap = (shape: string) =>
    z
      .record(z.string(), server)
      .optional()
      .meta({
        description: `Servers by name, in the shape of ${shape}: names are letters, digits, - _ and ., 64 at most; another key becomes the title of a name made of it.`,
      });
  return z.strictObject({
    $schema: z.string().optional().meta({ description: 'For editors.' }),
    mcpServers: serverMap('most clients'),
    servers: serverMap('VS Code'),
    gateway: gateway.optional().meta({ description: 'The gateway itself.' }),
    ...ignoredShape(IGNORED_TOP_KEYS),
  });
}

const REFERENCE = { type: 'string', pattern: '^\\$\\{[^}]+\\}$' };

function editorSchema(file: JsonObject, verbatim: ReadonlySet<string>): JsonObject {
  const { $schema, definitions: plain, ...rest } = file;
  const definitions = Object.fromEntries(
    Object.entries(plain as JsonObject).map(([name, node]) => [name, verbatim.has(name) ? node : withReferences(node)]),
  ) as { server: JsonObject };
  definitions.server.anyOf = ['command', 'url', 'serverUrl', 'httpUrl'].map((key) => ({ required: [key] }));
  return {
    $schema,
    $id: 'https://unpkg.com/agent-switchboard/servers.schema.json',
    title: 'Switchboard: servers.json',
    allowTrailingCommas: true,
    ...(withReferences(rest) as JsonObject),
    definitions,
  };
}

function withReferences(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withReferences);
  if (!isObject(node)) return node;
  if (isLeaf(node)) {
    const { description, default: preset, deprecated, ...rest } = node;
    const head = Object.fromEntries(
      Object.entries({ description, default: preset, deprecated }).filter(([, value]) => value !== undefined),
    );
    return { ...head, anyOf: [rest, REFERENCE] };
  }
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, withReferences(value)]));
}

const isLeaf = (node: JsonObject): boolean =>
  node.type === 'integer' ||
  (node.type === 'boolean' && node.const === undefined) ||
  (node.type === 'string' && (node.enum !== undefined || node.pattern !== undefined));
