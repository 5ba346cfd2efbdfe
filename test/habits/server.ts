/**
 * A server over HTTP that plays one habit: its handshake is ordinary, and what the habit is about is sent byte for byte.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Sent } from './table.ts';

export interface Script {
  /** The answer to `server/discover`; as a server does that does not know the method, where it is left out. */
  discover?: Sent;
  /** The revision `initialize` is answered with. */
  version?: string;
  /** The answer to an `initialize` that declares this capability with members. */
  refuses?: { capability: string; sends: Sent };
  /** The answer to a tool call, and to any other request that is not of the handshake. */
  reply?: Sent;
  /** The answer to requests of a session the server has forgotten. */
  gone?: Sent;
}

interface Params {
  capabilities?: Readonly<Record<string, object>>;
}

export interface HabitServer {
  readonly url: string;
  /** Requests with their params and headers, in order; requests of a forgotten session are not among them. */
  readonly received: { method: string; params: Params; headers: IncomingMessage['headers'] }[];
  /** GET streams that were refused, because their session is forgotten. */
  readonly refused: number;
  /** Forgets every session there is; their GET streams end, or stay open and silent. */
  forget(streams: 'ended' | 'silent'): void;
  close(): Promise<void>;
}

const RESULT = '{"content":[{"type":"text","text":"fine"}]}';
const NOT_KNOWN: Sent = {
  status: 200,
  type: 'application/json',
  body: '{"jsonrpc":"2.0","id":<id>,"error":{"code":-32601,"message":"Method not found"}}',
};
const TOOLS: Sent = {
  status: 200,
  type: 'application/json',
  body: '{"jsonrpc":"2.0","id":<id>,"result":{"tools":[{"name":"x","inputSchema":{"type":"object"}}]}}',
};
const PLAIN: Sent = { status: 200, type: 'application/json', body: '{"jsonrpc":"2.0","id":<id>,"result":<result>}' };

export async function playHabit(script: Script): Promise<HabitServer> {
  const received: HabitServer['received'] = [];
  const sessions = new Map<string, ServerResponse | undefined>();
  let opened = 0;
  let refused = 0;

  const send = (response: ServerResponse, sent: Sent, id: unknown, session: string | undefined): void => {
    const filled = (text: string): string => text.replace('<id>', JSON.stringify(id)).replace('<result>', RESULT);
    if (sent.onGetStream !== undefined && session !== undefined) sessions.get(session)?.write(filled(sent.onGetStream));
    response.writeHead(sent.status, { ...(sent.type ? { 'content-type': sent.type } : {}), ...sent.headers });
    response.end(sent.body === undefined ? undefined : filled(sent.body));
  };

  const server = createServer(async (request, response) => {
    const session = request.headers['mcp-session-id'] as string | undefined;
    if (session !== undefined && !sessions.has(session)) {
      const { id } = request.method === 'POST' ? await bodyOf(request) : { id: null };
      if (request.method === 'GET') response.once('close', () => refused++);
      send(response, script.gone ?? { status: 404 }, id, undefined);
      return;
    }
    if (request.method === 'GET' && session !== undefined) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      sessions.set(session, response);
      return;
    }
    if (request.method !== 'POST') {
      response.writeHead(request.method === 'DELETE' ? 200 : 405).end();
      return;
    }
    const { id, method = '', params = {} } = await bodyOf(request);
    received.push({ method, params, headers: request.headers });
    const { refuses } = script;
    const isRefused = refuses && Object.keys(params.capabilities?.[refuses.capability] ?? {}).length > 0;
    if (method === 'server/discover') send(response, script.discover ?? NOT_KNOWN, id, undefined);
    else if (method === 'initialize' && isRefused) send(response, refuses.sends, id, undefined);
    else if (method === 'initialize') {
      const name = `session-${++opened}`;
      sessions.set(name, undefined);
      const result = {
        protocolVersion: script.version ?? '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'habit', version: '1' },
      };
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': name });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    } else if (id === undefined) response.writeHead(202).end();
    else if (method === 'tools/list') send(response, TOOLS, id, session);
    else send(response, script.reply ?? PLAIN, id, session);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    received,
    get refused() {
      return refused;
    },
    forget(streams) {
      if (streams === 'ended') for (const stream of sessions.values()) stream?.destroy();
      sessions.clear();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<{ id?: unknown; method?: string; params?: Params }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}
