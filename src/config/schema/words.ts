/**
 * Describes in words what a JSON Schema allows at a path: the keys of an object, the values of a member. Error messages take
 * "allowed: …" from here, so that they always agree with the schema.
 * @module
 */
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { JsonPath } from '../jsonc.ts';
import { PATTERNS } from './fields.ts';

export interface SchemaWords {
  /** The schema at a path, or undefined where none is known. */
  schemaAt(path: JsonPath): JsonObject | undefined;
  /** Keys an object may have, without deprecated ones. */
  keysAt(path: JsonPath): string[];
  /** The allowed values at a path: `a whole number from 1 to 1024`. */
  allowedAt(path: JsonPath): string;
}

/** Calls `root` when a message needs it: deriving a schema takes milliseconds that a file without mistakes need not spend. */
export function schemaWords(root: () => JsonObject): SchemaWords {
  const deref = (node: unknown): JsonObject | undefined => {
    if (!isObject(node)) return undefined;
    if (typeof node.$ref !== 'string') return node;
    const [, group = '', name = ''] = /^#\/(definitions|\$defs)\/(.+)$/.exec(node.$ref) ?? [];
    const definitions = root()[group];
    return isObject(definitions) ? deref(definitions[name]) : undefined;
  };
  const alternatives = (node: JsonObject): JsonObject[] =>
    Array.isArray(node.anyOf)
      ? node.anyOf.flatMap((option) => {
          const target = deref(option);
          return target === undefined ? [] : alternatives(target);
        })
      : [node];
  const child = (node: JsonObject | undefined, part: string | number): unknown => {
    if (node === undefined) return undefined;
    for (const option of alternatives(node)) {
      if (typeof part === 'number' && option.items !== undefined) return option.items;
      if (isObject(option.properties) && Object.hasOwn(option.properties, part)) return option.properties[part];
      if (isObject(option.additionalProperties)) return option.additionalProperties;
    }
    return undefined;
  };
  const schemaAt = (path: JsonPath): JsonObject | undefined => {
    let node: JsonObject | undefined = deref(root());
    for (const part of path) node = deref(child(node, part));
    return node;
  };
  return {
    schemaAt,
    keysAt(path) {
      const node = schemaAt(path);
      if (node === undefined) return [];
      const keys = alternatives(node).flatMap((option) =>
        isObject(option.properties)
          ? Object.entries(option.properties).flatMap(([key, value]) =>
              isObject(value) && value.deprecated === true ? [] : [key],
            )
          : [],
      );
      return [...new Set(keys)];
    },
    allowedAt(path) {
      const node = schemaAt(path);
      return node === undefined ? 'something else' : [...new Set(alternatives(node).map(inWords))].join(' or ');
    },
  };
}

const PATTERN_WORDS = new Map<unknown, string>(
  Object.values(PATTERNS).map(({ regex, words }) => [regex.source, words]),
);

function inWords(node: JsonObject): string {
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (Array.isArray(node.enum)) return list(node.enum.map((value) => JSON.stringify(value)));
  switch (node.type) {
    case 'integer':
      return node.maximum === Number.MAX_SAFE_INTEGER
        ? `a whole number, ${node.minimum} or more`
        : `a whole number from ${node.minimum} to ${node.maximum}`;
    case 'string':
      if (node.pattern !== undefined) return PATTERN_WORDS.get(node.pattern) ?? 'a string of another form';
      return node.maxLength === undefined
        ? `a string${node.minLength === undefined ? '' : ' that is not empty'}`
        : `a string of ${node.minLength ?? 0} to ${node.maxLength} characters`;
    case 'boolean':
      return 'true or false';
    case 'null':
      return 'null';
    case 'number':
      return 'a number';
    case 'array':
      return listInWords(node);
    case 'object':
      return isObject(node.additionalProperties) && typeof node.maxProperties === 'number'
        ? `an object of ${node.maxProperties} members at most`
        : 'an object';
    default:
      return Array.isArray(node.type) ? list(node.type.map((type) => (type === 'null' ? 'null' : `a ${type}`))) : '';
  }
}

function listInWords({ items, minItems, maxItems }: JsonObject): string {
  const what = isObject(items) && items.type === 'string' ? 'a list of strings' : 'a list';
  if (minItems !== undefined) return `${what} that is not empty`;
  return what === 'a list' && maxItems !== undefined ? `a list of ${maxItems} at most` : what;
}

const list = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
