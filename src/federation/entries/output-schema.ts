/**
 * Output schemas for legacy clients. 2026-07-28 allows a schema of any type, earlier revisions objects only; what is no
 * object is shown as the member `result` of one, as the official server SDK shows it to its own legacy clients.
 * @module
 */
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

const ROOT = '#/properties/result';

/** Keywords whose value is data, in which `$ref` is a member like any other. */
const DATA: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples']);
/** Keywords whose value maps names of any kind to schemas. */
const MAPS: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies',
]);

const DRAFT_2019 = /^https?:\/\/json-schema\.org\/draft\/2019-09\/schema#?$/;

/** The schema of `{ result: <what the schema describes> }`. References within the schema keep their targets. */
export function wrappedSchema(schema: JsonObject): JsonObject {
  const { $schema, $id, $recursiveAnchor } = schema;
  const recursive = typeof $schema === 'string' && DRAFT_2019.test($schema) && $recursiveAnchor !== true;
  return {
    ...(typeof $schema === 'string' ? { $schema } : {}),
    type: 'object',
    properties: { result: isBase($id) ? schema : moved(schema, recursive) },
    required: ['result'],
  };
}

/** Whether references below resolve against this `$id`. One that is a fragment is an anchor of draft 7. */
const isBase = ($id: unknown): boolean => $id !== undefined && !(typeof $id === 'string' && $id.startsWith('#'));

function moved(schema: unknown, recursive: boolean): unknown {
  if (Array.isArray(schema)) return schema.map((each) => moved(each, recursive));
  if (!isObject(schema) || isBase(schema.$id)) return schema;
  const entries: [string, unknown][] = [];
  for (const [key, value] of Object.entries(schema)) {
    if ((key === '$ref' || key === '$dynamicRef') && typeof value === 'string')
      entries.push([key, movedPointer(value)]);
    // What it names is the root of the document, which is another one now.
    else if (key === '$recursiveRef' && value === '#' && recursive) entries.push(['allOf', [{ $ref: ROOT }]]);
    else if (DATA.has(key)) entries.push([key, value]);
    else if (MAPS.has(key) && isObject(value)) entries.push([key, movedMap(value, recursive)]);
    else entries.push([key, moved(value, recursive)]);
  }
  const own = entries.filter(([key]) => key === 'allOf');
  if (own.length < 2) return Object.fromEntries(entries);
  const all = own.flatMap(([, value]) => (Array.isArray(value) ? value : []));
  return { ...Object.fromEntries(entries), allOf: all };
}

const movedMap = (schemas: JsonObject, recursive: boolean): JsonObject =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, moved(schema, recursive)]));

function movedPointer(reference: string): string {
  if (reference === '#') return ROOT;
  return reference.startsWith('#/') ? `${ROOT}${reference.slice(1)}` : reference;
}
