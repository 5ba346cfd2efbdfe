/**
 * Limit (c) for calls of agents: the least that a gateway in Node can do between a client's `tools/call` and a Mastra server.
 * The request is buffered, parsed, made the request of the server's API and serialised again; of the reply's events the text is
 * put together, passed on as progress where that is asked for, and serialised as the result. No queue, policy or session, one
 * agent, nothing checked.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { type Dispatcher, Pool } from 'undici';
import { AGENT } from './fake-agents.ts';

interface ToolCall {
  id: number;
  params: { arguments: { message: string }; _meta?: { progressToken?: number } };
}

/** Returns the port. It ends with its process. */
export async function startAgentLimit(upstreamPort: number): Promise<number> {
  const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, {
    connections: null,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const server = createServer((request, response) => forward(pool, request, response));
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function forward(pool: Pool, request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const buffered = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    const { id, params } = JSON.parse(buffered.toString('utf8')) as ToolCall;
    const body = JSON.stringify({ messages: [{ role: 'user', content: params.arguments.message }] });
    const headers = { accept: 'text/event-stream', 'content-type': 'application/json' };
    pool.dispatch(
      { method: 'POST', path: `/api/agents/${AGENT}/stream`, headers, body },
      new Answer(response, id, params._meta?.progressToken),
    );
  });
}

class Answer implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  readonly #id: number;
  readonly #progressToken: number | undefined;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #text = '';
  #progress = 0;
  #controller: Dispatcher.DispatchController | undefined;

  constructor(response: ServerResponse, id: number, progressToken: number | undefined) {
    this.#response = response;
    this.#id = id;
    this.#progressToken = progressToken;
    response.on('close', () => {
      if (!response.writableFinished) this.#controller?.abort(new Error('the client left'));
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
  }

  onResponseStart(): void {
    if (this.#progressToken !== undefined) this.#response.writeHead(200, { 'content-type': 'text/event-stream' });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const events = (this.#rest + this.#decoder.write(chunk)).split('\n\n');
    this.#rest = events.pop() as string;
    for (const event of events) this.#read(event.slice('data: '.length));
  }

  #read(data: string): void {
    if (data === '[DONE]') return;
    const { type, payload } = JSON.parse(data) as { type: string; payload: { text: string } };
    if (type !== 'text-delta') return;
    this.#text += payload.text;
    if (this.#progressToken === undefined) return;
    const params = { progressToken: this.#progressToken, progress: ++this.#progress, message: payload.text };
    this.#response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params })}\n\n`);
  }

  onResponseEnd(): void {
    const result = { content: [{ type: 'text', text: this.#text }] };
    const body = JSON.stringify({ jsonrpc: '2.0', id: this.#id, result });
    if (this.#progressToken !== undefined) {
      this.#response.end(`data: ${body}\n\n`);
      return;
    }
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    this.#response.writeHead(200, headers).end(body);
  }

  onResponseError(): void {
    this.#response.destroy();
  }
}
