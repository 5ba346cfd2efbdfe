/**
 * `Mcp-Param-…` headers of a modern HTTP client against the arguments they mirror. The gateway is the server such a
 * client talks to, so it checks, whatever is behind it (2026-07-28 transports/streamable-http, "Server Behavior for
 * Custom Headers"); a modern HTTP upstream gets the very headers and checks again.
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import type { Entry } from '../../core/upstream.ts';
import { requireUniqueKeys } from '../../wire/json/source.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { type ParamHeaders, paramHeaderMismatch, readParamHeaders } from '../../wire/param-headers.ts';

/** A catalog's entries are never changed: what a tool declares is read once. */
const declarations = new WeakMap<Entry, ParamHeaders>();

function declaredBy(entry: Entry): ParamHeaders {
  let declared = declarations.get(entry);
  if (!declared) {
    const read = readParamHeaders(entry.value.inputSchema);
    // Clients do not see invalid declarations as such, and so mirror nothing.
    declared = typeof read === 'string' ? [] : read;
    declarations.set(entry, declared);
  }
  return declared;
}

/** Throws -32020 when `sent` (lower-case names) and the arguments in `params` disagree. */
export function requireParamHeaders(entry: Entry, params: JsonObject, sent: Readonly<Record<string, string>>): void {
  const declared = declaredBy(entry);
  if (declared.length === 0) return;
  requireUniqueKeys(params, (name) => name === 'arguments');
  const args = params.arguments as JsonObject | undefined;
  const mismatch = paramHeaderMismatch(declared, args, (name) => sent[name]);
  if (mismatch !== undefined) throw new SwitchboardError('SWB_HEADER_MISMATCH', `Header mismatch: ${mismatch}.`);
}
