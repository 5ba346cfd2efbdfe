/**
 * The addresses of the HTTP endpoint, and what each leads to.
 * @module
 */

import { CLIENT_METADATA_PATH } from '../../auth/upstream/types.ts';
import type { ConnectAddress } from '../connect/connect.ts';

export type Transport = 'mcp' | 'sse' | 'messages';

/** An address of the protocol: whose, and with what query. */
export interface McpRoute {
  to: Transport;
  server: string | undefined;
  query: URLSearchParams | undefined;
}

/** An address of the administration API: everything at `/admin` and below, and `/metrics`. */
export interface AdminAddress {
  to: 'admin';
  path: string;
  query: URLSearchParams | undefined;
  /** By another replica, which has checked who asks. */
  passedOn?: true;
}

/** An address at which agents are offered by another protocol than MCP. */
export interface AgentRoute {
  to: 'a2a' | 'responses';
  /** Of A2A; undefined at the list of cards, and for the Responses API. */
  server: string | undefined;
  agent: string | undefined;
  /** What follows the agent, or `/v1`: empty, or with a slash in front. */
  path: string;
}

/** An address of the gateway's own authorization server. */
export interface AuthorizeAddress {
  to: 'authorize';
}

/** Where clients learn how to log in: `path` is that of the endpoint they would log in for. */
export interface MetadataAddress {
  to: 'metadata';
  path: string;
}

export type Route =
  | McpRoute
  | AgentRoute
  | AdminAddress
  | AuthorizeAddress
  | ConnectAddress
  | { to: 'home' }
  | { to: 'client' }
  | MetadataAddress
  | { to: 'healthz' }
  | { to: 'readyz' };

const MERGED: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['/', { to: 'home' }],
  ['/mcp', { to: 'mcp', server: undefined, query: undefined }],
  ['/sse', { to: 'sse', server: undefined, query: undefined }],
  // Where mcp-agent-proxy has it.
  ['/mcp/sse', { to: 'sse', server: undefined, query: undefined }],
  ['/healthz', { to: 'healthz' }],
  ['/readyz', { to: 'readyz' }],
  // Of the administration, at the address where scrapers look.
  ['/metrics', { to: 'admin', path: '/metrics', query: undefined }],
  [CLIENT_METADATA_PATH, { to: 'client' }],
]);

/** RFC 9728, section 3. */
export const METADATA_PATH = '/.well-known/oauth-protected-resource';

const ONE_AGENT = /^\/a2a\/([^/]+)\/([^/]+)(\/.*)?$/;

const CONNECT = /^\/connect\/([\w-]{1,64})$/;

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
  if (isAuthorizePath(path)) return { to: 'authorize' };
  if (path === METADATA_PATH || path.startsWith(`${METADATA_PATH}/`)) {
    // With the slash at the end, where there is one: what clients typed is what they compare.
    const whole = mark === -1 ? url : url.slice(0, mark);
    return { to: 'metadata', path: whole.slice(METADATA_PATH.length) };
  }
  const page = CONNECT.exec(path)?.[1];
  if (page !== undefined) return { to: 'connect', page, query };
  if (path === '/messages' || path === '/mcp/messages') return { to: 'messages', server: undefined, query };
  if (path === '/a2a') return { to: 'a2a', server: undefined, agent: undefined, path: '' };
  const agent = ONE_AGENT.exec(path);
  if (agent) return agentRoute(agent);
  if (path.startsWith('/v1/'))
    return { to: 'responses', server: undefined, agent: undefined, path: path.slice('/v1'.length) };
  const match = ONE_SERVER.exec(path);
  if (!match) return MERGED.get(path);
  const server = decode(match[1] as string);
  return server === undefined ? undefined : { to: match[2] as Transport, server, query };
}

function agentRoute([, server = '', agent = '', path = '']: RegExpExecArray): AgentRoute | undefined {
  const [named, called] = [decode(server), decode(agent)];
  return named === undefined || called === undefined ? undefined : { to: 'a2a', server: named, agent: called, path };
}

const AUTHORIZE = /^\/(?:authorize(?:\/.*)?|token|register|revoke|jwks)$/;
const METADATA = /^\/\.well-known\/(?:oauth-authorization-server|openid-configuration)(?:\/.*)?$/;

const isAuthorizePath = (path: string): boolean => AUTHORIZE.test(path) || METADATA.test(path);

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
