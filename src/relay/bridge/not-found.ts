/**
 * Errors of `resources/read` name the resource as its client did.
 * @module
 */

import { RPC, UpstreamError } from '../../core/errors.ts';
import type { Era } from '../../wire/eras.ts';
import { isObject } from '../../wire/jsonrpc.ts';

const NOT_FOUND: ReadonlySet<number> = new Set([RPC.resourceNotFound, RPC.invalidParams]);

export interface Asked {
  /** As the client spelled it. */
  uri: string;
  /** As the server knows it. */
  original: string;
  era: Era;
}

/**
 * The error with `data.uri` in the client's spelling. Where a server left it out, modern clients get it all the same:
 * there the code alone no longer says that a resource was not found (2026-07-28 server/resources, "Error Handling").
 */
export function withAskedUri(error: unknown, { uri, original, era }: Asked): unknown {
  if (!(error instanceof UpstreamError) || !NOT_FOUND.has(error.rpcCode)) return error;
  const { data, rpcCode: code, message } = error;
  if (data === undefined) return era === 'modern' ? new UpstreamError({ code, message, data: { uri } }) : error;
  if (!isObject(data) || data.uri !== original || uri === original) return error;
  return new UpstreamError({ code, message, data: { ...data, uri } });
}
