/**
 * The addresses of the HTTP endpoint, and what each leads to.
 * @module
 */

export type Transport = 'mcp' | 'sse' | 'messages';

/** An address of the protocol: whose, and with what query. */
export interface McpRoute {
  to: Transport;
  server: string | undefined;
  query: URLSearchParams | undefined;
}

/** An address of the administration API: everything at `/admin` and below. */
export interface AdminAddress {
  to: 'admin';
  path: string;
  query: URLSearchParams | undefined;
}

export type Route = McpRoute | AdminAddress | { to: 'healthz' } | { to: 'readyz' };

const MERGED: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['/mcp', { to: 'mcp', server: undefined, query: undefined }],
  ['/sse', { to: 'sse', server: undefined, query: undefined }],
  // Where mcp-agent-proxy has it.
  ['/mcp/sse', { to: 'sse', server: undefined, query: undefined }],
  ['/healthz', { to: 'healthz' }],
  ['/readyz', { to: 'readyz' }],
]);

const ONE_SERVER = /^\/servers\/([^/]+)\/(mcp|sse|messages)$/;

/** Undefined: there is nothing at this address. */
export function routeOf(url: string): Route | undefined {
  const exact = MERGED.get(url);
  if (exact) return exact;
  const mark = url.indexOf('?');
  // One slash too many at the end is what people type.
  const path = (mark === -1 ? url : url.slice(0, mark)).replace(/(?<=.)\/$/, '');
  const query = mark === -1 ? undefined : new URLSearchParams(url.slice(mark + 1));
  if (path === '/admin' || path.startsWith('/admin/')) return { to: 'admin', path, query };
  if (path === '/messages' || path === '/mcp/messages') return { to: 'messages', server: undefined, query };
  const match = ONE_SERVER.exec(path);
  if (!match) return MERGED.get(path);
  const server = decode(match[1] as string);
  return server === undefined ? undefined : { to: match[2] as Transport, server, query };
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
