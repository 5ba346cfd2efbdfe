/**
 * Answers of clients that know no forms, as results of an elicitation.
 * @module
 */
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

/**
 * Data is the content of the form; text is the value of its first required field. A value that does not fit the field declines.
 * `params` are those of the elicitation.
 */
export function elicitationResult(params: JsonObject, { text, data }: { text: string; data: unknown }): JsonObject {
  if (params.mode === 'url') return { action: 'accept' };
  if (isObject(data)) return { action: 'accept', content: data };
  const schema = isObject(params.requestedSchema) ? params.requestedSchema : {};
  const properties = isObject(schema.properties) ? schema.properties : {};
  const required = Array.isArray(schema.required) ? schema.required : [];
  const [field] = required.length > 0 ? required : Object.keys(properties);
  if (typeof field !== 'string') return { action: 'accept', content: {} };
  const value = asValue(text.trim(), properties[field]);
  return value === undefined ? { action: 'decline' } : { action: 'accept', content: { [field]: value } };
}

/** The text as a value of the field's type; undefined where it is none. */
function asValue(text: string, property: unknown): unknown {
  const type = isObject(property) ? property.type : 'string';
  if (type === 'boolean') {
    if (/^(?:true|yes|y|ok|approve|accept)$/i.test(text)) return true;
    return /^(?:false|no|n|decline|deny|reject|cancel)$/i.test(text) ? false : undefined;
  }
  if (type === 'number' || type === 'integer') {
    const value = Number(text);
    return text !== '' && Number.isFinite(value) ? value : undefined;
  }
  return text;
}
