/**
 * The fixture upstream: the least an MCP server over Streamable HTTP can be while still being one, in either era or both.
 * Raw `node:http`, prepared replies, JSON always. Legacy sessions are real: an id is issued, required and forgotten on
 * DELETE. The SDK's client is its judge (test/bench/upstream.test.ts).
 * @module
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RPC } from '../src/core/errors.ts';
import { claimsModern, readEnvelope } from '../src/wire/envelope.ts';
import { type Era, LATEST_MODERN, negotiateLegacy } from '../src/wire/eras.ts';
import { headerMismatch } from '../src/wire/headers.ts';
import { isObject, type JsonObject } from '../src/wire/jsonrpc.ts';
import { fixtureTools, largeText } from './fixture-results.ts';

export interface UpstreamOptions {
  /** Which eras it speaks. */
  eras: readonly Era[];
  /** Tools it lists; the first two are `echo` and `big`. */
  tools: number;
}

export interface FixtureUpstream {
  port: number;
  /** Ends open connections at once. */
  close(): Promise<void>;
}

const SERVER_INFO = { name: 'bench-upstream', version: '1.0.0' };
const CAPABILITIES = { tools: {} };
const MAX_LARGE_BYTES = 4 * 1024 * 1024;
/**
 * What follows the members of a modern result. SDK v2 servers write `resultType` and `_meta` behind them, and so does this
 * one: a gateway must not be measured on an order that no server sends.
 */
const MODERN_END = `,"resultType":"complete","_meta":${JSON.stringify({ 'io.modelcontextprotocol/serverInfo': SERVER_INFO })}`;

interface Incoming {
  request: IncomingMessage;
  response: ServerResponse;
  era: Era;
  /** The id as JSON text. */
  id: string;
  params: JsonObject;
}

export async function startUpstream(options: UpstreamOptions): Promise<FixtureUpstream> {
  const endpoint = new UpstreamEndpoint(options);
  const server: Server = createServer((request, response) => endpoint.handle(request, response));
  // The load generator's idle connections outlive the default of 5 s between two rounds.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

class UpstreamEndpoint {
  readonly #eras: readonly Era[];
  readonly #sessions = new Set<string>();
  /** `"tools":[…]` with the era's other members, braces excluded. */
  readonly #list: Readonly<Record<Era, Buffer>>;

  constructor(options: UpstreamOptions) {
    this.#eras = options.eras;
    const tools = JSON.stringify(fixtureTools(options.tools));
    this.#list = {
      legacy: Buffer.from(`"tools":${tools}`),
      modern: Buffer.from(`"tools":${tools},"ttlMs":60000,"cacheScope":"public"${MODERN_END}`),
    };
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    if (request.method === 'POST') {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => this.#post(request, response, Buffer.concat(chunks)));
      return;
    }
    request.resume();
    if (request.method === 'DELETE' && this.#eras.includes('legacy')) {
      const known = this.#sessions.delete(String(request.headers['mcp-session-id']));
      response.writeHead(known ? 200 : 404).end();
      return;
    }
    response.writeHead(405, { allow: 'POST, DELETE' }).end();
  }

  #post(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    let message: unknown;
    try {
      message = JSON.parse(body.toString('utf8'));
    } catch {
      fail(response, 400, 'null', RPC.parse, 'Parse error');
      return;
    }
    if (!isObject(message) || typeof message.method !== 'string') {
      fail(response, 400, 'null', RPC.invalidRequest, 'Invalid request');
      return;
    }
    if (message.id === undefined) {
      response.writeHead(202).end();
      return;
    }
    const params = isObject(message.params) ? message.params : {};
    const era: Era = claimsModern(params) ? 'modern' : 'legacy';
    const incoming: Incoming = { request, response, era, id: JSON.stringify(message.id), params };
    if (!this.#eras.includes(era)) this.#refuseEra(incoming);
    else if (era === 'modern') this.#modern(incoming, message.method);
    else this.#legacy(incoming, message.method);
  }

  #refuseEra({ response, era, id }: Incoming): void {
    if (era === 'modern') {
      // What a stateful server of the older revisions says to any first request but initialize.
      fail(response, 400, id, RPC.badSession, 'Bad Request: Server not initialized');
      return;
    }
    fail(response, 400, id, RPC.unsupportedProtocolVersion, 'Unsupported protocol version', {
      supported: [LATEST_MODERN],
    });
  }

  #modern(incoming: Incoming, method: string): void {
    const { request, response, id, params } = incoming;
    const envelope = readEnvelope(params);
    if (typeof envelope === 'string') {
      fail(response, 400, id, RPC.invalidParams, envelope);
      return;
    }
    if (envelope.protocolVersion !== LATEST_MODERN) {
      fail(response, 400, id, RPC.unsupportedProtocolVersion, 'Unsupported protocol version', {
        supported: [LATEST_MODERN],
        requested: envelope.protocolVersion,
      });
      return;
    }
    const header = (name: string): string | undefined => request.headers[name] as string | undefined;
    const mismatch = headerMismatch(header, method, params, envelope.protocolVersion);
    if (mismatch !== undefined) {
      fail(response, 400, id, RPC.headerMismatch, mismatch);
      return;
    }
    if (method !== 'server/discover') {
      this.#common(incoming, method);
      return;
    }
    reply(
      response,
      id,
      Buffer.from(
        `"supportedVersions":${JSON.stringify([LATEST_MODERN])},"capabilities":${JSON.stringify(CAPABILITIES)},` +
          `"ttlMs":60000,"cacheScope":"public"${MODERN_END}`,
      ),
    );
  }

  #legacy(incoming: Incoming, method: string): void {
    const { request, response, id, params } = incoming;
    if (method === 'initialize') {
      const sessionId = randomUUID();
      this.#sessions.add(sessionId);
      const result = {
        protocolVersion: negotiateLegacy(params.protocolVersion),
        capabilities: CAPABILITIES,
        serverInfo: SERVER_INFO,
      };
      const members = Buffer.from(JSON.stringify(result).slice(1, -1));
      reply(response, id, members, { 'mcp-session-id': sessionId });
      return;
    }
    const sessionId = request.headers['mcp-session-id'];
    if (typeof sessionId !== 'string') {
      fail(response, 400, id, RPC.badSession, 'Bad Request: Server not initialized');
    } else if (!this.#sessions.has(sessionId)) {
      fail(response, 404, id, RPC.sessionNotFound, 'Session not found');
    } else if (method === 'ping') {
      reply(response, id, Buffer.alloc(0));
    } else {
      this.#common(incoming, method);
    }
  }

  #common({ response, era, id, params }: Incoming, method: string): void {
    if (method === 'tools/list') {
      reply(response, id, this.#list[era]);
      return;
    }
    if (method !== 'tools/call') {
      fail(response, era === 'modern' ? 404 : 200, id, RPC.methodNotFound, 'Method not found');
      return;
    }
    const args = isObject(params.arguments) ? params.arguments : {};
    const end = era === 'modern' ? MODERN_END : '';
    if (params.name === 'echo') {
      const text = JSON.stringify(String(args.text));
      reply(response, id, Buffer.from(`"content":[{"type":"text","text":${text}}]${end}`));
    } else if (params.name === 'big') {
      const bytes = Number(args.bytes);
      if (!(bytes >= 16 && bytes <= MAX_LARGE_BYTES)) {
        fail(response, 200, id, RPC.invalidParams, `bytes must be 16 to ${MAX_LARGE_BYTES}`);
        return;
      }
      const text = largeText(bytes, args.of === 'logs' ? 'logs' : 'large');
      reply(response, id, Buffer.from('"content":[{"type":"text","text":'), {}, text, Buffer.from(`}]${end}`));
    } else {
      fail(response, 200, id, RPC.invalidParams, `Unknown tool: ${String(params.name)}`);
    }
  }
}

/** Sends a result whose members are given as bytes. */
function reply(
  response: ServerResponse,
  id: string,
  members: Buffer,
  headers: Record<string, string> = {},
  ...more: Buffer[]
): void {
  const head = Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":{`);
  const body = Buffer.concat([head, members, ...more, Buffer.from('}}')]);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length, ...headers });
  response.end(body);
}

function fail(
  response: ServerResponse,
  status: number,
  id: string,
  code: number,
  message: string,
  data?: JsonObject,
): void {
  const error = data === undefined ? { code, message } : { code, message, data };
  const body = `{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify(error)}}`;
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
