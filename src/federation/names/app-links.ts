/**
 * The link from a tool to its user interface (MCP Apps 2026-01-26): `_meta.ui.resourceUri`, or the older
 * `_meta["ui/resourceUri"]`. In the merged view it must lead to the resource of the tool's own server, however many
 * servers have one of that URI, so it is spelled as that resource is.
 * @module
 */
import { replaceSpans, spanAt, wholeSpan } from '../../wire/json/splice.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

/** Where the link stands: the way from the tool to it. */
const PATHS: readonly (readonly string[])[] = [
  ['_meta', 'ui', 'resourceUri'],
  ['_meta', 'ui/resourceUri'],
];

const UI = /^ui:\/\//i;

/** `bytes` is the tool as JSON and `value` the same, parsed: most tools link to nothing, and cost one look at it. */
export function exposeAppLinks(bytes: Buffer, value: JsonObject, expose: (uri: string) => string): Buffer {
  if (!isObject(value._meta)) return bytes;
  let result = bytes;
  for (const path of PATHS) {
    const uri = path.reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), value);
    // Anything else is no link to an app, and a host refuses it.
    if (typeof uri !== 'string' || !UI.test(uri)) continue;
    const span = spanAt(result, wholeSpan(result), ...path);
    if (span) result = replaceSpans(result, [{ ...span, json: JSON.stringify(expose(uri)) }]);
  }
  return result;
}
