/**
 * Stands between the suite and the gateway's merged endpoint and translates names, in bodies, streams and headers.
 * Everything else passes unchanged.
 * @module
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { decodeHeaderValue, encodeHeaderValue } from '../../../src/wire/headers.ts';
import { isObject, type JsonObject } from '../../../src/wire/jsonrpc.ts';
import { SseParser, sseFrame } from '../../../src/wire/sse.ts';
import { type Mapping, mappingOf } from './mapping.ts';

export interface NamesProxyOptions {
  port: number;
  /** The gateway's address, without a path. */
  gateway: string;
  /** Whose names the suite means. */
  server: string;
}

const MAX_EVENT_BYTES = 16 * 1024 * 1024;

export async function startNamesProxy({ port, gateway, server: name }: NamesProxyOptions) {
  const mapping = mappingOf(name);
  const server = createServer((req, res) => {
    forward(req, res, new URL('/mcp', gateway), mapping).catch(() => res.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    async stop(): Promise<void> {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function forward(req: IncomingMessage, res: ServerResponse, to: URL, mapping: Mapping): Promise<void> {
  const body = await readAll(req);
  const message = parse(body);
  const headers = { ...req.headers };
  // Header and body may disagree on purpose: each is translated by what it says itself.
  const mcpName = headers['mcp-name'];
  if (typeof mcpName === 'string') headers['mcp-name'] = translate(mcpName, methodOf(message) ?? '', mapping);
  const sent = message === undefined ? body : Buffer.from(JSON.stringify(outward(message, mapping)));
  if (headers['content-length'] !== undefined) headers['content-length'] = String(sent.length);

  const out = request(to, { method: req.method, headers });
  // Only an aborted exchange: a finished one leaves its connection for the next.
  res.on('close', () => {
    if (!res.writableFinished) out.destroy();
  });
  out.end(sent);
  const [reply] = (await once(out, 'response')) as [IncomingMessage];
  if (reply.headers['content-type']?.includes('text/event-stream')) await relayStream(reply, res, mapping);
  else await relayBody(reply, res, mapping);
}

async function relayBody(reply: IncomingMessage, res: ServerResponse, mapping: Mapping): Promise<void> {
  const body = await readAll(reply);
  const message = parse(body);
  mapping.inward(message);
  const headers = { ...reply.headers };
  const sent = message === undefined ? body : Buffer.from(JSON.stringify(message));
  if (headers['content-length'] !== undefined) headers['content-length'] = String(sent.length);
  res.writeHead(reply.statusCode ?? 502, headers);
  res.end(sent);
}

async function relayStream(reply: IncomingMessage, res: ServerResponse, mapping: Mapping): Promise<void> {
  res.writeHead(reply.statusCode ?? 502, reply.headers);
  res.flushHeaders();
  let retry: number | undefined;
  const parser = new SseParser(
    {
      onRetry: (ms) => {
        retry = ms;
      },
      onEvent: ({ event, data, id }) => {
        const message = parse(data);
        mapping.inward(message);
        res.write(
          sseFrame({
            data: message === undefined ? [data] : JSON.stringify(message),
            ...(event === 'message' ? {} : { event }),
            ...(id === undefined ? {} : { id }),
            ...(retry === undefined ? {} : { retry }),
          }),
        );
        retry = undefined;
      },
    },
    MAX_EVENT_BYTES,
  );
  for await (const chunk of reply as AsyncIterable<Buffer>) parser.push(chunk);
  res.end();
}

function outward(message: unknown, mapping: Mapping): unknown {
  if (Array.isArray(message)) return message.map((item) => outward(item, mapping));
  const method = methodOf(message);
  if (method === undefined || !isObject((message as JsonObject).params)) return message;
  return { ...(message as JsonObject), params: mapping.outward(method, (message as JsonObject).params as JsonObject) };
}

function translate(header: string, method: string, mapping: Mapping): string {
  const value = decodeHeaderValue(header);
  return value === undefined ? header : encodeHeaderValue(mapping.header(method, value));
}

const methodOf = (message: unknown): string | undefined =>
  isObject(message) && typeof message.method === 'string' ? message.method : undefined;

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
