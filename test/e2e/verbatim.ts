/**
 * Servers of every transport and era that answer a request with the very bytes it came in, and clients that send any text
 * as arguments: what a gateway between them changes is seen.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { fileURLToPath } from 'node:url';
import { META } from '../../src/wire/envelope.ts';
import { keyText, member, visitMembers } from '../../src/wire/json/scan.ts';
import type { OwnGateway } from './gateway.ts';
import { envelope } from './raw.ts';

export type ServerEra = 'legacy' | 'modern';

/** The answer to one message, as JSON text; undefined for notifications. */
export function answerTo(text: string, era: ServerEra): string | undefined {
  const { id, method } = JSON.parse(text) as { id?: number; method: string };
  if (id === undefined) return undefined;
  const result = resultOf(text, method, era);
  const answer = result === undefined ? { error: { code: -32601, message: 'Method not found' } } : { result };
  return JSON.stringify({ jsonrpc: '2.0', id, ...answer });
}

function resultOf(text: string, method: string, era: ServerEra): object | undefined {
  const capabilities = { tools: {}, prompts: {} };
  const serverInfo = { name: 'verbatim', version: '1' };
  const type = era === 'modern' ? { resultType: 'complete' } : {};
  switch (method) {
    case 'initialize':
      if (era === 'modern') return undefined;
      return { protocolVersion: JSON.parse(text).params.protocolVersion, capabilities, serverInfo };
    case 'server/discover':
      if (era === 'legacy') return undefined;
      return { ...type, supportedVersions: ['2026-07-28'], capabilities, _meta: { [META.serverInfo]: serverInfo } };
    case 'tools/list':
      return { ...type, tools: [{ name: 'verbatim', inputSchema: { type: 'object' } }] };
    case 'prompts/list':
      return { ...type, prompts: [{ name: 'verbatim' }] };
    case 'ping':
      return type;
    case 'prompts/get':
      return { ...type, messages: [{ role: 'user', content: { type: 'text', text } }] };
    default:
      return { content: [{ type: 'text', text }], ...type };
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

export interface VerbatimServer {
  url: string;
  close(): Promise<void>;
}

/** Streamable HTTP, or, with `sse`, the transport of 2024-11-05. */
export async function startVerbatim(era: ServerEra, sse = false): Promise<VerbatimServer> {
  const streams: ServerResponse[] = [];
  const server = createServer(async (request, response) => {
    if (request.method === 'GET' && sse) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`event: endpoint\ndata: /post/${streams.push(response) - 1}\n\n`);
      return;
    }
    if (request.method !== 'POST' || (sse && !request.url?.startsWith('/post/'))) {
      response.writeHead(405).end();
      return;
    }
    const answer = answerTo(await bodyOf(request), era);
    if (sse) {
      response.writeHead(202).end();
      const stream = streams[Number(request.url?.slice('/post/'.length))];
      if (answer !== undefined) stream?.write(`data: ${answer}\n\n`);
    } else if (answer === undefined) response.writeHead(202).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The same over stdio. */
export const verbatimChild = (era: ServerEra): { command: string; args: string[] } => ({
  command: process.execPath,
  args: [fileURLToPath(new URL('./upstreams/verbatim-child.ts', import.meta.url)), era],
});

/** A client that writes `params` verbatim, without their closing brace where there is an envelope to add. */
export interface VerbatimClient {
  /** The text that the server got for a request with these members of `params`. */
  reached(method: string, name: string, members: string, path?: string): Promise<string>;
  /** The whole answer. */
  ask(method: string, name: string, members: string, path?: string): Promise<Answer>;
  close(): void;
}

export interface Answer {
  result?: { content?: { text: string }[]; messages?: { content: { text: string } }[] };
  error?: { code: number; message: string; data?: Record<string, unknown> };
}

function client(ask: VerbatimClient['ask'], close: () => void = () => {}): VerbatimClient {
  return {
    ask,
    close,
    async reached(...request) {
      const answer = await ask(...request);
      const text = answer.result?.content?.[0]?.text ?? answer.result?.messages?.[0]?.content.text;
      if (text === undefined) throw new Error(`Not answered by the server: ${JSON.stringify(answer)}`);
      return text;
    },
  };
}

const META_TEXT = JSON.stringify(envelope());
const INITIALIZE = `{"jsonrpc":"2.0","id":"open","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}`;
const INITIALIZED = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

const legacyText = (id: number, method: string, members: string): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":{${members}}}`;
const modernText = (id: number, method: string, members: string): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":{${members},"_meta":${META_TEXT}}}`;

/** One POST over a socket of its own, and the body of the answer. */
function post(url: URL, headers: Record<string, string>, body: string): Promise<{ head: string; body: string }> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connectTcp(Number(url.port), '127.0.0.1');
    const chunks: Buffer[] = [];
    const lines = Object.entries({
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    });
    socket.on('error', reject);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const end = text.indexOf('\r\n\r\n');
      resolve({ head: text.slice(0, end), body: text.slice(end + 4) });
    });
    socket.write(
      `POST ${url.pathname} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${lines
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}\r\n${body}`,
    );
  });
}

export function modernHttpClient(gateway: OwnGateway): VerbatimClient {
  let id = 0;
  return client(async (method, name, members, path = '/mcp') => {
    const headers = {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(name === '' ? {} : { 'mcp-name': name }),
    };
    const { body } = await post(gateway.at(path), headers, modernText(++id, method, members));
    return JSON.parse(body) as Answer;
  });
}

export async function legacyHttpClient(gateway: OwnGateway): Promise<VerbatimClient> {
  const sessions = new Map<string, string>();
  let id = 0;
  const open = async (path: string): Promise<string> => {
    const { head } = await post(gateway.at(path), {}, INITIALIZE);
    const session = /mcp-session-id: (\S+)/i.exec(head)?.[1] ?? '';
    await post(gateway.at(path), { 'mcp-session-id': session }, INITIALIZED);
    sessions.set(path, session);
    return session;
  };
  return client(async (method, _name, members, path = '/mcp') => {
    const session = sessions.get(path) ?? (await open(path));
    const headers = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
    const { body } = await post(gateway.at(path), headers, legacyText(++id, method, members));
    return JSON.parse(body) as Answer;
  });
}

/** Finds answers by id on a stream of messages. */
class Answers {
  readonly #waiting = new Map<unknown, (answer: Answer) => void>();

  of(id: unknown): Promise<Answer> {
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  take(text: string): void {
    const message = JSON.parse(text) as Answer & { id: unknown };
    this.#waiting.get(message.id)?.(message);
    this.#waiting.delete(message.id);
  }
}

/** Lines of a stream of text. */
function onLines(take: (line: string) => void): (chunk: Buffer) => void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  return (chunk) => {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  };
}

/** HTTP+SSE of 2024-11-05. Answers are bounded by a stream of their own, so it reads with `fetch`. */
export async function sseClient(gateway: OwnGateway): Promise<VerbatimClient> {
  const controller = new AbortController();
  const response = await fetch(gateway.at('/sse'), {
    headers: { accept: 'text/event-stream' },
    signal: controller.signal,
  });
  const answers = new Answers();
  const endpoint = Promise.withResolvers<string>();
  let event = '';
  const take = onLines((line) => {
    if (line.startsWith('event: ')) event = line.slice(7).trim();
    if (!line.startsWith('data: ')) return;
    if (event === 'endpoint') endpoint.resolve(line.slice(6).trim());
    else answers.take(line.slice(6));
    event = '';
  });
  void (async () => {
    try {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) take(Buffer.from(chunk));
    } catch {
      // It is closed.
    }
  })();
  const url = gateway.at(await endpoint.promise);
  const write = async (text: string): Promise<void> => {
    const sent = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: text });
    await sent.text();
  };
  const opened = answers.of('open');
  await write(INITIALIZE);
  await opened;
  await write(INITIALIZED);
  let id = 0;
  return client(
    async (method, _name, members) => {
      const answer = answers.of(++id);
      await write(legacyText(id, method, members));
      return answer;
    },
    () => controller.abort(),
  );
}

/** Newline-delimited messages of either era. */
export async function stdioClient(gateway: OwnGateway, era: ServerEra): Promise<VerbatimClient> {
  const input = new PassThrough();
  const output = new PassThrough();
  const answers = new Answers();
  output.on(
    'data',
    onLines((line) => answers.take(line)),
  );
  const endpoint = gateway.gateway.serveStdio(input, output);
  if (era === 'legacy') {
    const opened = answers.of('open');
    input.write(`${INITIALIZE}\n`);
    await opened;
    input.write(`${INITIALIZED}\n`);
  }
  let id = 0;
  return client(
    (method, _name, members) => {
      const answer = answers.of(++id);
      const text = era === 'modern' ? modernText(id, method, members) : legacyText(id, method, members);
      input.write(`${text.replaceAll(/[\r\n]/g, ' ')}\n`);
      return answer;
    },
    () => {
      input.end();
      void endpoint.closed;
    },
  );
}

/** The text of each member of `params` in a message, by name, in the order they are written in. */
export function paramsOf(message: string): Map<string, string> {
  const bytes = Buffer.from(message);
  const params = member(bytes, 0, 'params');
  const found = new Map<string, string>();
  if (!params) return found;
  visitMembers(bytes, params.start, (keyStart, keyEnd, start, end) => {
    found.set(keyText(bytes, keyStart, keyEnd), bytes.toString('utf8', start, end));
  });
  return found;
}
