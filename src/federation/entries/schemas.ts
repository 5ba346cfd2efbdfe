/**
 * The schemas of tools, as the official SDKs read them. Arguments are always an object, so an input schema that does not
 * state the type means one.
 * @module
 */
import type { Era } from '../../wire/eras.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { type Findings, typeName } from './findings.ts';
import { wrappedSchema } from './output-schema.ts';

/** What PHP writes for an object without members. */
const isEmptyArray = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** Whether it allows everything, and so says nothing. */
const saysNothing = (schema: unknown): boolean => schema === null || schema === true || isEmptyArray(schema);

export function checkInputSchema({ inputSchema: schema }: JsonObject, found: Findings): void {
  if (schema === undefined || saysNothing(schema)) {
    found.mend(['inputSchema'], { type: 'object' });
    return;
  }
  if (!isObject(schema)) {
    found.refuse(`its inputSchema is ${typeName(schema)}, not an object`);
    return;
  }
  const { type } = schema;
  if (type !== 'object') {
    const allowsObjects = type === undefined || type === null || (Array.isArray(type) && type.includes('object'));
    if (!allowsObjects) {
      found.refuse(`its inputSchema has the type ${shown(type)}, not "object"`);
      return;
    }
    found.mend(['inputSchema', 'type'], 'object');
  }
  checkKeywords('inputSchema', schema, found);
  checkForLegacy('inputSchema', schema, found);
}

/** `era` is the server's: in a legacy one, a schema without a type describes an object. */
export function checkOutputSchema({ outputSchema: schema }: JsonObject, era: Era, found: Findings): void {
  if (schema === undefined) return;
  if (saysNothing(schema)) {
    found.mend(['outputSchema']);
    return;
  }
  if (!isObject(schema)) {
    found.refuse(`its outputSchema is ${typeName(schema)}, not an object`);
    return;
  }
  checkKeywords('outputSchema', schema, found);
  const untyped = schema.type === undefined || schema.type === null;
  if (schema.type === 'object') checkForLegacy('outputSchema', schema, found);
  else if (untyped && era === 'legacy') {
    if (Object.keys(schema).length === 0) {
      found.mendForLegacy(['outputSchema']);
      return;
    }
    found.mendForLegacy(['outputSchema', 'type'], 'object');
    checkForLegacy('outputSchema', schema, found);
  } else {
    found.mendForLegacy(['outputSchema'], wrappedSchema(schema));
    found.wrapsOutput = true;
  }
}

/** Keywords that no client of either era reads as they stand. */
function checkKeywords(name: string, schema: JsonObject, found: Findings): void {
  const { $schema, properties, required } = schema;
  if ($schema !== undefined && typeof $schema !== 'string') found.mend([name, '$schema']);
  if (properties === null) found.mend([name, 'properties']);
  else if (isEmptyArray(properties)) found.mend([name, 'properties'], {});
  if (required === null) found.mend([name, 'required']);
}

/** Legacy clients look one level deeper. */
function checkForLegacy(name: string, { properties, required }: JsonObject, found: Findings): void {
  if (isObject(properties)) {
    for (const [property, schema] of Object.entries(properties)) {
      if (typeof schema === 'object' && schema !== null) continue;
      if (schema === true || schema === null) found.mendForLegacy([name, 'properties', property], {});
      else if (schema === false) found.mendForLegacy([name, 'properties', property], { not: {} });
      else found.refuseForLegacy(`the property '${property}' of its ${name} is ${typeName(schema)}, not a schema`);
    }
  } else if (properties !== undefined && properties !== null && !isEmptyArray(properties)) {
    found.refuseForLegacy(`the properties of its ${name} are ${typeName(properties)}, not an object`);
  }
  const isRead = required === undefined || required === null;
  if (!isRead && !(Array.isArray(required) && required.every((each) => typeof each === 'string'))) {
    found.refuseForLegacy(`'required' of its ${name} is no list of names`);
  }
}

const shown = (type: unknown): string => JSON.stringify(type).slice(0, 80);
