/**
 * JSON Schemas as Mastra's API gives them: a string of superjson, `{"json": …}`.
 * @module
 */
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';

/** The schema in a serialised one; undefined when there is none or it cannot be read. */
export function readSchema(serialised: unknown): JsonObject | undefined {
  let value = serialised;
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value);
    } catch {
      return undefined;
    }
  }
  if (!isObject(value)) return undefined;
  if ('json' in value) return isObject(value.json) ? value.json : undefined;
  return value;
}

/**
 * The schema with `type: object`, which MCP requires of tool schemas. Undefined when it says another type: no arguments
 * of a tool call could satisfy it. Unions of objects carry no type of their own and get one.
 */
export function objectSchema(schema: JsonObject): JsonObject | undefined {
  if (schema.type === 'object') return schema;
  return schema.type === undefined ? { type: 'object', ...schema } : undefined;
}
