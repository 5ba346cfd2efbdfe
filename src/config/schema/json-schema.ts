/**
 * The file's JSON Schema, derived from the zod schema: what editors read (`servers.schema.json`), and what error
 * messages take "allowed: …" from, so that both always say what the loader does.
 * @module
 */
import { z } from 'zod';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { JsonPath } from '../jsonc.ts';
import { fileSchema } from './file.ts';

let cached: JsonObject | undefined;

/** Draft-07: the one every editor knows. */
export function fileJsonSchema(): JsonObject {
  cached ??= z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-7' }) as JsonObject;
  return cached;
}

/** The schema at a path of the file, or undefined where none is known. */
export function schemaAt(path: JsonPath): JsonObject | undefined {
  let node: JsonObject | undefined = fileJsonSchema();
  for (const part of path) node = deref(child(node, part));
  return node;
}

function deref(node: unknown): JsonObject | undefined {
  if (!isObject(node)) return undefined;
  if (typeof node.$ref !== 'string') return node;
  const definitions = fileJsonSchema().definitions;
  return isObject(definitions) ? deref(definitions[node.$ref.replace('#/definitions/', '')]) : undefined;
}

function child(node: JsonObject | undefined, part: string | number): unknown {
  if (node === undefined) return undefined;
  for (const option of alternatives(node)) {
    if (typeof part === 'number' && option.items !== undefined) return option.items;
    if (isObject(option.properties) && Object.hasOwn(option.properties, part)) return option.properties[part];
    if (isObject(option.additionalProperties)) return option.additionalProperties;
  }
  return undefined;
}

const alternatives = (node: JsonObject): JsonObject[] =>
  Array.isArray(node.anyOf) ? node.anyOf.filter(isObject) : [node];

/** Keys an object may have, without those that are there only to be pasted. */
export function keysAt(path: JsonPath): string[] {
  const node = schemaAt(path);
  if (node === undefined) return [];
  return alternatives(node).flatMap((option) =>
    isObject(option.properties)
      ? Object.entries(option.properties).flatMap(([key, value]) =>
          isObject(value) && value.deprecated === true ? [] : [key],
        )
      : [],
  );
}

/** What may stand at a path, in words: `a whole number from 1 to 1024`. */
export function allowedAt(path: JsonPath): string {
  const node = schemaAt(path);
  return node === undefined ? 'something else' : alternatives(node).map(inWords).join(' or ');
}

function inWords(node: JsonObject): string {
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (Array.isArray(node.enum)) return list(node.enum.map((value) => JSON.stringify(value)));
  switch (node.type) {
    case 'integer':
      return `a whole number from ${node.minimum} to ${node.maximum}`;
    case 'string':
      if (node.pattern !== undefined) return `${node.minLength} to ${node.maxLength} letters, digits and -._~+/`;
      return node.maxLength === undefined
        ? `a string${node.minLength === undefined ? '' : ' that is not empty'}`
        : `a string of 1 to ${node.maxLength} characters`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return `a list of strings${node.minItems === undefined ? '' : ' that is not empty'}`;
    case 'object':
      return 'an object';
    default:
      return Array.isArray(node.type) ? list(node.type.map((type) => (type === 'null' ? 'null' : `a ${type}`))) : '';
  }
}

const list = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;

const REFERENCE = { type: 'string', pattern: '^\\$\\{[^}]+\\}$' };

/** As editors get it: a `${VAR}` may stand wherever a value is restricted, and an entry needs a command or a url. */
export function editorSchema(): JsonObject {
  const schema = withReferences(fileJsonSchema()) as JsonObject;
  const definitions = schema.definitions as { server: JsonObject };
  definitions.server.anyOf = ['command', 'url', 'serverUrl', 'httpUrl'].map((key) => ({ required: [key] }));
  return {
    $schema: schema.$schema,
    $id: 'https://unpkg.com/agent-switchboard/servers.schema.json',
    title: 'Switchboard: servers.json',
    allowTrailingCommas: true,
    ...Object.fromEntries(Object.entries(schema).filter(([key]) => key !== '$schema')),
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
