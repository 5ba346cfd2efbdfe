/**
 * Child process with the servers that principals compete for: the least of MCP that each kind of greed needs, in one era
 * each. Raw `node:http`, so that the server is not what is measured.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Era } from '../../src/wire/eras.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { serveParent } from '../child.ts';
import { TOOL_NAMES } from './kinds.ts';

export interface ServerRequest {
  eras: readonly Era[];
}

export interface ServerReply {
  ports: number[];
}

/** How long `nap` takes. */
const NAP_MS = 5;
const LARGE = 'x'.repeat(64 * 1024);

const INFO = { name: 'fairness', version: '1.0.0' };

interface Message {
  id?: string | number;
  method?: string;
  params?: JsonObject;
  result?: unknown;
  error?: unknown;
}

function listOf(method: string): JsonObject | undefined {
  switch (method) {
    case 'tools/list': {
      const description =
        'A tool that nobody calls, with a description of the usual length of a few dozen words. '.repeat(4);
      return { tools: TOOL_NAMES.map((name) => ({ name, description, inputSchema: { type: 'object' } })) };
    }
    case 'prompts/list':
      return { prompts: [{ name: 'greet', arguments: [{ name: 'who' }] }] };
    case 'resources/list':
      return { resources: Array.from({ length: 1_000 }, (_, i) => ({ uri: `demo://r/${i}`, name: `r${i}` })) };
    case 'resources/templates/list':
      return { resourceTemplates: [] };
    default:
      return undefined;
  }
}

const LISTS = new Map(
  ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'].map((method) => [
    method,
    listOf(method),
  ]),
);

class FairnessServer {
  readonly #era: Era;
  /** Ends a legacy call that asks, by the id of its question. */
  readonly #asking = new Map<string, (answer: unknown) => void>();

  constructor(era: Era) {
    this.#era = era;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') {
      request.resume();
      response.writeHead(request.method === 'DELETE' ? 200 : 405).end();
      return;
    }
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const message = JSON.parse(body) as Message;
    const { id, method } = message;
    if (method === undefined || id === undefined) {
      if (method === undefined) this.#asking.get(String(id))?.(message.result);
      response.writeHead(202).end();
      return;
    }
    await this.#serve(response, id, method, message.params ?? {});
  }

  async #serve(response: ServerResponse, id: string | number, method: string, params: JsonObject): Promise<void> {
    const modern = this.#era === 'modern';
    const capabilities = { tools: {}, prompts: {}, completions: {}, resources: { subscribe: true } };
    if (method === (modern ? 'server/discover' : 'initialize')) {
      const result = modern
        ? {
            supportedVersions: ['2026-07-28'],
            capabilities: { ...capabilities, extensions: { 'io.modelcontextprotocol/tasks': {} } },
          }
        : { protocolVersion: '2025-11-25', capabilities, serverInfo: INFO };
      this.#reply(response, id, result, modern ? {} : { 'mcp-session-id': randomUUID() });
      return;
    }
    const list = LISTS.get(method);
    if (list) this.#reply(response, id, list);
    else if (method === 'tools/call') await this.#call(response, id, params);
    else if (method === 'completion/complete') this.#reply(response, id, { completion: { values: ['world'] } });
    else if (method === 'tasks/get')
      this.#reply(response, id, { ...taskOf(String(params.taskId)), resultType: 'complete' });
    else if (method === 'ping' || method.startsWith('resources/')) this.#reply(response, id, {});
    else {
      const error = { code: -32601, message: 'Method not found' };
      response.writeHead(modern ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error }));
    }
  }

  async #call(response: ServerResponse, id: string | number, { name }: JsonObject): Promise<void> {
    if (name === 'nap') await delay(NAP_MS);
    if (name === 'job') this.#reply(response, id, { ...taskOf(randomUUID()), resultType: 'task' });
    else if (name === 'ask') await this.#ask(response, id);
    else this.#reply(response, id, textResult(name === 'large' ? LARGE : 'done'));
  }

  /** Asks on the stream of the call, as a legacy server does, and answers once the client has. */
  async #ask(response: ServerResponse, id: string | number): Promise<void> {
    const question = randomUUID();
    const send = (message: object): void => {
      response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`);
    };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const requestedSchema = { type: 'object', properties: { name: { type: 'string' } } };
    send({ id: question, method: 'elicitation/create', params: { message: 'Who?', requestedSchema } });
    await new Promise<unknown>((resolve) => {
      this.#asking.set(question, resolve);
      response.on('close', resolve);
    });
    this.#asking.delete(question);
    send({ id, result: textResult('asked') });
    response.end();
  }

  #reply(
    response: ServerResponse,
    id: string | number,
    result: JsonObject,
    headers: Record<string, string> = {},
  ): void {
    const whole =
      this.#era === 'modern' && result.resultType === undefined ? { ...result, resultType: 'complete' } : result;
    response.writeHead(200, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: whole }));
  }
}

const textResult = (text: string): JsonObject => ({ content: [{ type: 'text', text }] });

const taskOf = (taskId: string): JsonObject => {
  const now = new Date().toISOString();
  return { taskId, status: 'working', createdAt: now, lastUpdatedAt: now, ttlMs: 600_000, pollIntervalMs: 1_000 };
};

serveParent(async ({ eras }: ServerRequest): Promise<ServerReply> => {
  const ports = eras.map(async (era) => {
    const server = new FairnessServer(era);
    const http = createServer((request, response) => {
      server.handle(request, response).catch(() => response.destroy());
    });
    http.keepAliveTimeout = 120_000;
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return (http.address() as AddressInfo).port;
  });
  return { ports: await Promise.all(ports) };
});
