/**
 * CORS for the origins that may ask: what a page may send and what it may read. Origins that may not get none of this.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

const REQUEST_HEADERS =
  'accept, authorization, content-type, last-event-id, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id';
const PARAM_HEADER = /^mcp-param-[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** Lets the page at `origin` read the reply. */
export function allowOrigin(res: ServerResponse, origin: string): void {
  res.setHeader('access-control-allow-origin', origin);
  res.setHeader('access-control-expose-headers', 'Mcp-Session-Id, WWW-Authenticate, Retry-After');
  res.setHeader('vary', 'Origin');
}

/** Answers `OPTIONS`. Headers named after tool parameters cannot be listed beforehand: those asked for are allowed. */
export function answerPreflight(req: IncomingMessage, res: ServerResponse, keyHeaders: readonly string[]): void {
  const asked = String(req.headers['access-control-request-headers'] ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => PARAM_HEADER.test(name));
  res.writeHead(204, {
    allow: 'GET, POST, DELETE, OPTIONS',
    'access-control-allow-methods': 'GET, POST, DELETE',
    'access-control-allow-headers': [REQUEST_HEADERS, ...keyHeaders, ...asked].join(', '),
    'access-control-max-age': '600',
  });
  res.end();
}
