/**
 * An MCP server over plain HTTP that works until a tool is called: what it does then is the name of the tool. Each
 * fault is one that was seen of real servers, or that a broken network makes of them.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type RawServer, readBody, startRawServer } from '../../../adapters/testing/faults.ts';

type Fault = (response: ServerResponse, id: unknown) => void;

const JSON_TYPE = { 'content-type': 'application/json' };
const SSE_TYPE = { 'content-type': 'text/event-stream' };
const STACK = 'Error: boom\n    at run (/srv/secret/app.js:10:5)\n    at http://10.9.8.7:5432/db?password=hunter2';

const result = (id: unknown, text: string): string =>
  JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } });

/** Of these nothing of the reply is an answer to the call. */
const FAULTS: Readonly<Record<string, Fault>> = {
  html: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(`<h1>502</h1><pre>${STACK}</pre>`),
  error_page: (response) => response.writeHead(502, { 'content-type': 'text/html' }).end(`<pre>${STACK}</pre>`),
  error_text: (response) => response.writeHead(500, { 'content-type': 'text/plain' }).end(STACK),
  error_body: (response) => response.writeHead(200, JSON_TYPE).end(JSON.stringify({ error: STACK })),
  empty: (response) => response.writeHead(200, JSON_TYPE).end(),
  accepted: (response) => response.writeHead(202).end(),
  half_json: (response, id) => response.writeHead(200, JSON_TYPE).end(result(id, 'never complete').slice(0, -10)),
  half_frame: (response, id) =>
    response.writeHead(200, SSE_TYPE).end(`event: message\ndata: ${result(id, 'half').slice(0, 30)}`),
  stream_without_answer: (response) => response.writeHead(200, SSE_TYPE).end(': nothing\n\n'),
  other_id: (response) => response.writeHead(200, JSON_TYPE).end(result('somebody-else', 'not yours')),
  big_line: (response, id) =>
    response.writeHead(200, SSE_TYPE).end(`data: ${result(id, 'x'.repeat(9 * 1024 * 1024))}\n\n`),
  big_body: (response, id) => response.writeHead(200, JSON_TYPE).end(result(id, 'x'.repeat(9 * 1024 * 1024))),
  redirect: (response) => response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end(),
  unauthorized: (response) => response.writeHead(401, { 'www-authenticate': 'Bearer realm="secret-realm"' }).end(STACK),
  reset: (response) => response.socket?.resetAndDestroy(),
  closed_mid_body: (response, id) => {
    response.writeHead(200, { ...JSON_TYPE, 'content-length': '5000' });
    response.write(result(id, 'partial'), () => response.socket?.destroy());
  },
  closed_mid_stream: (response) => {
    response.writeHead(200, SSE_TYPE);
    response.write('event: message\ndata: {"jsonrpc":"2.0",', () => response.socket?.destroy());
  },
  no_http: (response) => response.socket?.end('SSH-2.0-OpenSSH_9.9\r\n'),
  silence: () => {},
};

export interface FaultyServer extends RawServer {
  url: string;
  /** How often each tool was called. */
  calls: Map<string, number>;
}

export async function startFaulty(): Promise<FaultyServer> {
  const calls = new Map<string, number>();
  const answer = (method: string): object | undefined => {
    switch (method) {
      case 'initialize':
        return {
          protocolVersion: '2025-11-25',
          capabilities: { tools: {} },
          serverInfo: { name: 'faulty', version: '1' },
        };
      case 'ping':
        return {};
      case 'tools/list':
        return { tools: [...Object.keys(FAULTS), 'fine'].map((name) => ({ name, inputSchema: { type: 'object' } })) };
      default:
        return undefined;
    }
  };
  const server = await startRawServer((request: IncomingMessage, response: ServerResponse) => {
    void readBody(request).then((text) => {
      if (request.method !== 'POST') return response.writeHead(405).end();
      const { id, method, params } = JSON.parse(text);
      if (id === undefined) return response.writeHead(202).end();
      if (method === 'tools/call') {
        const name = params.name as string;
        calls.set(name, (calls.get(name) ?? 0) + 1);
        if (name === 'fine') return response.writeHead(200, JSON_TYPE).end(result(id, 'fine'));
        return FAULTS[name]?.(response, id);
      }
      const made = answer(method);
      const message = made
        ? { jsonrpc: '2.0', id, result: made }
        : { jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } };
      return response.writeHead(200, JSON_TYPE).end(JSON.stringify(message));
    });
  });
  return { ...server, url: `${server.origin}/mcp`, calls };
}
