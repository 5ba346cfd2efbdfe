/**
 * Requests to a gateway without any client library: what is really on the wire, and what no library would send.
 * @module
 */
import { META } from '../../src/wire/envelope.ts';

export interface RawReply {
  status: number;
  headers: Headers;
  text: string;
  /** The JSON body, or the last message of the event stream. */
  message: Record<string, unknown> & {
    result?: Record<string, unknown>;
    error?: { code: number; message: string; data?: Record<string, unknown> };
  };
}

export interface RawRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  signal?: AbortSignal;
}

const BOTH = 'application/json, text/event-stream';

/** Sends exactly this, over what every MCP request has; a header given as '' is left out. */
export async function send(
  url: string | URL,
  { method = 'POST', headers = {}, body, signal }: RawRequest,
): Promise<RawReply> {
  const all: Record<string, string> = { 'content-type': 'application/json', accept: BOTH, ...headers };
  for (const [name, value] of Object.entries(all)) if (value === '') delete all[name];
  const response = await fetch(url, {
    method,
    headers: all,
    ...(body === undefined ? {} : { body }),
    ...(signal ? { signal } : {}),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, message: messageOf(text) };
}

function messageOf(text: string): RawReply['message'] {
  const lines = text.split('\n').filter((line) => line.startsWith('data: ') && line.length > 'data: '.length);
  const json = lines.at(-1)?.slice('data: '.length) ?? text;
  try {
    return JSON.parse(json) as RawReply['message'];
  } catch {
    return {};
  }
}

/** The `_meta` of a modern request. */
export const envelope = (capabilities: object = {}): Record<string, unknown> => ({
  [META.protocolVersion]: '2026-07-28',
  [META.clientInfo]: { name: 'raw', version: '1.0.0' },
  [META.clientCapabilities]: capabilities,
});

/** A request as a modern client sends it. */
export function modernRequest(
  method: string,
  params: Record<string, unknown> = {},
  { id = 1, capabilities = {} }: { id?: number | string; capabilities?: object } = {},
): RawRequest & { headers: Record<string, string> } {
  const name = params.name ?? params.uri;
  return {
    headers: {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: envelope(capabilities) } }),
  };
}

/** Opens a legacy session and gives its id. */
export async function openSession(url: string | URL, capabilities: object = {}): Promise<string> {
  const params = {
    protocolVersion: '2025-11-25',
    capabilities,
    clientInfo: { name: 'raw', version: '1.0.0' },
  };
  const opened = await send(url, {
    body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }),
  });
  const session = opened.headers.get('mcp-session-id');
  if (!session) throw new Error(`No session was opened: ${opened.status} ${opened.text}`);
  await send(url, {
    ...inSession(session, 'notifications/initialized'),
    body: '{"jsonrpc":"2.0","method":"notifications/initialized"}',
  });
  return session;
}

/** A request as a legacy client sends it in its session. */
export const inSession = (
  session: string,
  method: string,
  params: Record<string, unknown> = {},
  id: number | string = 1,
): RawRequest & { headers: Record<string, string> } => ({
  headers: { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' },
  body: JSON.stringify({ jsonrpc: '2.0', id, method, params }),
});
