/**
 * The two limits a gateway in Node is held against. (b) is a bare reverse proxy: bodies streamed both ways, no knowledge of
 * MCP. (c) knows the least a gateway has to: it buffers the request, parses it, rewrites the name and serialises it
 * again; the reply passes through as bytes. No sessions of their own, no policy, one upstream each: floors, not gateways.
 * @module
 */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Dispatcher, Pool } from 'undici';

export type Limit = 'b' | 'c';

/** The prefix (c) removes from tool names, as a gateway removes the name of the upstream. */
export const LIMIT_PREFIX = 'upstream__';

export interface LimitServer {
  port: number;
  close(): Promise<void>;
}

type Headers = Record<string, string | string[]>;

type Forward = (pool: Pool, request: IncomingMessage, response: ServerResponse) => void;

export const startLimit = (limit: Limit, upstreamPort: number): Promise<LimitServer> =>
  startProxy(limit === 'b' ? stream : rewrite, [upstreamPort]);

/** Limit (b) in front of several servers: each request goes to the next one, whichever client sends it. */
export const startBalancer = (upstreamPorts: readonly number[]): Promise<LimitServer> =>
  startProxy(stream, upstreamPorts);

async function startProxy(forward: Forward, upstreamPorts: readonly number[]): Promise<LimitServer> {
  const pools = upstreamPorts.map(
    (port) =>
      new Pool(`http://127.0.0.1:${port}`, { connections: null, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 }),
  );
  let turn = 0;
  const server: Server = createServer((request, response) =>
    forward(pools[turn++ % pools.length] as Pool, request, response),
  );
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await Promise.all(pools.map((pool) => pool.destroy()));
    },
  };
}

/** Limit (b). */
function stream(pool: Pool, request: IncomingMessage, response: ServerResponse): void {
  const headers = endToEnd(request.headers);
  send(pool, request, response, headers, request.method === 'POST' ? request : null);
}

/** Limit (c). */
function rewrite(pool: Pool, request: IncomingMessage, response: ServerResponse): void {
  const headers = endToEnd(request.headers);
  if (request.method !== 'POST') {
    send(pool, request, response, headers, null);
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const buffered = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    let body: string;
    try {
      const message = JSON.parse(buffered.toString('utf8')) as { params?: { name?: unknown } };
      const name = message.params?.name;
      if (message.params && typeof name === 'string') {
        message.params.name = name.slice(LIMIT_PREFIX.length);
        if (headers['mcp-name'] !== undefined) headers['mcp-name'] = name.slice(LIMIT_PREFIX.length);
      }
      body = JSON.stringify(message);
    } catch {
      response.writeHead(400).end();
      return;
    }
    headers['content-length'] = String(Buffer.byteLength(body));
    send(pool, request, response, headers, body);
  });
}

function send(
  pool: Pool,
  request: IncomingMessage,
  response: ServerResponse,
  headers: Headers,
  body: Dispatcher.DispatchOptions['body'],
): void {
  const handler = new PassThrough(response);
  pool.dispatch({ method: request.method as Dispatcher.HttpMethod, path: request.url ?? '/', headers, body }, handler);
}

/** The reply's head and chunks, as they come, at the pace the client reads them. */
class PassThrough implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  #controller: Dispatcher.DispatchController | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on('close', () => {
      if (!response.writableFinished) this.#controller?.abort(new Error('the client left'));
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#response.writeHead(status, endToEnd(headers));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#response.write(chunk)) return;
    controller.pause();
    this.#response.once('drain', () => controller.resume());
  }

  onResponseEnd(): void {
    this.#response.end();
  }

  onResponseError(): void {
    if (this.#response.headersSent) this.#response.destroy();
    else this.#response.writeHead(502).end();
  }
}

/** Without the hop-by-hop headers (RFC 9110, section 7.6.1) and `host`. */
function endToEnd(headers: IncomingHttpHeaders): Headers {
  const kept: Headers = {};
  for (const name in headers) {
    switch (name) {
      case 'connection':
      case 'keep-alive':
      case 'transfer-encoding':
      case 'upgrade':
      case 'host':
      case 'te':
      case 'trailer':
        continue;
    }
    const value = headers[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}
