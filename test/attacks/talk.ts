/**
 * Requests of an attacker who holds a key: raw, in either era, at any endpoint.
 * @module
 */
import type { OwnGateway } from '../e2e/gateway.ts';
import { envelope, modernRequest, type RawReply, send } from '../e2e/raw.ts';

type Params = Record<string, unknown>;
type Key = { headers: Record<string, string> } | undefined;

const INFO = { name: 'raw', version: '1.0.0' };

/** One modern request. */
export function modern(
  url: string | URL,
  key: Key,
  method: string,
  params: Params = {},
  options: { capabilities?: object; headers?: Record<string, string> } = {},
): Promise<RawReply> {
  const request = modernRequest(method, params, { capabilities: options.capabilities ?? {} });
  return send(url, { ...request, headers: { ...request.headers, ...key?.headers, ...options.headers } });
}

/** A modern request whose text is given: what no JSON library writes. `params` begins after the envelope. */
export const modernText = (url: string | URL, key: Key, method: string, name: string, params: string) =>
  send(url, {
    headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, 'mcp-name': name, ...key?.headers },
    body: `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{"_meta":${JSON.stringify(envelope())},${params}}}`,
  });

export interface Session {
  id: string;
  request(method: string, params?: Params, id?: number): Promise<RawReply>;
  /** Any message, or a batch. */
  post(message: unknown): Promise<RawReply>;
}

/** A legacy session. */
export async function legacy(
  url: string | URL,
  key: Key,
  {
    capabilities = {},
    version = '2025-11-25',
    accept,
  }: { capabilities?: object; version?: string; accept?: string } = {},
): Promise<Session> {
  const accepts: Record<string, string> = accept === undefined ? {} : { accept };
  const opened = await send(url, {
    headers: { ...accepts, ...key?.headers },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: version, capabilities, clientInfo: INFO },
    }),
  });
  const id = opened.headers.get('mcp-session-id');
  if (!id) throw new Error(`No session was opened: ${opened.status} ${opened.text}`);
  const headers = { 'mcp-session-id': id, 'mcp-protocol-version': version, ...accepts, ...key?.headers };
  const post = (message: unknown): Promise<RawReply> => send(url, { headers, body: JSON.stringify(message) });
  await post({ jsonrpc: '2.0', method: 'notifications/initialized' });
  let next = 0;
  return {
    id,
    post,
    request: (method, params = {}, own = ++next) => post({ jsonrpc: '2.0', id: own, method, params }),
  };
}

/** Resolves when a caller is next asked for something. */
export function nextAsk({ gateway }: OwnGateway): Promise<void> {
  return new Promise((resolve) => {
    const stop = gateway.on('ask', () => {
      stop();
      resolve();
    });
  });
}

export interface Denial {
  code: string;
  rule: string;
  approvalId?: string;
  reason: string;
  retryAfterMs?: number;
}

/** Why a tool was denied. */
export const denialOf = ({ message }: RawReply): Denial | undefined =>
  (message.result?._meta as Record<string, Denial> | undefined)?.['switchboard/denial'];

export const isRefused = (reply: RawReply): boolean =>
  reply.message.error !== undefined || reply.message.result?.isError === true || reply.status >= 400;
