/**
 * The names of a schema's parameters, those inside objects and alternatives too: `action.shell` is what makes a watcher
 * dangerous. Bounded: the schema is somebody else's.
 * @module
 */
import { isObject } from '../../wire/jsonrpc.ts';

const MAX_NODES = 2_000;
const MAX_DEPTH = 8;

/** Keywords whose value is a schema or a list of schemas. */
const INNER = ['items', 'additionalProperties', 'anyOf', 'oneOf', 'allOf', 'prefixItems', 'then', 'else'] as const;
/** Keywords whose value is schemas by name. */
const MAPS = ['$defs', 'definitions', 'patternProperties', 'dependentSchemas'] as const;

export function parameterNames(schema: unknown): string[] {
  const names = new Set<string>();
  const open: { node: unknown; depth: number }[] = [{ node: schema, depth: 0 }];
  for (let seen = 0; seen < MAX_NODES; seen++) {
    const next = open.pop();
    if (next === undefined) break;
    const { node, depth } = next;
    if (!isObject(node) || depth > MAX_DEPTH) continue;
    const inner = (value: unknown): void => void open.push({ node: value, depth: depth + 1 });
    if (isObject(node.properties)) {
      for (const [name, value] of Object.entries(node.properties).slice(0, MAX_NODES)) {
        names.add(name);
        inner(value);
      }
    }
    for (const key of INNER) {
      const value = node[key];
      if (Array.isArray(value)) value.slice(0, MAX_NODES).forEach(inner);
      else inner(value);
    }
    for (const key of MAPS) {
      const value = node[key];
      if (isObject(value)) Object.values(value).slice(0, MAX_NODES).forEach(inner);
    }
  }
  return [...names];
}
