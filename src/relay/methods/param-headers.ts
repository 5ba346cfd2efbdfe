/**
 * Checks `Mcp-Param-…` headers of a modern HTTP client against the arguments they mirror. To such a client the gateway is
 * the server, so it checks whatever the upstream is (2026-07-28 transports/streamable-http, "Server Behavior for Custom
 * Headers"); a modern HTTP upstream receives the same headers and checks again.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import type { Entry } from '../../core/upstream.ts';
import { requireUniqueKeys } from '../../wire/json/source.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { type ParamHeaders, paramHeaderMismatch, readParamHeaders } from '../../wire/param-headers.ts';

/** By entry, which is replaced and never changed. */
const declarations = new WeakMap<Entry, ParamHeaders>();

function declaredBy(entry: Entry): ParamHeaders {
  let declared = declarations.get(entry);
  if (!declared) {
    const read = readParamHeaders(entry.value.inputSchema);
    // An invalid declaration is none: clients mirror nothing for it.
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
