/**
 * What is known of a schema before it is compiled: whether it is small enough, what it is written in, and whether there is
 * anything in it to check. Compiling takes about 0.1 ms for each subschema, and generated code nests as deep as there are
 * properties in a row, so the number of subschemas is what bounds it.
 * @module
 */
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

const MAX_OBJECTS = 600;
const MAX_VALUES = 20_000;
const MAX_DEPTH = 64;
const MAX_CHARS = 128 * 1024;

export type Dialect = '2020-12' | '2019-09' | 'draft-07';

/** Draft 6 is draft 7 without `if`. No `$schema` means 2020-12 (2025-11-25 basic, "JSON Schema Usage"). */
const DIALECTS: ReadonlyMap<string, Dialect> = new Map([
  ['json-schema.org/draft/2020-12/schema', '2020-12'],
  ['json-schema.org/draft/2019-09/schema', '2019-09'],
  ['json-schema.org/draft-07/schema', 'draft-07'],
  ['json-schema.org/draft-06/schema', 'draft-07'],
]);

export function dialectOf({ $schema }: JsonObject): Dialect | undefined {
  if ($schema === undefined) return '2020-12';
  if (typeof $schema !== 'string') return undefined;
  return DIALECTS.get($schema.replace(/^https?:\/\//, '').replace(/#$/, ''));
}

/** False for `true`, `{}` and values that are no schema: they allow any arguments. */
export function hasContent(schema: unknown): schema is JsonObject {
  if (!isObject(schema)) return false;
  // Every call asks: no list of the names is made.
  for (const _ in schema) return true;
  return false;
}

/** Why it is not compiled, or undefined. Walks no further than the bounds. */
export function outOfBounds(schema: JsonObject): string | undefined {
  const open: { value: unknown; depth: number }[] = [{ value: schema, depth: 1 }];
  let objects = 0;
  let values = 0;
  let chars = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    if (typeof value === 'string') chars += value.length;
    if (typeof value === 'object' && value !== null) {
      if (!Array.isArray(value)) objects++;
      if (depth > MAX_DEPTH) return `it is nested deeper than ${MAX_DEPTH} levels`;
      const members = Object.entries(value);
      values += members.length;
      if (objects > MAX_OBJECTS || values > MAX_VALUES) return 'it has too many parts';
      for (const [key, member] of members) {
        chars += Array.isArray(value) ? 0 : key.length;
        open.push({ value: member, depth: depth + 1 });
      }
    }
    if (chars > MAX_CHARS) return 'it is too long';
  }
  return undefined;
}

const REVERSING = new Set(['not', 'oneOf', 'if', 'contains', 'unevaluatedProperties', 'unevaluatedItems']);

/**
 * Whether leaving out a `pattern` can only make the schema accept more. Keywords that turn a match into a refusal would
 * refuse what fits. Properties with such names count as well, which costs nothing but a check.
 */
export function maySkipPatterns(schema: JsonObject): boolean {
  const open: unknown[] = [schema];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, member] of Object.entries(value)) {
      if (REVERSING.has(key)) return false;
      if (member !== undefined) open.push(member);
    }
  }
  return true;
}
