/**
 * The JSON Schemas of the files, derived from the zod schemas: what editors read (`servers.schema.json`,
 * `policy.schema.json`), and what error messages take their words from.
 * @module
 */
import { z } from 'zod';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { fileSchema } from './file.ts';
import { policyDocumentSchema } from './policy-document.ts';
import { schemaWords } from './words.ts';

let file: JsonObject | undefined;
let policy: JsonObject | undefined;

/** Draft-07: the one every editor knows. */
export function fileJsonSchema(): JsonObject {
  file ??= z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-7' }) as JsonObject;
  return file;
}

/** 2020-12, as the published documents and the schemas of tools. */
export function policyJsonSchema(): JsonObject {
  policy ??= z.toJSONSchema(policyDocumentSchema, { io: 'input', target: 'draft-2020-12' }) as JsonObject;
  return policy;
}

export const FILE_WORDS = schemaWords(fileJsonSchema);
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
export function editorSchema(): JsonObject {
  const { $schema, definitions: plain, ...rest } = fileJsonSchema();
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
