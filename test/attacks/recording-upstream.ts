/**
 * An MCP server of either era that keeps every message it was sent: what got past the gate is in there, and nothing else.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readBody } from '../../adapters/testing/faults.ts';

export type Params = Record<string, unknown>;

export interface Heard {
  method: string;
  params: Params;
  authorization: string | undefined;
  session: string | undefined;
}

/** Gives the result; throws an `RpcFailure` for an error. */
export type Handler = (params: Params) => Params | Promise<Params>;

export class RpcFailure extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export interface RecordingUpstream {
  url: string;
  port: number;
  heard: Heard[];
  /** What was sent of one method, oldest first. */
  of(method: string): Params[];
  /** Calls of a tool by its own name. */
  calls(tool: string): Params[];
  close(): Promise<void>;
}

export interface Offers {
  era?: 'legacy' | 'modern';
  tools?: string[];
  prompts?: string[];
  resources?: string[];
  templates?: string[];
  instructions?: string;
  /** Gives every `initialize` a session of its own. */
  sessions?: boolean;
  /** The HTTP status a request with this `Authorization` is refused with; undefined: it is served. */
  refuses?: (authorization: string | undefined, method: string) => number | undefined;
  /** Over what it answers by itself. */
  handlers?: Record<string, Handler>;
}

const INFO = { name: 'recording', version: '1.0.0' };

export async function startRecording(offers: Offers = {}): Promise<RecordingUpstream> {
  const { era = 'legacy', tools = ['echo'], prompts = [], resources = [], templates = [], instructions } = offers;
  const heard: Heard[] = [];
  const capabilities = {
    tools: {},
    prompts: {},
    resources: { subscribe: true },
    completions: {},
    logging: {},
  };
  const about = { capabilities, ...(instructions ? { instructions } : {}) };
  const handlers: Record<string, Handler> = {
    initialize: () => ({ protocolVersion: '2025-11-25', serverInfo: INFO, ...about }),
    'server/discover': () => ({
      ...about,
      supportedVersions: ['2026-07-28'],
      _meta: { 'io.modelcontextprotocol/serverInfo': INFO },
    }),
    'tools/list': () => ({ tools: tools.map((name) => ({ name, inputSchema: { type: 'object' } })) }),
    'prompts/list': () => ({ prompts: prompts.map((name) => ({ name })) }),
    'resources/list': () => ({ resources: resources.map((uri) => ({ uri, name: uri })) }),
    'resources/templates/list': () => ({
      resourceTemplates: templates.map((uriTemplate) => ({ uriTemplate, name: uriTemplate })),
    }),
    'tools/call': ({ name, arguments: args }) => ({
      content: [{ type: 'text', text: JSON.stringify({ name, args }) }],
    }),
    'prompts/get': ({ name }) => ({
      messages: [{ role: 'user', content: { type: 'text', text: String(name) } }],
    }),
    'resources/read': ({ uri }) => ({ contents: [{ uri, text: `contents of ${String(uri)}` }] }),
    'completion/complete': () => ({ completion: { values: ['SECRET-VALUE'] } }),
    ...offers.handlers,
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST' && request.method !== 'DELETE') {
      response.writeHead(405).end();
      return;
    }
    if (request.method === 'DELETE') {
      response.writeHead(200).end();
      return;
    }
    const { id, method, params = {} } = JSON.parse(await readBody(request));
    const { authorization, 'mcp-session-id': session } = request.headers;
    const status = offers.refuses?.(authorization, method);
    if (status !== undefined) {
      response.writeHead(status, { 'www-authenticate': 'Bearer error="invalid_token"' }).end('no');
      return;
    }
    const isOther = era === 'legacy' ? method === 'server/discover' : method === 'initialize';
    if (!isOther)
      heard.push({ method, params, authorization, session: session === undefined ? undefined : String(session) });
    if (id === undefined) {
      response.writeHead(202).end();
      return;
    }
    const reply = (message: object): void => {
      response.writeHead(200, {
        'content-type': 'application/json',
        ...(offers.sessions && method === 'initialize' ? { 'mcp-session-id': randomUUID() } : {}),
      });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...message }));
    };
    const handler = isOther ? undefined : handlers[method];
    if (!handler) {
      if (/^(ping|resources\/(un)?subscribe|logging\/setLevel)$/.test(method)) reply({ result: {} });
      else reply({ error: { code: -32601, message: `Method not found: ${method}` } });
      return;
    }
    try {
      const result = await handler(params);
      reply({ result: era === 'modern' ? { resultType: 'complete', ...result } : result });
    } catch (error) {
      const { code, message, data } = error as RpcFailure;
      reply({ error: { code: code ?? -32603, message, data } });
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const of = (method: string): Params[] => heard.filter((each) => each.method === method).map(({ params }) => params);
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    port,
    heard,
    of,
    calls: (tool) => of('tools/call').filter(({ name }) => name === tool),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
