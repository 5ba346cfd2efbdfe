/**
 * An MCP server of either era whose tools write the `id` they are called with into a ledger, which outlives the server: it is ended and
 * started again on the same port.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { readJson } from '../fixtures/mcp/node-server.ts';

type Json = Record<string, unknown>;

const INFO = { name: 'ledger', version: '1.0.0' };

/** How often each call has run, by its id. */
export class Ledger {
  readonly runs = new Map<string, number>();
  readonly byTool = new Map<string, number>();

  note(tool: string, id: string): void {
    this.runs.set(id, (this.runs.get(id) ?? 0) + 1);
    this.byTool.set(tool, (this.byTool.get(tool) ?? 0) + 1);
  }
}

export class LedgerServer {
  readonly #era: 'legacy' | 'modern';
  readonly #tools: readonly string[];
  readonly #ledger: Ledger;
  #sessions = new Set<string>();
  #server: Server | undefined;
  #port = 0;

  constructor(era: 'legacy' | 'modern', tools: readonly string[], ledger: Ledger) {
    this.#era = era;
    this.#tools = tools;
    this.#ledger = ledger;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/mcp`;
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** As a crash: connections break, sessions are forgotten. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#sessions = new Set();
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') {
      response.writeHead(request.method === 'DELETE' ? 200 : 405).end();
      return;
    }
    const { id, method, params = {} } = (await readJson(request)) as { id?: unknown; method: string; params?: Json };
    const session = request.headers['mcp-session-id'];
    const isOpening = method === 'initialize';
    if (this.#era === 'legacy' && !isOpening && method !== 'server/discover' && !this.#sessions.has(String(session))) {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}');
      return;
    }
    if (id === undefined) {
      response.writeHead(202).end();
      return;
    }
    const result = await this.#result(method, params);
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (isOpening && result) {
      const opened = randomUUID();
      this.#sessions.add(opened);
      headers['mcp-session-id'] = opened;
    }
    const error = { code: -32601, message: 'Method not found' };
    response.writeHead(200, headers).end(JSON.stringify({ jsonrpc: '2.0', id, ...(result ? { result } : { error }) }));
  }

  async #result(method: string, params: Json): Promise<Json | undefined> {
    const modern = this.#era === 'modern' ? { resultType: 'complete' } : {};
    const about = { capabilities: { tools: {} } };
    if (method === 'initialize') {
      return this.#era === 'legacy' ? { protocolVersion: '2025-11-25', serverInfo: INFO, ...about } : undefined;
    }
    if (method === 'server/discover') {
      const meta = { 'io.modelcontextprotocol/serverInfo': INFO };
      return this.#era === 'modern'
        ? { ...modern, ...about, supportedVersions: ['2026-07-28'], _meta: meta }
        : undefined;
    }
    if (method === 'ping') return modern;
    if (method === 'tools/list') {
      return { ...modern, tools: this.#tools.map((name) => ({ name, inputSchema: { type: 'object' } })) };
    }
    if (method !== 'tools/call') return undefined;
    const { name, arguments: args } = params as { name: string; arguments: { id: string; ms?: number } };
    this.#ledger.note(name, args.id);
    if (args.ms) await pause(args.ms);
    return { ...modern, content: [{ type: 'text', text: args.id }] };
  }
}
