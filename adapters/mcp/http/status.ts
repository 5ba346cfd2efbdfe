/**
 * What an HTTP response that is no success means, in words for the client: nothing of an HTML or text body is shown.
 * @module
 */
import { SwitchboardError, type UpstreamError } from '../../../src/core/errors.ts';
import { Evidence } from '../../../src/core/evidence.ts';
import { outline } from '../../../src/wire/json/outline.ts';
import { joined, withoutByteOrderMark } from '../../../src/wire/pieces.ts';
import type { HttpHead } from '../../shared/origin.ts';
import { upstreamErrorOf } from '../session/frames.ts';

export const isSuccess = (status: number): boolean => status >= 200 && status < 300;

/** The error for a response with this head and body. A JSON-RPC error in the body is the upstream's own word. */
export function statusError(name: string, head: HttpHead, body: Buffer): SwitchboardError | UpstreamError {
  const { status } = head;
  const cause = new Evidence(status, head.headers['content-type'], body);
  if (status === 401 || status === 403) {
    // RFC 9728: the challenge of a server that requires an OAuth token names the address of its metadata.
    const oauth = /\bresource_metadata\s*=/i.test(head.headers['www-authenticate'] ?? '');
    return new SwitchboardError('SWB_UPSTREAM_AUTH', AUTH[status](name), {
      data: { server: name, status, oauth },
      cause,
    });
  }
  const said = rpcErrorOf(body);
  if (said) {
    said.error.cause = cause;
    return said.error;
  }
  const retryAfterMs = retryAfterOf(head);
  return new SwitchboardError('SWB_UPSTREAM_HTTP', `Server '${name}' answered with HTTP ${status}${note(status)}.`, {
    data: { server: name, status },
    cause,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

const AUTH = {
  401: (name: string) =>
    `Server '${name}' does not accept the credentials it is configured with, or needs some (HTTP 401).`,
  403: (name: string) => `Server '${name}' forbids this with the credentials it is configured with (HTTP 403).`,
} as const;

function note(status: number): string {
  if (status >= 300 && status < 400) return ', a redirect, which is followed only when connecting';
  if (status === 404) return ': nothing is served there';
  if (status === 429) return ': it is asked too often';
  return '';
}

/** The JSON-RPC error a body holds, and the id it answers. */
export function rpcErrorOf(bytes: Buffer): { error: UpstreamError; id: unknown } | undefined {
  const body = joined(withoutByteOrderMark([bytes]));
  if (body.length === 0) return undefined;
  try {
    const { error, id, result, deep } = outline(body);
    if (!error || result || body[error.start] !== 0x7b) return undefined;
    const bytes = body.subarray(error.start, error.end);
    // Not everything with an `error` member is JSON-RPC: web APIs have those too.
    if (!/"code"\s*:\s*-?\d/.test(bytes.toString('latin1'))) return undefined;
    return { error: upstreamErrorOf(bytes, deep), id };
  } catch {
    return undefined;
  }
}

/** `Retry-After` in milliseconds, bounded by an hour. */
function retryAfterOf({ headers }: HttpHead): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined || !/^\d{1,6}$/.test(text.trim())) return undefined;
  return Math.min(Number(text), 3600) * 1000;
}
