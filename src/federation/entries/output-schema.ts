/**
 * Output schemas for legacy clients. 2026-07-28 allows a schema of any type, earlier revisions objects only; what is no
 * object is shown as the member `result` of one, as the official server SDK shows it to its own legacy clients.
 * @module
 */
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

/** Where a schema stands that becomes a property of another one. */
type Place = `#/properties/${string}`;
const RESULT: Place = '#/properties/result';

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
  const { $schema } = schema;
  return {
    ...(typeof $schema === 'string' ? { $schema } : {}),
    type: 'object',
    properties: { result: schemaAt(RESULT, schema) },
    required: ['result'],
  };
}

/** The schema as it has to be written at another place than a root: references within it keep their targets. */
export function schemaAt(place: Place, schema: JsonObject): JsonObject {
  const { $schema, $id, $recursiveAnchor } = schema;
  if (isBase($id)) return schema;
  const recursive = typeof $schema === 'string' && DRAFT_2019.test($schema) && $recursiveAnchor !== true;
  return moved(schema, { place, recursive }) as JsonObject;
}

interface Move {
  place: Place;
  /** `$recursiveRef` means the root. */
  recursive: boolean;
}

/** Whether references below resolve against this `$id`. One that is a fragment is an anchor of draft 7. */
const isBase = ($id: unknown): boolean => $id !== undefined && !(typeof $id === 'string' && $id.startsWith('#'));

function moved(schema: unknown, move: Move): unknown {
  if (Array.isArray(schema)) return schema.map((each) => moved(each, move));
  if (!isObject(schema) || isBase(schema.$id)) return schema;
  const entries: [string, unknown][] = [];
  for (const [key, value] of Object.entries(schema)) {
    if ((key === '$ref' || key === '$dynamicRef') && typeof value === 'string')
      entries.push([key, movedPointer(value, move.place)]);
    // What it names is the root of the document, which is another one now.
    else if (key === '$recursiveRef' && value === '#' && move.recursive)
      entries.push(['allOf', [{ $ref: move.place }]]);
    else if (DATA.has(key)) entries.push([key, value]);
    else if (MAPS.has(key) && isObject(value)) entries.push([key, movedMap(value, move)]);
    else entries.push([key, moved(value, move)]);
  }
  const own = entries.filter(([key]) => key === 'allOf');
  if (own.length < 2) return Object.fromEntries(entries);
  const all = own.flatMap(([, value]) => (Array.isArray(value) ? value : []));
  return { ...Object.fromEntries(entries), allOf: all };
}

const movedMap = (schemas: JsonObject, move: Move): JsonObject =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, moved(schema, move)]));

function movedPointer(reference: string, place: Place): string {
  if (reference === '#') return place;
  return reference.startsWith('#/') ? `${place}${reference.slice(1)}` : reference;
}
