/**
 * The JSON Schemas of the files, derived from the zod schemas: what editors read (`servers.schema.json`,
 * `policy.schema.json`), and what error messages take their words from.
 * @module
 */
import { z } from 'zod';
import { ADAPTERS } from '../../../adapters/index.ts';
import type { Adapter } from '../../core/adapter.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { fileSchema } from './file.ts';
import { policyDocumentSchema } from './policy-document.ts';
import { serverSchema } from './server-entry.ts';
import { type SchemaWords, schemaWords } from './words.ts';

let policy: JsonObject | undefined;

/** The schema of the file where there are certain kinds of servers. */
export interface FileSchema {
  readonly server: ReturnType<typeof serverSchema>;
  /** Draft-07: the one every editor knows. */
  json(): JsonObject;
  readonly words: SchemaWords;
}

const files = new WeakMap<readonly Adapter[], FileSchema>();

/** Made once for each list of adapters. */
export function fileSchemaFor(adapters: readonly Adapter[]): FileSchema {
  let schema = files.get(adapters);
  if (!schema) {
    const server = serverSchema(adapters);
    let derived: JsonObject | undefined;
    const json = (): JsonObject => {
      derived ??= z.toJSONSchema(fileSchema(server), { io: 'input', target: 'draft-7' }) as JsonObject;
      return derived;
    };
    schema = { server, json, words: schemaWords(json) };
    files.set(adapters, schema);
  }
  return schema;
}

/** 2020-12, as the published documents and the schemas of tools. */
export function policyJsonSchema(): JsonObject {
  policy ??= z.toJSONSchema(policyDocumentSchema, { io: 'input', target: 'draft-2020-12' }) as JsonObject;
  return policy;
}

export const POLICY_WORDS = schemaWords(policyJsonSchema);

const REFERENCE = { type: 'string', pattern: '^\\$\\{[^}]+\\}$' };

/** Parts of a policy document: variables are not expanded in them. */
const POLICY_DEFINITIONS: ReadonlySet<string> = new Set([
  'policy',
  'rule',
  'olderRule',
  'predicate',
  'condition',
  'bareCondition',
  'limit',
  'rateLimit',
]);

/** As editors get it: a `${VAR}` may stand wherever a value is restricted, and an entry needs a command or a url. */
export function editorSchema(adapters: readonly Adapter[] = ADAPTERS): JsonObject {
  const { $schema, definitions: plain, ...rest } = fileSchemaFor(adapters).json();
  const definitions = Object.fromEntries(
    Object.entries(plain as JsonObject).map(([name, node]) => [
      name,
      POLICY_DEFINITIONS.has(name) ? node : withReferences(node),
    ]),
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

/** As editors get it. */
export function editorPolicySchema(): JsonObject {
  const { $schema, ...rest } = policyJsonSchema();
  return {
    $schema,
    $id: 'https://unpkg.com/agent-switchboard/policy.schema.json',
    title: 'Switchboard: a policy document',
    ...rest,
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
