/**
 * A raw MCP server over HTTP whose handshake is ordinary and whose answers to everything else a test writes by hand: for
 * faults that no real server makes on request.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Era } from '../../../src/wire/eras.ts';
import { isObject, type JsonObject } from '../../../src/wire/jsonrpc.ts';
import { type RawServer, readBody, startRawServer } from '../../testing/faults.ts';

export interface Incoming {
  message: JsonObject & { method?: string; id?: number; params?: JsonObject };
  request: IncomingMessage;
  response: ServerResponse;
  /** Sends a result as JSON. */
  result(result: object): void;
  /** Sends a JSON-RPC error as JSON, with this HTTP status. */
  error(code: number, message: string, status?: number, data?: unknown): void;
}

export interface ScriptedServer extends RawServer {
  url: string;
  /** Every message POSTed, in order. */
  readonly posted: { message: Incoming['message']; headers: IncomingMessage['headers'] }[];
  /** Methods of requests other than POST, in order. */
  readonly others: { method: string; headers: IncomingMessage['headers'] }[];
}

export interface Script {
  era: Era;
  capabilities?: JsonObject;
  /** The session a legacy server names; none when left out. */
  sessionId?: string;
  /** Answers anything, the handshake too. False: answer as usual. */
  first?(incoming: Incoming): boolean | undefined | Promise<boolean | undefined>;
  /** Answers everything after the handshake. False: answer as usual (a method that is not known). */
  on?(incoming: Incoming): boolean | undefined | Promise<boolean | undefined>;
  /** Answers GET and DELETE; 405 when left out. */
  other?(request: IncomingMessage, response: ServerResponse): void;
}

export async function startScripted(script: Script): Promise<ScriptedServer> {
  const posted: ScriptedServer['posted'] = [];
  const others: ScriptedServer['others'] = [];
  const server = await startRawServer(async (request, response) => {
    if (request.method !== 'POST') {
      others.push({ method: request.method ?? '', headers: request.headers });
      if (script.other) script.other(request, response);
      else response.writeHead(405).end();
      return;
    }
    const message = JSON.parse(await readBody(request)) as Incoming['message'];
    posted.push({ message, headers: request.headers });
    const json = (status: number, body: object): void => {
      const headers: Record<string, string> = { 'content-type': 'application/json' };
      if (script.sessionId !== undefined) headers['mcp-session-id'] = script.sessionId;
      response.writeHead(status, headers).end(JSON.stringify({ jsonrpc: '2.0', ...body }));
    };
    const incoming: Incoming = {
      message,
      request,
      response,
      result: (result) => json(200, { id: message.id, result }),
      error: (code, text, status = 200, data) =>
        json(status, { id: message.id, error: { code, message: text, ...(data === undefined ? {} : { data }) } }),
    };
    if ((await script.first?.(incoming)) === true) return;
    if (greet(script, incoming)) return;
    if ((await script.on?.(incoming)) === true) return;
    if (message.id === undefined) response.writeHead(202).end();
    else incoming.error(-32601, 'Method not found', script.era === 'modern' ? 404 : 200);
  });
  return { ...server, url: `${server.origin}/mcp`, posted, others };
}

function greet({ era, capabilities = { tools: {} } }: Script, { message, result, error }: Incoming): boolean {
  const serverInfo = { name: 'scripted', version: '1' };
  if (message.method === 'initialize') {
    if (era === 'modern') {
      error(-32022, 'Unsupported protocol version', 400, { supported: ['2026-07-28'], requested: '2025-11-25' });
    } else {
      const asked = isObject(message.params) ? message.params.protocolVersion : undefined;
      result({ protocolVersion: asked, capabilities, serverInfo });
    }
    return true;
  }
  if (message.method !== 'server/discover') return false;
  if (era === 'legacy') error(-32000, 'Bad Request: Server not initialized', 400);
  else result({ resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities, serverInfo });
  return true;
}
