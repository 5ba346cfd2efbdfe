/**
 * `x-mcp-header`: tool parameters mirrored into `Mcp-Param-…` headers. Declares what a valid annotation is, reads the
 * annotations of a schema, builds the headers of a call and checks those of an incoming one.
 * Source: 2026-07-28 transports/streamable-http, "Custom Headers from Tool Parameters".
 * @module
 */
import { decodeHeaderValue, encodeHeaderValue, type HeaderReader } from './headers.ts';
import { isObject, type JsonObject } from './jsonrpc.ts';

export interface ParamHeader {
  /** Lower-case, with the `mcp-param-` prefix. */
  header: string;
  /** As declared, for the wire. */
  wireName: string;
  /** Property names from the root of the arguments. */
  path: readonly string[];
}

export type ParamHeaders = readonly ParamHeader[];

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const PRIMITIVE = new Set(['string', 'integer', 'boolean']);

/** The headers a tool's input schema declares, or a sentence saying why its annotations are invalid. */
export function readParamHeaders(inputSchema: unknown): ParamHeaders | string {
  const found: ParamHeader[] = [];
  const seen = new Set<string>();
  const reached = new Set<object>();
  let problem: string | undefined;

  const visit = (schema: unknown, path: readonly string[]): void => {
    if (!isObject(schema) || problem !== undefined) return;
    reached.add(schema);
    if ('x-mcp-header' in schema) {
      const name = schema['x-mcp-header'];
      if (typeof name !== 'string' || !TOKEN.test(name)) {
        problem = `x-mcp-header at ${path.join('.') || 'the root'} is not a header token`;
      } else if (path.length === 0) {
        problem = 'x-mcp-header stands on the root, not on a parameter';
      } else if (typeof schema.type !== 'string' || !PRIMITIVE.has(schema.type)) {
        problem = `x-mcp-header at ${path.join('.')} needs type string, integer or boolean`;
      } else if (seen.has(name.toLowerCase())) {
        problem = `x-mcp-header '${name}' is declared twice`;
      } else {
        seen.add(name.toLowerCase());
        found.push({ header: `mcp-param-${name.toLowerCase()}`, wireName: `Mcp-Param-${name}`, path });
      }
    }
    if (isObject(schema.properties)) {
      for (const [key, child] of Object.entries(schema.properties)) visit(child, [...path, key]);
    }
  };
  visit(inputSchema, []);
  if (problem === undefined && hasUnreachedAnnotation(inputSchema, reached)) {
    problem = 'x-mcp-header stands where no chain of properties leads';
  }
  return problem ?? found;
}

/** An annotation outside chains of `properties` (under items, allOf, $defs, …) makes the tool invalid. */
function hasUnreachedAnnotation(root: unknown, reached: ReadonlySet<object>): boolean {
  const stack: unknown[] = [root];
  while (stack.length > 0) {
    const node = stack.pop();
    if (Array.isArray(node)) {
      stack.push(...node);
    } else if (isObject(node)) {
      if ('x-mcp-header' in node && !reached.has(node) && typeof node['x-mcp-header'] !== 'object') return true;
      for (const [key, child] of Object.entries(node)) {
        // Data, not schemas: a property may well be called x-mcp-header in an example.
        if (key !== 'const' && key !== 'enum' && key !== 'default' && key !== 'examples') stack.push(child);
      }
    }
  }
  return false;
}

function valueAt(args: unknown, path: readonly string[]): unknown {
  let value = args;
  for (const key of path) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

const asText = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isSafeInteger(value))
    ? String(value)
    : undefined;

/** The headers of a call to a tool with these declarations. Values that are null, absent or not primitive have none. */
export function buildParamHeaders(declared: ParamHeaders, args: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { wireName, path } of declared) {
    const text = asText(valueAt(args, path));
    if (text !== undefined) headers[wireName] = encodeHeaderValue(text);
  }
  return headers;
}

/** A sentence when an incoming call's `Mcp-Param-…` headers and its arguments disagree (-32020). */
export function paramHeaderMismatch(
  declared: ParamHeaders,
  args: JsonObject | undefined,
  header: HeaderReader,
): string | undefined {
  for (const { header: name, wireName, path } of declared) {
    const value = valueAt(args, path);
    const text = asText(value);
    const sent = header(name);
    if (text === undefined) {
      if (sent !== undefined && (value === undefined || value === null)) {
        return `the ${wireName} header has no counterpart in the arguments`;
      }
      continue;
    }
    if (sent === undefined) return `the ${wireName} header is missing`;
    const decoded = decodeHeaderValue(sent);
    if (decoded === undefined) return `the ${wireName} header is not valid Base64 of UTF-8`;
    // Integers are compared as numbers: 42.0 and 42 are the same value.
    const same = typeof value === 'number' ? decoded.trim() !== '' && Number(decoded) === value : decoded === text;
    if (!same) return `the ${wireName} header and the arguments disagree`;
  }
  return undefined;
}
